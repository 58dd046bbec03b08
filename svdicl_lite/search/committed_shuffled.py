"""Experiments of the third kind: searches where there is nothing to read, and what they claim.

A toml with `kind = "shuffled"` names a model, a task and a number of searches. Texts are drawn anew
and labels dealt out by lot, most of them one class, in the demonstrations as in what is judged:
whatever a search then gains is a threshold that moved to the larger class, or chance. What a model
answers does not depend on the labels of what it is asked, so each draw of texts and demonstrations
is judged once, and its labels are dealt out `labels_each` times, a search each time. The parquet
has a row for each search with its choice, its gain in two parts, its p-values and its verdict;
`claims` counts them.
Taught in chapter 15.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from transformers import PreTrainedModel

from svdicl_lite.models.digest import weights_digest
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.cells import Cell, judged
from svdicl_lite.search.committed import Kept, about, outcomes_path
from svdicl_lite.search.computed import check_same, described, the_same, write
from svdicl_lite.search.results import SearchResult
from svdicl_lite.search.verdict import sentence
from svdicl_lite.stats import SETS_NEEDED, Interval, cluster_interval, wilson_interval
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.task import Task

TOLERANCE = 0.0101  # of an accuracy or a part of a gain: two answers of 240 that were near a tie


@dataclass(frozen=True)
class Searches:
    """What the toml says of all its searches."""

    task: str
    searches: int
    labels: str = "canonical"
    larger_class: float = 0.68  # its share of the labels; the other classes share the rest
    labels_each: int = 1  # searches after one draw of texts and demonstrations
    layer: int = 0
    module: str = "mlp"
    clip_rates: tuple[float, ...] = (0, 0.5, 0.9, 0.95)
    n_validation: int = 200
    n_test: int = 400
    n_sets: int = 8
    n_shots: int = 8

    @classmethod
    def of(cls, kept: Kept) -> "Searches":
        """As the toml says. Raises ValueError for what nobody understands, or what is missing."""
        wanted = cls(**kept.settings(cls, ("task", "searches"), "shuffled searches"))
        if wanted.n_sets < SETS_NEEDED:
            raise ValueError(
                f"{kept.path.name} says n_sets = {wanted.n_sets}, but intervals over sets take"
                f" {SETS_NEEDED} or more"
            )
        if wanted.searches % wanted.labels_each or wanted.draws < 2:
            raise ValueError(
                f"{kept.path.name} says searches = {wanted.searches} and labels_each ="
                f" {wanted.labels_each}, but the first must be twice the second or more, and a"
                " multiple of it"
            )
        return wanted

    @property
    def draws(self) -> int:
        """Of texts and demonstrations."""
        return self.searches // self.labels_each


def dealt_out(task: Task, sizes: dict[str, int], larger_class: float, seed: int) -> Task:
    """The task with `sizes` rows of each split, drawn by `seed`, under labels dealt out by lot:
    class 0 gets the share `larger_class` of each split, the others the rest in equal parts.
    """
    from datasets import Dataset

    rng = np.random.default_rng(seed)
    others = (1 - larger_class) / (len(task.classes) - 1)
    shares = [larger_class, *[others] * (len(task.classes) - 1)]
    splits = {}
    for split, size in sizes.items():
        rows = task.splits[split]
        chosen = rows.select(rng.choice(len(rows), size, replace=False)).to_dict()
        ends = np.round(size * np.cumsum(shares)).astype(int)
        chosen["label"] = rng.permutation(np.searchsorted(ends, np.arange(size), "right")).tolist()
        splits[split] = Dataset.from_dict(chosen, features=rows.features)
    return replace(task, splits=splits)


Judged = dict[str, dict[Cell, Evaluation]]
"""By split, what the model answers under each cell."""


def judged_draw(
    model: PreTrainedModel, tokenizer: Any, wanted: Searches, draw: int
) -> tuple[str, Judged]:
    """Texts and demonstrations drawn by the number `draw`: the digest of its validation prompts,
    and what the model answers under every clip rate.
    """
    task = load_task(wanted.task, wanted.labels)
    sizes = {"train": len(task.splits["train"])}
    sizes |= {"validation": wanted.n_validation, "test": wanted.n_test}
    by_lot = dealt_out(task, sizes, wanted.larger_class, draw)
    seeds = range(draw * wanted.n_sets, (draw + 1) * wanted.n_sets)
    cells = [Cell(wanted.layer, wanted.module, float(rate)) for rate in wanted.clip_rates]
    digests, found = {}, {}
    for split in ("validation", "test"):
        evaluator = ICLEvaluator(
            model, tokenizer, by_lot, split, sizes[split], wanted.n_shots, seeds
        )
        digests[split], found[split] = evaluator.digest, dict(judged(evaluator, cells))
    return digests["validation"], found


def searched(found: Judged, choice: int, draw: int) -> SearchResult:
    """The search on what a draw has `found`, its labels dealt out once more by the number `choice`:
    the rate of the best accuracy on validation, the first of equals, judged on test.
    """
    rng = np.random.default_rng([draw, choice])
    dealt: Judged = {}
    for split, outcomes in found.items():
        labels = rng.permutation(next(iter(outcomes.values())).labels)
        dealt[split] = {cell: replace(outcome, labels=labels) for cell, outcome in outcomes.items()}
    validation, test = dealt["validation"], dealt["test"]
    cells = list(validation)
    best = max(cells, key=lambda cell: validation[cell].accuracy)
    return SearchResult(
        validation_before=validation[cells[0]],
        validation_after=validation[best],
        test_before=test[cells[0]],
        test_after=test[best],
        cells=tuple(cells),
        validation=tuple(validation.values()),
        chosen_cell=best,
    )


def compute_searches(kept: Kept, say: Callable[[str], object] = print) -> Path:
    """Searches as often as the toml says and writes the parquet, which appears only when all is
    there. Raises what loading the model and the task raises.
    """
    started = time.time()
    wanted = Searches.of(kept)
    model, tokenizer = load_model(kept.said["model"])
    rows: list[dict[str, Any]] = []
    for draw in range(wanted.draws):
        prompts, found = judged_draw(model, tokenizer, wanted, draw)
        for choice in range(wanted.labels_each):
            rows.append(_row((draw, choice), prompts, searched(found, choice, draw)))
        say(f"{kept.path.stem}: {len(rows)} searches, {time.time() - started:.0f} s")
    write(kept.outcomes, rows, described(kept, weights_digest(model), started), "validation")
    return kept.outcomes


def _row(number: tuple[int, int], prompts: str, result: SearchResult) -> dict[str, Any]:
    """Of the search on labels `number[1]` of draw `number[0]`."""
    parts = {
        "gain": (result.test_gain, result.gain_over_sets),
        "reading": (result.reading, result.reading_over_sets),
        "lean": (result.lean, result.lean_over_sets),
    }
    row: dict[str, Any] = {"draw": number[0], "choice": number[1], "prompts": prompts}
    row |= {"clip_rate": result.clip_rate, "validation_gain": result.validation_gain}
    row |= {"accuracy_before": result.test_before.accuracy}
    row |= {"majority": result.test_before.majority_accuracy}
    for name, (value, interval) in parts.items():
        low, high = interval or (np.nan, np.nan)
        row |= {name: value, f"{name}_low": low, f"{name}_high": high}
    row |= {"p_value": result.p_value, "p_value_by_set": result.p_value_by_set}
    row |= {"kind": result.kind, "verdict": sentence(result)}
    accuracies = [outcome.accuracy for outcome in result.validation]
    return {**row, "validation": np.array(accuracies, dtype=np.float32)}


def searches(path: str | Path) -> pd.DataFrame:
    """The kept searches, a row each: draw, choice, prompts (digest), clip_rate, validation_gain,
    accuracy_before and majority on test; gain, reading and lean on test with the ends of their
    intervals over sets (…_low, …_high); p_value (McNemar), p_value_by_set (sign flips), kind and
    verdict; validation, the accuracies of all rates.

    `path` is the toml or the parquet, or the name alone. Raises FileNotFoundError if it was not
    computed, ValueError for a file that is damaged or holds something else.
    """
    from pyarrow import parquet

    path = outcomes_path(path)
    if about(path)["said"].get("kind") != "shuffled":
        raise ValueError(f"{path.name} holds no searches on shuffled labels")
    table: pd.DataFrame = parquet.read_table(path).to_pandas()
    return table


def claims(path: str | Path) -> dict[str, tuple[int, int, Interval]]:
    """By what is claimed: in how many searches, of how many, and the 95 % interval of that share:
    Wilson's, or Student's t over the draws where that reaches further up, since searches after one
    draw are not independent. Arguments and errors as in `searches`.
    """
    table = searches(path)
    gained = table["gain"] > 0
    found = {
        "a gain in reading": table["kind"].isin(("reading", "both")),
        "a gain by lean": table["kind"] == "lean",
        "accuracy, by its interval over sets": table["gain_low"] > 0,
        "accuracy, by sign flips": gained & (table["p_value_by_set"] < 0.05),
        "accuracy, by McNemar": gained & (table["p_value"] < 0.05),
    }
    return {
        claim: (int(held.sum()), len(table), _interval(held.to_numpy(), table["draw"].to_numpy()))
        for claim, held in found.items()
    }


def _interval(held: np.ndarray, draws: np.ndarray) -> Interval:
    alone = wilson_interval(held.sum(), len(held))
    low, high = cluster_interval(held, draws)
    return alone if high <= alone.high else Interval(max(0.0, low), min(1.0, high))


def said_of(path: str | Path) -> str:
    """The claims in a line."""
    told = [
        f"{claim} in {100 * times / n:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
        for claim, (times, n, (low, high)) in claims(path).items()
    ]
    n = len(searches(path))
    return f"{Path(path).stem}: {n} searches on shuffled labels claim\n  " + "\n  ".join(told)


def check_searches(kept: Kept, n_searches: int = 1, seed: int | None = None) -> pd.DataFrame:
    """Makes `n_searches` of the searches again, drawn by `seed` (None: the clock).

    Returns a row a search with `largest`, the largest difference of an accuracy on validation, or,
    where the choice is the same, of the gain or a part of it. Raises ValueError if weights, prompts
    or one of the numbers are others, and what loading the model and the task raises.
    """
    rng = random.Random(seed if seed is not None else time.time_ns())
    wanted = Searches.of(kept)
    model, tokenizer = load_model(kept.said["model"])
    check_same(kept, "weights", about(kept.path)["weights"], weights_digest(model))
    table, rows = searches(kept.path), []
    for number in rng.sample(range(len(table)), min(n_searches, len(table))):
        before = table.iloc[number]
        draw, choice = int(before["draw"]), int(before["choice"])
        prompts, judgements = judged_draw(model, tokenizer, wanted, draw)
        check_same(kept, f"prompts of draw {draw}", before["prompts"], prompts)
        again = _row((draw, choice), prompts, searched(judgements, choice, draw))
        rows.append({"draw": draw, "choice": choice, "largest": _largest(before, again)})
    return the_same(kept, pd.DataFrame(rows), TOLERANCE, "a search made again")


def _largest(before: pd.Series, again: dict[str, Any]) -> float:
    """Where rounding broke a tie the other way, another rate was chosen, and test is another."""
    differences = list(np.abs(before["validation"] - again["validation"]))
    if before["clip_rate"] == again["clip_rate"]:
        differences += [abs(before[name] - again[name]) for name in ("gain", "reading", "lean")]
    return float(max(differences))
