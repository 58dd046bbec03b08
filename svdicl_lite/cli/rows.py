"""Outcomes as rows, whose keys stand in the commands' help. Taught in chapter 15."""

from typing import Any

from svdicl_lite.numbers import p_value, tidy
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.search.results import Comparison
from svdicl_lite.stats import SETS_NEEDED, least_sign_flip_p

Row = dict[str, Any]


def judged_row(outcome: Evaluation) -> Row:
    """n, accuracy, its 95 % interval over sets of demonstrations (None if they are too few to say)
    and by Wilson, which is for these demonstrations; balanced accuracy; what the commonest label
    alone would reach; what the scores tell apart, and how they lean.
    """
    low, high = outcome.interval
    return {
        "n": outcome.n,
        "accuracy": outcome.accuracy,
        "accuracy_over_sets": outcome.accuracy_over_sets,
        "low": low,
        "high": high,
        "balanced_accuracy": outcome.balanced_accuracy,
        "majority_accuracy": outcome.majority_accuracy,
        "discrimination": outcome.discrimination,
        "discrimination_over_sets": outcome.discrimination_over_sets,
        "calibrated_accuracy": outcome.calibrated_accuracy,
        "calibrated_over_sets": outcome.calibrated_over_sets,
        "imbalance": outcome.imbalance,
        "imbalance_over_sets": outcome.imbalance_over_sets,
        "shares": outcome.shares.tolist(),
        "collapsed": outcome.collapsed,
    }


def compared_row(result: Comparison) -> Row:
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
        "smallest_p_by_set": least_sign_flip_p(len(result.gain_by_set)) if several else None,
        "test_gain_over_sets": result.gain_over_sets,
        "reading": result.reading,
        "reading_over_sets": result.reading_over_sets,
        "lean": result.lean,
        "lean_over_sets": result.lean_over_sets,
        "discrimination_gain": result.discrimination_gain,
        "discrimination_gain_over_sets": result.discrimination_gain_over_sets,
        "smallest_gain_seen": result.smallest_gain_seen,
        "kind": result.kind,
    }


def by_set(result: Comparison) -> str:
    """A line more for a verdict on several sets of demonstrations."""
    if len(result.gain_by_set) == 1:
        return ""
    gains = tidy(" ".join(f"{gain:+.3f}" for gain in result.gain_by_set))
    if result.gain_over_sets is not None:  # the verdict has the test
        return f"\ngain by set of demonstrations {gains}"
    p = p_value(result.p_value_by_set, "sign-flip p")
    least = p_value(least_sign_flip_p(len(result.gain_by_set)), "")
    return f"\ngain by set of demonstrations {gains}, {p} (the least possible is {least})"


def interval(row: Row) -> str:
    """Accuracy and interval for a table, as in 0.500 [0.400, 0.600]: over sets of demonstrations,
    or for these demonstrations where the sets are too few.
    """
    low, high = row["accuracy_over_sets"] or (row["low"], row["high"])
    return f"{row['accuracy']:.3f} [{low:.3f}, {high:.3f}]"


def of_intervals(n_sets: int) -> str:
    """A line on what the intervals of a table are for."""
    if n_sets >= SETS_NEEDED:
        return f"intervals of accuracy: 95 %, over {n_sets} sets of demonstrations"
    few = "one set says" if n_sets == 1 else f"{n_sets} sets say"
    return (
        "intervals of accuracy: 95 %, for these demonstrations only;"
        f" {few} nothing reliable about others, which takes --sets {SETS_NEEDED}, better 12 or more"
    )


def of_majority(split: str, row: Row) -> str:
    """A line on what a lean alone can reach."""
    return (
        f"\nalways the commonest label of {split} is right in {row['majority_accuracy']:.3f}; its"
        " balanced accuracy is one over the number of classes, its discrimination 0.5"
    )


MEASURES = {
    "accuracy": "accuracy",
    "balanced": "balanced_accuracy",
    "discrimination": "discrimination",
}
"""What a sweep's table shows of each cell, and the key of its row."""


def by_rate(cells: list[Row]) -> list[Row]:
    """The cells of a sweep as a table with a column for each rate, measure after measure."""
    rows: dict[tuple[str, str, int], Row] = {}
    for measure, key in MEASURES.items():
        for cell in cells:
            names = {"measure": measure, "module": cell["module"], "layer": cell["layer"]}
            row = rows.setdefault((measure, cell["module"], cell["layer"]), names)
            row[f"ξ = {cell['clip_rate']:g}"] = cell[key]
    return list(rows.values())
