"""Experiments that are kept: a small file that says what is computed, and its outcomes beside it.

`experiments/NAME.toml` names a model, and runs: a task, a split, how many examples after how many
demonstrations, and the cells (layers × modules × clip rates × methods, or `cells` one by one).
Hypothesis and analysis stand in it before anything is computed. `experiments/NAME.parquet` has a
row for each cell with the scores of every example, and says of which weights, prompts and code they
are. So a book can rest on hours of computing that anybody can check in a minute: `spot_check`
computes some cells again. Taught in chapter 15.
"""

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from transformers import PreTrainedModel

from svdicl_lite.models import smollm2
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.cells import Cell
from svdicl_lite.search.toml_values import check_values
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.real import is_real, texts_are_here

SAID = ("title", "hypothesis", "analysis", "model")  # what every experiment must say
# What one can be of; all but the first have a file of their own, such as `committed_spectra`.
KINDS = ("cells", "spectra", "shuffled", "rules", "greedy", "perplexity")
READERS = {  # of the kinds that hold no outcomes
    "spectra": "spectra", "shuffled": "searches", "rules": "rule_scores",
    "perplexity": "perplexities",
}  # fmt: skip
# Where an experiment is looked for by its name alone, whatever folder a notebook runs in.
FOLDERS = (
    Path("experiments"),
    Path("../experiments"),
    Path(__file__).parents[2] / "experiments",
)
RUN = {  # what a run may say → its default; None must be said, in the run or for all runs
    "task": None, "labels": "canonical", "split": "validation", "n": None, "n_shots": 8,
    "seeds": None, "layers": [], "modules": ["mlp", "attn"], "clip_rates": [],
    "methods": ["svd"], "cells": [], "batch_size": 16,
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One task and split of an experiment, and the cells that are judged on it."""

    task: str
    labels: str
    split: str
    n: int
    n_shots: int
    seeds: tuple[int, ...]
    cells: tuple[Cell, ...]  # the model without a clip comes first
    batch_size: int

    @property
    def place(self) -> dict[str, Any]:
        """What tells this run's rows in the table from those of the others."""
        return {
            "task": self.task,
            "labels": self.labels,
            "split": self.split,
            "n_shots": self.n_shots,
        }

    def evaluator(self, model: PreTrainedModel, tokenizer: Any) -> ICLEvaluator:
        """The judge of this run. Raises what `load_task` and `ICLEvaluator` raise."""
        task = load_task(self.task, self.labels)
        return ICLEvaluator(
            model, tokenizer, task, self.split, self.n, self.n_shots, self.seeds, self.batch_size
        )


@dataclass(frozen=True)
class Kept:
    """An experiment as its toml says it."""

    path: Path
    said: dict[str, Any]
    runs: tuple[Run, ...]

    def settings(self, wanted: type, needed: Sequence[str], what: str) -> dict[str, Any]:
        """What the toml of one kind says besides what all of them say, lists as tuples: the fields
        of the dataclass `wanted`. `what` names the kind.

        Raises ValueError for what is no such field, or for a missing one that is `needed`.
        """
        known = [field.name for field in fields(wanted)]
        said = {key: value for key, value in self.said.items() if key not in (*SAID, "kind")}
        if unknown := [key for key in said if key not in known]:
            raise ValueError(
                f"{self.path.name} says {unknown[0]!r}, but of {what} it may say {', '.join(known)}"
            )
        if missing := [key for key in needed if not said.get(key)]:
            raise ValueError(f"{self.path.name} does not say {missing[0]!r}, needed for {what}")
        return {key: tuple(v) if isinstance(v, list) else v for key, v in said.items()}

    @classmethod
    def read(cls, path: str | Path) -> "Kept":
        """Reads a toml. Raises FileNotFoundError, or ValueError for one that says too little, or
        what nobody understands.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"there is no experiment {str(path)!r}")
        try:
            said = tomllib.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path.name} is not TOML ({error})") from None
        if missing := [key for key in SAID if not said.get(key)]:
            raise ValueError(f"{path.name} does not say {missing[0]!r}; it needs {', '.join(SAID)}")
        check_values(path.name, said)
        kind = said.get("kind", KINDS[0])
        if kind not in KINDS:
            raise ValueError(f"{path.name} says kind {kind!r}, but it is one of {', '.join(KINDS)}")
        if kind == "spectra":
            return cls._of_spectra(path, said)
        if kind in ("shuffled", "rules", "greedy", "perplexity"):
            return cls(path, said, ())
        shared = {key: value for key, value in said.items() if key not in (*SAID, "kind", "runs")}
        runs = tuple(_run(path, {**shared, **run}) for run in said.get("runs") or [{}])
        places = [tuple(run.place.values()) for run in runs]
        if len(set(places)) < len(places):
            raise ValueError(f"{path.name} has two runs of one task, labels, split and n_shots")
        return cls(path, said, runs)

    @classmethod
    def _of_spectra(cls, path: Path, said: dict[str, Any]) -> "Kept":
        if more := [key for key in said if key not in (*SAID, "kind")]:
            raise ValueError(
                f"{path.name} says {more[0]!r}, but spectra are of all matrices of a model and have"
                f" nothing to say but {', '.join(SAID)} and kind"
            )
        return cls(path, said, ())

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return str(self.said.get("kind", KINDS[0]))

    @property
    def checkable(self) -> tuple[Run, ...]:
        """The runs of which model and texts are on this machine: a check fetches nothing."""
        if self.said["model"] == smollm2.NAME and not smollm2.is_here():
            return ()
        return tuple(run for run in self.runs if not is_real(run.task) or texts_are_here(run.task))

    @property
    def outcomes(self) -> Path:
        """Where its outcomes lie."""
        return self.path.with_suffix(".parquet")


def _run(path: Path, said: dict[str, Any]) -> Run:
    if unknown := [key for key in said if key not in RUN]:
        raise ValueError(f"{path.name} says {unknown[0]!r}, but a run may say {', '.join(RUN)}")
    full = {**RUN, **said}
    if missing := [key for key, value in full.items() if value is None]:
        raise ValueError(f"{path.name} does not say {missing[0]!r} of a run")
    check_values(path.name, said)
    if full["clip_rates"] and not full["layers"]:
        raise ValueError(f"{path.name} says clip_rates without the layers that are to be clipped")
    cells = [Cell(layer=(full["layers"] or [0])[0], module=full["modules"][0], clip_rate=0.0)]
    cells += [_cell(path, said) for said in full["cells"]]
    cells += [
        Cell(layer, module, float(rate), method=method)
        for method in full["methods"]
        for module in full["modules"]
        for layer in full["layers"]
        for rate in full["clip_rates"]
        if rate > 0
    ]
    return Run(
        full["task"], full["labels"], full["split"], full["n"], full["n_shots"],
        tuple(full["seeds"]), tuple(cells), full["batch_size"],
    )  # fmt: skip


def _cell(path: Path, said: Any) -> Cell:
    """A cell that a run names by itself: [layer, module, clip rate], or with a method after."""
    try:
        layer, module, rate, *method = said
        return Cell(int(layer), str(module), float(rate), method=str(*method) or "svd")
    except (TypeError, ValueError):
        raise ValueError(
            f"{path.name} names the cell {said!r}, but a cell is [layer, module, clip rate] or"
            " [layer, module, clip rate, method]"
        ) from None


def about(path: str | Path) -> dict[str, Any]:
    """What a parquet says of itself: said, weights, prompts, versions, machine, seconds."""
    from pyarrow import parquet

    path = outcomes_path(path)
    try:
        return cast(dict[str, Any], json.loads(parquet.read_schema(path).metadata[b"svdicl"]))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path.name} holds no outcomes of an experiment ({type(error).__name__}); compute it"
            " again with `make experiments`"
        ) from None


def outcomes(path: str | Path, **wanted: object) -> pd.DataFrame:
    """The outcomes of a committed experiment, a row a cell, its `Evaluation` in the last column.

    `path` is the toml or the parquet, or the name alone. `wanted` keeps rows by columns: task,
    labels, split, n_shots, layer, module, clip_rate, method, seed. The rows of the model without a
    clip have clip_rate 0, and are kept whatever layer, module or method is wanted. Raises
    FileNotFoundError if it was not computed, ValueError for a file that is damaged or a column that
    does not exist.
    """
    from pyarrow import parquet

    if "prompts" not in (said := about(path)):
        kind = said["said"].get("kind", "spectra")
        reader = READERS[kind]
        raise ValueError(f"{Path(path).stem} holds {reader}, not outcomes; `{reader}` reads it")
    known = {tuple(place.values())[:4]: place for place in said["prompts"]}
    table: pd.DataFrame = parquet.read_table(outcomes_path(path)).to_pandas()
    for column, value in wanted.items():
        if column not in table:
            raise ValueError(f"there is no column {column!r}; there are {', '.join(table.columns)}")
        unclipped = column in ("layer", "module", "method", "seed") and table["clip_rate"] == 0
        table = table[(table[column] == value) | unclipped]
    if table.empty:
        raise ValueError(f"{Path(path).stem} has no outcome with {wanted}")
    judged = pd.Series([_evaluation(row, known) for row in table.itertuples()], dtype=object)
    return table.drop(columns=["scores"]).reset_index(drop=True).assign(evaluation=judged)


def _evaluation(row: Any, known: dict[tuple[Any, ...], dict[str, Any]]) -> Evaluation:
    place = known[row.task, row.labels, row.split, row.n_shots]
    scores = np.asarray(row.scores, dtype=np.float32).reshape(-1, row.n_classes)
    return Evaluation(scores, np.array(place["right"]), np.array(place["sets"]))


def kept_file(path: str | Path) -> Path:
    """The file itself, or, for a name without a folder, the one of that name among the kept
    experiments. What is nowhere comes back as it was.
    """
    path = Path(path)
    if path.is_file() or len(path.parts) > 1:
        return path
    return next((folder / path for folder in FOLDERS if (folder / path).is_file()), path)


def outcomes_path(path: str | Path) -> Path:
    """The parquet of an experiment. Raises FileNotFoundError if it was not computed."""
    path = kept_file(Path(path).with_suffix(".parquet"))
    if not path.is_file():
        raise FileNotFoundError(
            f"the experiment {path.stem!r} has no outcomes yet; `make experiments` computes them"
        )
    return path


def stale(kept: Kept) -> str:
    """Why the outcomes must be computed (again), in a few words; "" if they fit the toml.

    Compared is what the toml says, title, hypothesis and analysis apart. Whether weights, prompts
    and code still give these numbers is what `spot_check` finds out.
    """
    if not kept.outcomes.is_file():
        return "not computed"
    words = ("title", "hypothesis", "analysis")
    before, now = (
        {key: value for key, value in said.items() if key not in words}
        for said in (about(kept.path)["said"], kept.said)
    )
    return "" if before == now else "its toml says something else than its outcomes"
