"""Experiments of the sixth kind: what clips do to plain text.

A toml with `kind = "perplexity"` names a model, tasks of which the texts are read as they stand,
without demonstrations, and changes, each a list of clips that are in force together. The parquet
has a row for each task and change, the model as it is first, with the loss of every text, so that
changes can be compared text by text. `perplexities` reads it. Taught in chapter 10.
"""

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from svdicl_lite.models.digest import weights_digest
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.plain_text import PlainTexts
from svdicl_lite.search.cells import Cell
from svdicl_lite.search.committed import Kept, about, outcomes_path
from svdicl_lite.search.computed import check_same, described, the_same, write
from svdicl_lite.search.journal import Journal
from svdicl_lite.search.price import times_perplexity
from svdicl_lite.tasks.loading import load_task

Clips = tuple[Cell, ...]
"""All that is clipped at once; () is the model as it is."""


@dataclass(frozen=True)
class PlainReading:
    """What the toml says is read, and under which changes."""

    tasks: tuple[str, ...]
    n: int
    changes: tuple[Clips, ...]
    max_tokens: int
    split: str = "test"

    @classmethod
    def of(cls, kept: Kept) -> "PlainReading":
        """As the toml says. Raises ValueError for what nobody understands, or what is missing."""
        needed = "tasks", "n", "changes", "max_tokens"
        said = kept.settings(cls, needed, "perplexity")
        try:
            changes = tuple(
                tuple(Cell(int(layer), str(module), float(rate)) for layer, module, rate in clips)
                for clips in said["changes"]
            )
        except (TypeError, ValueError):
            raise ValueError(
                f"{kept.path.name} has other changes than lists of [layer, module, clip rate]"
            ) from None
        return cls(**{**said, "changes": changes})

    def texts(self, tokenizer: Any, task: str) -> PlainTexts:
        """The first `n` texts of the task's split. Raises ValueError for a task of fewer texts, or
        whose examples have no field text.
        """
        split = load_task(task).splits[self.split]
        if "text" not in split.column_names or len(split) < self.n:
            raise ValueError(
                f"{self.n} texts of task {task!r} are wanted, but its {self.split} has {len(split)}"
                f" examples with the fields {', '.join(split.column_names)}"
            )
        return PlainTexts(tokenizer, split.select(range(self.n))["text"], self.max_tokens)


def compute_perplexity(
    kept: Kept, journal_path: Path | None = None, say: Callable[[str], object] = print
) -> Path:
    """Reads every text under every change and writes the parquet, which appears only when all is
    there; what `journal_path` holds is not computed again.

    Raises what loading the model and the tasks raises.
    """
    started = time.time()
    wanted = PlainReading.of(kept)
    model, tokenizer = load_model(kept.said["model"])
    weights = weights_digest(model)
    rows: list[dict[str, Any]] = []
    read = {}
    for task in wanted.tasks:
        texts = wanted.texts(tokenizer, task)
        read[task] = {"digest": _digest(texts), "n_predicted": texts.n_predicted.tolist()}
        path = journal_path and journal_path.with_suffix(f".{task}.jsonl")
        with Journal(path, {"weights": weights, "texts": read[task]["digest"]}) as journal:
            for clips, losses in _losses(model, texts, wanted.changes, journal):
                rows.append({"task": task, "clips": _told(clips), "losses": losses})
        say(f"{kept.path.stem}: {task}, {len(rows)} rows, {time.time() - started:.0f} s")
    write(kept.outcomes, rows, {**described(kept, weights, started), "texts": read}, "losses")
    return kept.outcomes


def _losses(
    model: Any, texts: PlainTexts, changes: tuple[Clips, ...], journal: Journal
) -> Iterator[tuple[Clips, np.ndarray]]:
    """Of the model as it is and of every change; the blocks below a change run once."""
    keys = {clips: {"clips": _told(clips)} for clips in ((), *changes)}
    if any(journal.get(key) is None for key in keys.values()):
        first = {_first(clips) for clips in changes}
        journal.add(keys[()], texts.keep(model, first)[:, None])
    for clips, key in keys.items():
        if journal.get(key) is None:
            with in_force(model, clips):
                journal.add(key, texts.losses(model, _first(clips))[:, None])
        kept = journal.get(key)
        assert kept is not None  # just added, or found
        yield clips, kept[:, 0]


def _first(clips: Clips) -> int:
    return min(cell.layer for cell in clips)


def _told(clips: Clips) -> str:
    return json.dumps([[cell.layer, cell.module, cell.clip_rate] for cell in clips])


@contextmanager
def in_force(model: nn.Module, clips: Clips) -> Iterator[None]:
    """Inside, all of the clips are in force."""
    with ExitStack() as stack:
        for cell in clips:
            stack.enter_context(cell.clip(model).at(cell.clip_rate))
        yield


def _digest(texts: PlainTexts) -> str:
    return sha256(json.dumps(texts.tokens).encode()).hexdigest()[:16]


def perplexities(path: str | Path) -> pd.DataFrame:
    """What was read, a row a task and change: task, clips (a list of [layer, module, clip rate],
    empty for the model as it is), losses (N,) in nats, n_predicted (N,), perplexity; and times,
    low, high, by what the change multiplies it, with a 95 % interval over texts.

    `path` is the toml or the parquet, or the name alone. Raises FileNotFoundError if it was not
    computed, ValueError for a file that is damaged or holds something else.
    """
    from pyarrow import parquet

    path = outcomes_path(path)
    said = about(path)
    if said["said"].get("kind") != "perplexity":
        raise ValueError(f"{path.name} holds no losses of plain texts")
    table: pd.DataFrame = parquet.read_table(path).to_pandas()
    rows = []
    for task, of_task in table.groupby("task", sort=False):
        n = np.array(said["texts"][task]["n_predicted"])
        before = np.asarray(of_task["losses"].iloc[0], dtype=float)
        for row in of_task.itertuples():
            losses = np.asarray(row.losses, dtype=float)
            found = dict(zip(("times", "low", "high"), times_perplexity(before, losses, n)))
            place = {"task": task, "clips": json.loads(row.clips)}
            told = {"losses": losses, "n_predicted": n}
            rows.append({**place, **told, "perplexity": np.exp(losses.sum() / n.sum()), **found})
    return pd.DataFrame(rows)


def check_perplexity(
    kept: Kept, n_rows: int = 1, n_texts: int = 4, seed: int | None = None
) -> pd.DataFrame:
    """Reads a few texts of `n_rows` rows of one task again, drawn by `seed` (None: the clock), one
    text at a time and all blocks of it.

    Returns a row each with `largest`, the largest difference of a text's loss a token. Raises
    ValueError if weights, texts or a loss are others, and what loading the model and the task
    raises.
    """
    rng = random.Random(seed if seed is not None else time.time_ns())
    wanted, said = PlainReading.of(kept), about(kept.path)
    model, tokenizer = load_model(kept.said["model"])
    check_same(kept, "weights", said["weights"], weights_digest(model))
    task = rng.choice(wanted.tasks)
    texts = wanted.texts(tokenizer, task)
    check_same(kept, f"texts of {task}", said["texts"][task]["digest"], _digest(texts))
    table, rows = perplexities(kept.path), []
    table = table[table["task"] == task]
    changes = ((), *wanted.changes)
    for number in rng.sample(range(len(table)), min(n_rows, len(table))):
        row = table.iloc[number]
        drawn = rng.sample(np.flatnonzero(texts.n_predicted).tolist(), n_texts)
        with in_force(model, changes[number]):
            again = [texts.one(model, i) for i in drawn]
        largest = np.abs(row["losses"][drawn] - again) / texts.n_predicted[drawn]
        rows.append({"task": task, "clips": row["clips"], "largest": largest.max()})
    return the_same(kept, pd.DataFrame(rows), what="a text's loss a token computed again")
