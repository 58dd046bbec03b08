"""Computing a committed experiment, and checking some of its cells again. Taught in chapter 15."""

import json
import os
import platform
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from svdicl_lite.models.digest import weights_digest
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.plain import plain_scores
from svdicl_lite.search.cells import Cell, judged
from svdicl_lite.search.committed import Kept, Run, about, outcomes
from svdicl_lite.search.journal import Journal

TOLERANCE = 1e-3  # of a score, in logits: machines add in different orders


def compute(
    kept: Kept, journal_path: Path | None = None, say: Callable[[str], object] = print
) -> Path:
    """Computes every cell and writes the parquet; what `journal_path` holds is not computed again.

    The parquet appears only when all is there. Raises what loading the model and the tasks raises.
    """
    started = time.time()
    model, tokenizer = load_model(kept.said["model"])
    weights = weights_digest(model)
    rows, prompts = [], []
    for number, run in enumerate(kept.runs):
        evaluator = run.evaluator(model, tokenizer)
        labels = evaluator.outcome(np.zeros((run.n, 2), dtype=np.float32)).labels
        known = {"right": labels.tolist(), "sets": evaluator.demonstration_sets.tolist()}
        prompts.append({**run.place, "digest": evaluator.digest, **known})
        path = journal_path and journal_path.with_suffix(f".{number}.jsonl")
        identity = {"weights": weights, "prompts": evaluator.digest}
        with Journal(path, identity) as journal:
            for row in _rows(run, judged(evaluator, run.cells, journal)):
                rows.append(row)
                say(_progress(kept, number, len(rows), time.time() - started))
    write(kept.outcomes, rows, {**described(kept, weights, started), "prompts": prompts}, "scores")
    return kept.outcomes


def _rows(run: Run, outcomes: Iterable[tuple[Cell, Evaluation]]) -> Iterator[dict[str, Any]]:
    for cell, outcome in outcomes:
        scores = np.asarray(outcome.scores, dtype=np.float32)
        where = {key: value for key, value in asdict(cell).items() if key != "expert"}
        yield {**run.place, **where, "n_classes": scores.shape[1], "scores": scores.ravel()}


def _progress(kept: Kept, number: int, done: int, seconds: float) -> str:
    total = sum(len(run.cells) for run in kept.runs)
    return (
        f"{kept.path.stem}: {done} of {total} cells, run {number + 1} of {len(kept.runs)},"
        f" {seconds:.0f} s"
    )


def described(kept: Kept, weights: str, started: float) -> dict[str, Any]:
    """What a parquet says of itself, whatever it holds; `started` by the clock."""
    return {
        "said": kept.said,
        "weights": weights,
        "versions": _versions(),
        "machine": _machine(),
        "seconds": round(time.time() - started),
    }


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("svdicl-lite", "torch", "transformers", "numpy")}


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, python {platform.python_version()}"


def write(path: Path, rows: list[dict[str, Any]], about: dict[str, Any], column: str) -> None:
    """Writes the rows, arrays of float32 in `column`, all at once or not at all."""
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.Table.from_pylist([{**row, column: row[column].tolist()} for row in rows])
    arrays = table.column(column).cast(pa.list_(pa.float32()))
    table = table.set_column(table.schema.get_field_index(column), column, arrays)
    table = table.replace_schema_metadata({"svdicl": json.dumps(about)})
    part = path.with_suffix(".part")
    parquet.write_table(table, part, compression="zstd", use_byte_stream_split=False)
    part.replace(path)


def spot_check(
    kept: Kept, n_cells: int = 2, n_examples: int = 4, seed: int | None = None
) -> pd.DataFrame:
    """Computes a few examples under `n_cells` cells of one run again, drawn by `seed` (None: by the
    clock), by the plain path: one full forward a prompt.

    Returns a row a cell with the largest difference of a score. Raises ValueError if weights or
    prompts are others than those that were judged, or a score differs by more than 1e-3; and what
    loading the model and the task raises.
    """
    rng = random.Random(seed if seed is not None else time.time_ns())
    said, run = about(kept.path), rng.choice(kept.checkable)
    model, tokenizer = load_model(kept.said["model"])
    evaluator = run.evaluator(model, tokenizer)
    prompts = next(p for p in said["prompts"] if all(p[key] == run.place[key] for key in run.place))
    check_same(kept, "weights", said["weights"], weights_digest(model))
    check_same(kept, f"prompts of {run.task}", prompts["digest"], evaluator.digest)
    table, rows = outcomes(kept.path, **run.place), []
    for cell in rng.sample(run.cells, min(n_cells, len(run.cells))):
        number = rng.randrange(len(evaluator.groups))
        with cell.clip(model, evaluator).at(cell.clip_rate):
            again, index = some_again(evaluator, number, n_examples, rng)
        names = ("clip_rate", "layer", "module", "method")
        same = np.logical_and.reduce([table[name] == getattr(cell, name) for name in names])
        before = table[same]["evaluation"].iloc[0]
        of_set = before.scores[before.demonstration_sets == number][index]
        rows.append({**run.place, **asdict(cell), "largest": np.abs(of_set - again).max()})
    return the_same(kept, pd.DataFrame(rows))


OTHER = "the code gives other numbers now: `make experiments` computes it anew"


def the_same(
    kept: Kept,
    found: pd.DataFrame,
    tolerance: float = TOLERANCE,
    what: str = "a score computed again",
    of: str = "",
) -> pd.DataFrame:
    """`found`, a row for each thing that was computed again, if none of its `largest` differences
    is more than `tolerance`, which another machine may give. Raises ValueError otherwise.
    """
    if (worst := found["largest"].max()) > tolerance:
        raise ValueError(
            f"{kept.path.stem}: {what} differs by {worst:.2g}{of}, more than {tolerance:g}; {OTHER}"
        )
    return found


def some_again(
    evaluator: ICLEvaluator, number: int, n_examples: int, rng: random.Random
) -> tuple[np.ndarray, list[int]]:
    """Scores (n_examples, C) of some prompts of set `number` by the model as it is now, one full
    forward a prompt, and which they are.
    """
    prompts = evaluator.groups[number]
    size = len(prompts.labels)
    index = rng.sample(range(size), min(n_examples, size))
    few = prompts._replace(
        contexts=[prompts.contexts[i] for i in index],
        continuations=[prompts.continuations[i] for i in index],
        labels=[prompts.labels[i] for i in index],
    )
    return plain_scores(evaluator.model, few), index


def check_same(kept: Kept, what: str, before: str, now: str) -> None:
    """Raises ValueError unless two digests of `what` are one."""
    if before != now:
        raise ValueError(
            f"{kept.path.stem} was computed with other {what} (digest {before}, now {now});"
            " compute it again with `make experiments`"
        )
