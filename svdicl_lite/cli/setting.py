"""Model, task and prompts as the options describe them; an `Experiment` once torch is imported."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # takes long to import
    from svdicl_lite.scoring.evaluator import ICLEvaluator
    from svdicl_lite.search.experiment import Experiment

DEFAULTS = {"validation": 200, "test": 1000}
"""Examples of each split, where there are so many and nobody asks for another number."""


@dataclass(frozen=True)
class Setting:
    """What the commands that judge have in common. `n_validation` and `n_test` are None where
    nothing was asked.
    """

    model: str
    task: str
    labels: str
    shots: int
    seed: int
    sets: int
    n_validation: int | None
    n_test: int | None
    device: str
    dtype: str
    drop_long: bool = False

    def experiment(self) -> "Experiment":
        """The recipe, with as many examples as there are where nothing was asked."""
        from svdicl_lite.search.experiment import Experiment
        from svdicl_lite.search.find_clip import n_of, sets_of

        seeds = tuple(sets_of(self.seed, self.sets))
        recipe = Experiment(
            self.model, self.task, self.labels, self.shots, seeds, device=self.device
        )
        task = recipe.load_task()
        return replace(
            recipe,
            dtype=self.dtype,
            n_validation=n_of(task, "validation", self.n_validation, DEFAULTS["validation"]),
            n_test=n_of(task, "test", self.n_test, DEFAULTS["test"]),
            drop_long=self.drop_long,
        )

    def evaluator(self, split: str) -> "ICLEvaluator":
        """The evaluator of "validation" or "test"."""
        return self.experiment().evaluator(split)

    def judges(self, *splits: str) -> dict[str, Callable[[], "ICLEvaluator"]]:
        """What makes the evaluator of each split, when it is wanted: a sweep needs no test."""
        return {split: partial(self.evaluator, split) for split in splits}

    def identity(self) -> dict[str, Any]:
        """What a journal must agree on."""
        return self.experiment().identity()

    def facts(self, *splits: str) -> dict[str, Any]:
        """What JSON says of the recipe: the recipe itself, with what "auto" means here and a digest
        of each split's examples; the rows left out, by reason; the tokenizer.
        """
        experiment = self.experiment()
        examples = {split: self._digest(split) for split in splits}
        dropped = dict(experiment.load_task().dropped)
        for split, n in self._too_long(*splits).items():
            dropped[f"too long for the model ({split})"] = n
        return {
            "experiment": {**asdict(experiment.here()), "examples": examples},
            "dropped": dropped,
            "tokenizer": self._tokenizer(),
        }

    def note(self, *splits: str) -> str:
        """A line for each thing that nobody asked for and that a reader should know: what the
        intervals are for, a split that is smaller than the default, rows left out, the tokenizer.
        """
        from svdicl_lite.cli.rows import of_intervals

        task = self.experiment().load_task()
        asked = {"validation": self.n_validation, "test": self.n_test}
        lines = [of_intervals(self.sets)]
        for split in splits:
            size = len(task.splits[split])
            if asked[split] is None and size < DEFAULTS[split]:
                lines.append(f"{split} has {size:,} examples, and all of them are taken")
        if task.dropped:
            lines.append(task.said_of_dropped())
        for split, n in self._too_long(*splits).items():
            lines.append(
                f"{n:,} examples of {split} left out, which the model has no positions for"
            )
        row = self._tokenizer()
        lines.append(f"BOS: {'yes' if row['bos'] else 'no'} ({row['class']})")
        return "".join(f"\n{line}" for line in lines)

    def _digest(self, split: str) -> str:
        """Of the texts that are judged, whatever the template, the words and the tokenizer: two
        results with the same one can be compared example by example. Where rows were too long for
        the model, which ones depends on the prompts, so it is of these too.
        """
        evaluator, task = self.evaluator(split), self.experiment().load_task()
        n = len(evaluator.demonstration_sets) + evaluator.n_too_long
        rows = task.splits[split].select(range(n))
        texts = [{**row, "label": int(row["label"])} for row in rows]
        whole = [evaluator.digest if evaluator.n_too_long else "", texts]
        return sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]

    def _too_long(self, *splits: str) -> dict[str, int]:
        """How many examples of each split were left out as too long; none is not listed."""
        found = {split: self.evaluator(split).n_too_long for split in splits}
        return {split: n for split, n in found.items() if n}

    def _tokenizer(self) -> dict[str, Any]:
        from svdicl_lite.scoring.tokens import tokenizer_row

        return tokenizer_row(self.experiment().load()[1])
