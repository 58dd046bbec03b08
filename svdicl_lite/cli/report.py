"""What a command has found: as a table, as JSON, and with a row for every example.

Taught in chapter 15.
"""

import io
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from svdicl_lite import __version__
from svdicl_lite.cli.output import encodable, show, write_whole
from svdicl_lite.cli.rows import interval, judged_row
from svdicl_lite.cli.tables import Rows, column_width, fitted
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.journal import Journal

FILES = ("result.json", "outcomes.csv")
"""What `--out` holds."""


@dataclass
class Report:
    """`document` is what --json prints, `rows` and `note` are what a reader sees, `outcomes` what
    outcomes.csv lists.
    """

    document: dict[str, Any]
    rows: list[dict[str, Any]]  # of the table, one column a key
    note: str = ""
    outcomes: list[tuple[dict[str, Any], Evaluation]] = field(default_factory=list)
    n_keys: int = 1  # columns that name a row

    def deliver(self, command: str, seconds: float, as_json: bool, out: Path | None) -> None:
        """Writes result.json and outcomes.csv into the folder `out`, then prints the report; prints
        it too if they cannot be written, and raises that OSError afterwards.
        """
        document = {"command": command, "version": __version__, **self.document, "seconds": seconds}
        plain = _plain(document)
        text = json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)
        failed = None
        if out is not None:
            try:
                self._write(out, text)
            except OSError as error:
                failed = error
        if as_json:
            is_shown = encodable(text, sys.stdout.encoding) == text
            show(text if is_shown else json.dumps(plain, indent=2, allow_nan=False))
        else:
            show(self._table())
        if failed is not None:
            raise failed

    def _write(self, out: Path, text: str) -> None:
        write_whole(out / "result.json", text + "\n")
        if self.outcomes:
            write_whole(out / "outcomes.csv", examples(self.outcomes).to_csv(index=False))

    def _table(self) -> str:
        from rich.console import Console

        terminal = Console()
        page = _Page(sys.stdout.encoding)
        console = Console(
            file=page,
            # in a file or a pipe nothing is cut off
            width=terminal.width if terminal.is_terminal else 200,
            force_terminal=terminal.is_terminal,
            color_system=terminal.color_system,  # type: ignore[arg-type]
            highlight=False,
            markup=False,
        )
        say = lambda text: encodable(text, page.encoding)
        rows = [{say(name): say(_cell(row[name])) for name in row} for row in self.rows]
        for part in fitted(rows, console.width, self.n_keys) if rows else ():
            console.print(_drawn(part))
        if self.note:
            console.print(say(self.note), soft_wrap=True)
        return page.getvalue().removesuffix("\n")


class _Page(io.StringIO):
    """Text that is kept until the files are written, drawn in the letters of stdout."""

    def __init__(self, encoding: str | None):
        super().__init__()
        self._encoding = encoding or "utf-8"

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


def _drawn(rows: Rows) -> Any:
    from rich.table import Table

    table = Table()
    for name in rows[0]:
        table.add_column(name, min_width=column_width(rows, name))
    for row in rows:
        table.add_row(*row.values())
    return table


def partial(journal: Journal | None, judges: dict[str, Callable[[], ICLEvaluator]]) -> Report:
    """What was finished when the search was interrupted, as far as the evaluators that `judges`
    make have judged it.

    A journal may hold more: the test of a search that came before this sweep, on other prompts
    perhaps.
    """
    cells = []
    for key, scores in journal.entries() if journal is not None else ():
        judge = key.get("judge") or key["split"]
        if judge not in judges or judges[judge]().digest != key["prompts"]:
            continue
        cell = {"judge": judge}
        if "after" in key:
            cell["clips_before"] = len(key["after"])
        for name in ("layer", "module", "clip_rate"):
            if name in key:
                cell[name] = key[name]
        cells.append({**cell, **judged_row(judges[judge]().outcome(scores))})
    names = ("judge", "layer", "module", "clip_rate")
    rows = [
        {
            **{name: cell.get(name) for name in names},
            "accuracy": interval(cell),
            "n": cell["n"],
        }
        for cell in cells
    ]
    note = f"interrupted; {len(cells)} cells are finished"
    return Report({"interrupted": True, "cells": cells}, rows, note, n_keys=len(names))


def examples(outcomes: list[tuple[dict[str, Any], Evaluation]]) -> pd.DataFrame:
    """One row for every example under every outcome: what was done, and the right class, the answer
    and the scores.
    """
    parts = []
    for what, outcome in outcomes:
        sets = outcome.demonstration_sets
        columns = {
            **what,
            "example": np.arange(outcome.n),
            "demonstration_set": 0 if sets is None else sets,
            "label": outcome.labels,
            "prediction": outcome.predictions,
            "correct": outcome.correct,
        }
        for c in range(outcome.scores.shape[1]):
            columns[f"score_{c}"] = outcome.scores[:, c]
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def _plain(value: Any) -> Any:
    """As JSON has it, where neither infinity nor NaN is a number."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
