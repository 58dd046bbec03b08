"""A result as a notebook shows it: a table of before and after, with a caption, and the verdict
below it. Taught in chapter 08.
"""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from svdicl_lite.scoring.evaluation import Evaluation

if TYPE_CHECKING:  # results shows itself by this file
    from svdicl_lite.search.results import Comparison

COLUMNS = ("accuracy", "before [95 %]", "after [95 %]", "gain", "balanced before", "after", "n")


def result_html(result: "Comparison") -> str:
    """What was done as the caption, validation and test as rows, and the verdict in full."""
    verdict = result.verdict()
    done = str(result).removesuffix(verdict).splitlines()
    rows = [
        _row("validation", result.validation_before, result.validation_after),
        _row("test", result.test_before, result.test_after),
    ]
    below = "<br>".join(map(escape, verdict.splitlines()))
    return f"{table_html('; '.join(done) or 'before and after', COLUMNS, rows)}<p>{below}</p>"


def _row(name: str, before: Evaluation, after: Evaluation) -> tuple[str, ...]:
    return (
        name,
        _with_interval(before),
        _with_interval(after),
        f"{after.accuracy - before.accuracy:+.3f}",
        f"{before.balanced_accuracy:.3f}",
        f"{after.balanced_accuracy:.3f}",
        f"{after.n:,}",
    )


def _with_interval(outcome: Evaluation) -> str:
    low, high = outcome.accuracy_over_sets or outcome.interval
    return f"{outcome.accuracy:.3f} [{low:.3f}, {high:.3f}]"


def table_html(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column names its rows. Heads have their scope, so that a screen reader
    can say what a cell is of.
    """
    heads = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(_row_html(row) for row in rows)
    return (
        f'<table class="dataframe"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )


def _row_html(row: Sequence[str]) -> str:
    first, *others = map(escape, row)
    cells = "".join(f"<td>{cell}</td>" for cell in others)
    return f'<tr><th scope="row">{first}</th>{cells}</tr>'
