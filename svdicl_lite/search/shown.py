"""A result as a notebook shows it: the verdict in a sentence, and a table of before, after and
change. Taught in chapter 08.
"""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from svdicl_lite.numbers import estimate, gain, number, p_value, points, tidy
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.search import verdict

if TYPE_CHECKING:  # they show themselves by this file
    from svdicl_lite.search.kept import KeptClip
    from svdicl_lite.search.results import Comparison

COLUMNS = ("", "before", "after", "change, points")
MEASURES = ("calibrated accuracy", "balanced accuracy", "imbalance")


def result_html(result: "Comparison", before: str = "") -> str:
    """The verdict's sentence, HTML to stand `before` the table, the table, and notes."""
    found = _sentence(verdict.sentence(result))
    n_sets = len(result.gain_by_set)
    after = "one set" if n_sets == 1 else f"{n_sets} sets"
    on = "judged on test, " if result.has_validation else ""
    on += f"n = {result.test_after.n:,} after {after} of demonstrations"
    table = table_html(f"{result.done}, {on}", COLUMNS, _rows(result))
    notes = " ".join(map(_sentence, _notes(result)))
    return f"<p><strong>{found}</strong></p>{before}{table}<p><small>{notes}</small></p>"


def _rows(result: "Comparison") -> list[Sequence[str]]:
    before, after = result.test_before, result.test_after
    total, reading, lean = (
        estimate(value, ends, 1, signed=True) for value, ends in verdict.parts(result).values()
    )
    change, over = result.discrimination_gain, result.discrimination_gain_over_sets
    rows: list[Sequence[str]] = [
        ("accuracy", _accuracy(before), _accuracy(after), total),
        ("of the gain: reading", "", "", reading),
        ("of the gain: lean", "", "", lean),
        (
            "discrimination",
            _discrimination(before),
            _discrimination(after),
            gain(change, over) if over else points(change),
        ),
    ]
    for name in MEASURES:
        pair = [getattr(outcome, name.replace(" ", "_")) for outcome in (before, after)]
        rows.append((name, *(number(value, 3) for value in pair), points(pair[1] - pair[0])))
    if result.has_validation:
        pair = [_accuracy(result.validation_before), _accuracy(result.validation_after)]
        n = f"validation accuracy, n = {result.validation_after.n:,}"
        rows.append((n, *pair, points(result.validation_gain)))
    return rows


def _accuracy(outcome: Evaluation) -> str:
    return estimate(outcome.accuracy, outcome.accuracy_over_sets or outcome.interval)


def _discrimination(outcome: Evaluation) -> str:
    over = outcome.discrimination_over_sets
    return estimate(outcome.discrimination, over) if over else number(outcome.discrimination, 3)


def _notes(result: "Comparison") -> list[str]:
    before, after = result.test_before, result.test_after
    here = gain(result.test_gain, result.gain_interval)
    of_pairs = p_value(result.p_value, "McNemar p")
    notes = [f"for these demonstrations only: {here} points, {of_pairs}"]
    if result.gain_over_sets is None:
        notes = [
            f"intervals are for these demonstrations only; {of_pairs}",
            verdict.too_few(result),
        ]
    else:
        notes = [f"intervals are over sets of demonstrations; {verdict.sign_flips(result)}", *notes]
    shares = (" ".join(number(share, 2) for share in side.shares) for side in (before, after))
    majority = number(after.majority_accuracy, 3)
    notes += [
        f"chance is {1 / after.n_classes:.3g}, always the commonest label {majority}",
        f"labels' shares of the answers: {' → '.join(shares)}",
    ]
    if result.has_validation:
        optimism = points(result.optimism)
        notes.append(f"optimism {f'{optimism} points' if optimism.strip('+−0.') else '0'}")
    return [*notes, tidy(result.counted)]


def _sentence(text: str) -> str:
    """With a capital, but for p, and a full stop."""
    begins = text if text.startswith("p ") else text[0].upper() + text[1:]
    return escape(f"{begins}.", quote=False)


def steps_html(steps: Sequence["KeptClip"]) -> str:
    """The clips that a greedy search kept, in order; nothing if there is none."""
    if not steps:
        return ""
    columns = ["", "validation"]
    columns += [] if steps[0].guard is None else ["guard"]
    rows = [
        (
            step.cell.named,
            *(_accuracy(judge) for judge in (step.validation, step.guard) if judge is not None),
        )
        for step in steps
    ]
    return table_html("Clips kept, one after the other, and the accuracy after each", columns, rows)


def table_html(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column names its rows. Heads have their scope, so that a screen reader
    can say what a cell is of.
    """
    heads = "".join(
        f'<th scope="col">{escape(column)}</th>' if column else "<td></td>" for column in columns
    )
    body = "".join(_row_html(row) for row in rows)
    return (
        f'<table class="dataframe"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )


def _row_html(row: Sequence[str]) -> str:
    first, *others = map(escape, row)
    cells = "".join(f"<td>{cell}</td>" for cell in others)
    return f'<tr><th scope="row">{first}</th>{cells}</tr>'
