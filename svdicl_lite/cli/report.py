"""What the command line shows and writes: tables, JSON, and a row for every example.

Taught in chapter 13.
"""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from svdicl_lite import __version__
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.search.experiment import Experiment
from svdicl_lite.search.journal import Journal
from svdicl_lite.search.results import Comparison


@dataclass
class Report:
    """`document` is what --json prints, `rows` and `note` are what a reader sees, `outcomes` what
    outcomes.csv lists.
    """

    document: dict
    rows: list[dict]  # of the table, one column a key
    note: str = ""
    outcomes: list[tuple[dict, Evaluation]] = field(default_factory=list)

    def show(self, command: str, seconds: float, as_json: bool, out: Path | None) -> None:
        """Prints the report, and writes result.json and outcomes.csv into the folder `out`."""
        document = {"command": command, "version": __version__, **self.document, "seconds": seconds}
        text = json.dumps(_plain(document), indent=2, ensure_ascii=False, allow_nan=False)
        if as_json:
            print(text)
        else:
            self._print_table()
        if out is not None:
            (out / "result.json").write_text(text + "\n", encoding="utf-8")
            if self.outcomes:
                _examples(self.outcomes).to_csv(out / "outcomes.csv", index=False)

    def _print_table(self) -> None:
        from rich.console import Console
        from rich.table import Table

        console = Console(highlight=False, markup=False)
        if not console.is_terminal:
            console.width = 200  # in a file or a pipe nothing is cut off
        if self.rows:
            table = Table(*map(str, self.rows[0]))
            for row in self.rows:
                table.add_row(*map(_cell, row.values()))
            console.print(table)
        if self.note:
            console.print(self.note, soft_wrap=True)


def experiment_row(experiment: Experiment) -> dict:
    """The recipe, with what "auto" means here."""
    return asdict(experiment.here())


def judged_row(outcome: Evaluation) -> dict:
    """n, accuracy, its 95 % interval by Wilson, balanced accuracy."""
    low, high = outcome.interval
    return {
        "n": outcome.n,
        "accuracy": outcome.accuracy,
        "low": low,
        "high": high,
        "balanced_accuracy": outcome.balanced_accuracy,
    }


def compared_row(result: Comparison) -> dict:
    """What a search found, on validation and on test. The test by sets of demonstrations takes two
    of them at least.
    """
    low, high = result.gain_interval
    several = len(result.gain_by_set) > 1
    return {
        "validation_before": judged_row(result.validation_before),
        "validation_after": judged_row(result.validation_after),
        "validation_gain": result.validation_gain,
        "test_before": judged_row(result.test_before),
        "test_after": judged_row(result.test_after),
        "test_gain": result.test_gain,
        "test_gain_low": low,
        "test_gain_high": high,
        "p_value": result.p_value,
        "optimism": result.optimism,
        "test_gain_by_set": result.gain_by_set.tolist(),
        "p_value_by_set": result.p_value_by_set if several else None,
    }


def by_set(result: Comparison) -> str:
    """A line more for a verdict on several sets of demonstrations."""
    if len(result.gain_by_set) == 1:
        return ""
    gains = " ".join(f"{gain:+.3f}" for gain in result.gain_by_set)
    return f"\ngain by set of demonstrations {gains}, sign-flip p = {result.p_value_by_set:.2g}"


def interval(row: dict) -> str:
    """accuracy [low, high] for a table."""
    return f"{row['accuracy']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def by_rate(cells: list[dict]) -> list[dict]:
    """The cells of a sweep as a table with a column for each rate."""
    rows: dict[tuple, dict] = {}
    for cell in cells:
        row = rows.setdefault(
            (cell["module"], cell["layer"]), {"module": cell["module"], "layer": cell["layer"]}
        )
        row[f"ξ = {cell['clip_rate']:g}"] = cell["accuracy"]
    return list(rows.values())


def partial(journal: Journal | None, judges: dict[str, Callable]) -> Report:
    """What was finished when the search was broken off, as far as the evaluators that `judges` make
    have judged it.

    A journal may hold more: the test of a search that came before this sweep, on other prompts
    perhaps.
    """
    cells = []
    for key, scores in journal.entries() if journal is not None else ():
        judge = key.get("judge") or key["split"]
        if judge not in judges or judges[judge]().digest != key["prompts"]:
            continue
        where = {name: key[name] for name in ("layer", "module", "clip_rate") if name in key}
        after = {"clips_before": len(key["after"])} if "after" in key else {}
        cells.append(
            {"judge": judge, **after, **where, **judged_row(judges[judge]().outcome(scores))}
        )
    rows = [
        {
            **{name: cell.get(name) for name in ("judge", "layer", "module", "clip_rate")},
            "accuracy": interval(cell),
            "n": cell["n"],
        }
        for cell in cells
    ]
    return Report(
        {"interrupted": True, "cells": cells}, rows, f"broken off; {len(cells)} cells are finished"
    )


def _examples(outcomes: list[tuple[dict, Evaluation]]) -> pd.DataFrame:
    """One row for every example under every outcome: what was done, and the right class, the answer
    and the scores.
    """
    parts = []
    for what, outcome in outcomes:
        columns = {
            **what,
            "example": np.arange(outcome.n),
            "demonstration_set": (
                0 if outcome.demonstration_sets is None else outcome.demonstration_sets
            ),
            "label": outcome.labels,
            "prediction": outcome.predictions,
            "correct": outcome.correct,
            **{f"score_{c}": outcome.scores[:, c] for c in range(outcome.scores.shape[1])},
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def _plain(value):
    """As JSON has it, where neither infinity nor NaN is a number."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
