"""Experiments of the fifth kind: greedy searches over several layers, each beside the best single
clip of the same places.

A toml with `kind = "greedy"` names a model, tasks, layers, modules and clip rates. Of each task the
greedy search and every clip by itself are judged on validation; the model as it is, the best single
clip and what the greedy search kept are judged once on test. The parquet has a row for each of
these, which `committed.outcomes` reads: `search` is "greedy" or "single", and `clips` tells all
that was clipped, the row's own clip last. Taught in chapter 08.
"""

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from transformers import PreTrainedModel

from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.models.digest import weights_digest
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.cells import Cell, judged
from svdicl_lite.search.committed import Kept, about, outcomes
from svdicl_lite.search.computed import check_same, described, some_again, the_same, write
from svdicl_lite.search.greedy import greedy_search
from svdicl_lite.search.journal import Journal
from svdicl_lite.tasks.loading import load_task

Clips = tuple[Cell, ...]
"""All that is clipped at once; () is the model as it is."""


@dataclass(frozen=True)
class GreedySearches:
    """What the toml says of all its searches."""

    tasks: tuple[str, ...]
    layers: tuple[int, ...]
    n_validation: int
    n_test: int
    seeds: tuple[int, ...]
    modules: tuple[str, ...] = ("mlp", "attn")
    clip_rates: tuple[float, ...] = CLIP_RATES
    labels: str = "canonical"
    n_shots: int = 8
    batch_size: int = 16

    @classmethod
    def of(cls, kept: Kept) -> "GreedySearches":
        """As the toml says. Raises ValueError for what nobody understands, or what is missing."""
        needed = "tasks", "layers", "n_validation", "n_test", "seeds"
        return cls(**kept.settings(cls, needed, "greedy searches"))

    def evaluator(
        self, model: PreTrainedModel, tokenizer: Any, task: str, split: str
    ) -> ICLEvaluator:
        """The judge of one task on one split."""
        n = {"validation": self.n_validation, "test": self.n_test}[split]
        sizes = n, self.n_shots, self.seeds, self.batch_size
        return ICLEvaluator(model, tokenizer, load_task(task, self.labels), split, *sizes)

    def place(self, task: str, split: str) -> dict[str, Any]:
        """What tells the rows of one task and split from the others."""
        return {"task": task, "labels": self.labels, "split": split, "n_shots": self.n_shots}

    @property
    def singles(self) -> list[Cell]:
        """Every clip of the places that the greedy search goes through."""
        return [
            Cell(layer, module, float(rate))
            for layer in self.layers
            for module in self.modules
            for rate in self.clip_rates
            if rate > 0
        ]


def compute_greedy(
    kept: Kept, journal_path: Path | None = None, say: Callable[[str], object] = print
) -> Path:
    """Searches every task and writes the parquet, which appears only when all is there; what
    `journal_path` holds is not computed again.

    Raises what loading the model and the tasks raises.
    """
    started = time.time()
    wanted = GreedySearches.of(kept)
    model, tokenizer = load_model(kept.said["model"])
    weights = weights_digest(model)
    rows: list[dict[str, Any]] = []
    asked = []
    for task in wanted.tasks:
        judges = {s: wanted.evaluator(model, tokenizer, task, s) for s in ("validation", "test")}
        digests = {split: judge.digest for split, judge in judges.items()}
        for split, judge in judges.items():
            right = [int(label) for prompts in judge.groups for label in prompts.labels]
            sets = judge.demonstration_sets.tolist()
            known = {"digest": judge.digest, "right": right, "sets": sets}
            asked.append({**wanted.place(task, split), **known})
        path = journal_path and journal_path.with_suffix(f".{task}.jsonl")
        with Journal(path, {"weights": weights, **digests}) as journal:
            for split, search, clips, scores in _searched(wanted, model, judges, journal):
                rows.append(_row(wanted.place(task, split), search, clips, scores))
        say(f"{kept.path.stem}: {task}, {len(rows)} rows, {time.time() - started:.0f} s")
    more = {**described(kept, weights, started), "prompts": asked}
    write(kept.outcomes, rows, more, "scores")
    return kept.outcomes


def _searched(
    wanted: GreedySearches,
    model: PreTrainedModel,
    judges: dict[str, ICLEvaluator],
    journal: Journal,
) -> Iterator[tuple[str, str, Clips, np.ndarray]]:
    """(split, search, what was clipped, scores) of all that is judged of one task."""
    validation, test = judges["validation"], judges["test"]
    best: tuple[float, Clips] = 0.0, ()
    for cell, outcome in judged(validation, wanted.singles, journal):
        yield "validation", "single", (cell,), outcome.scores
        if outcome.accuracy > best[0]:  # the first of equals, from the first layer on
            best = outcome.accuracy, (cell,)
    where = wanted.modules, wanted.layers, wanted.clip_rates
    found = greedy_search(model, validation, test, *where, journal=journal)
    steps = tuple(step.cell for step in found.steps)
    for key, scores in list(journal.entries()):
        if key.get("judge") == "validation":  # what the greedy search tried, in its order
            own = {name: key[name] for name in ("layer", "module", "clip_rate")}
            behind = tuple(Cell(**cell) for cell in key["after"])
            yield "validation", "greedy", _with(behind, Cell(**own)), scores
    for cell, outcome in judged(test, best[1], journal):
        yield "test", "single", (cell,), outcome.scores
    yield "test", "greedy", (), found.test_before.scores
    if steps:
        yield "test", "greedy", steps, found.test_after.scores


def _with(behind: Clips, cell: Cell) -> Clips:
    return (*behind, cell) if cell.clip_rate else behind


def _row(place: dict[str, Any], search: str, clips: Clips, scores: np.ndarray) -> dict[str, Any]:
    """Layer, module and rate are those of the last clip."""
    last = clips[-1] if clips else Cell(0, "mlp", 0.0)
    told = [[cell.layer, cell.module, cell.clip_rate] for cell in clips]
    where = {"layer": last.layer, "module": last.module, "clip_rate": last.clip_rate}
    row = {**place, "search": search, **where, "method": last.method, "clips": json.dumps(told)}
    scores = np.asarray(scores, dtype=np.float32)
    return {**row, "n_classes": scores.shape[1], "scores": scores.ravel()}


def clips_of(row: pd.Series) -> Clips:
    """What was clipped in a row that `committed.outcomes` returns, in the order it was kept."""
    return tuple(Cell(int(layer), module, rate) for layer, module, rate in json.loads(row["clips"]))


def check_greedy(
    kept: Kept, n_cells: int = 1, n_examples: int = 4, seed: int | None = None
) -> pd.DataFrame:
    """Judges a few examples of `n_cells` rows of one task and split again, drawn by `seed` (None:
    the clock), with all clips of the row in force, by the plain path.

    Returns a row each with `largest`, the largest difference of a score. Raises ValueError if
    weights, prompts or a score are others, and what loading the model and the task raises.
    """
    rng = random.Random(seed if seed is not None else time.time_ns())
    wanted, said = GreedySearches.of(kept), about(kept.path)
    model, tokenizer = load_model(kept.said["model"])
    check_same(kept, "weights", said["weights"], weights_digest(model))
    task, split = rng.choice(wanted.tasks), rng.choice(("validation", "test"))
    evaluator = wanted.evaluator(model, tokenizer, task, split)
    place = wanted.place(task, split)
    prompts = next(p for p in said["prompts"] if all(p[key] == place[key] for key in place))
    check_same(kept, f"prompts of {task}", prompts["digest"], evaluator.digest)
    table, rows = outcomes(kept.path, **place), []
    for number in rng.sample(range(len(table)), min(n_cells, len(table))):
        row = table.iloc[number]
        group = rng.randrange(len(evaluator.groups))
        with ExitStack() as in_force:
            for cell in clips_of(row):
                in_force.enter_context(cell.clip(model).at(cell.clip_rate))
            again, index = some_again(evaluator, group, n_examples, rng)
        before = row["evaluation"]
        of_set = before.scores[before.demonstration_sets == group][index]
        largest = np.abs(of_set - again).max()
        rows.append({**place, "search": row["search"], "clips": row["clips"], "largest": largest})
    return the_same(kept, pd.DataFrame(rows))
