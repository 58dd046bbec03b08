"""Outcomes as rows, whose keys stand in the commands' help. Taught in chapter 13."""

from typing import Any

from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.search.results import Comparison
from svdicl_lite.stats import least_sign_flip_p

Row = dict[str, Any]


def judged_row(outcome: Evaluation) -> Row:
    """n, accuracy, its 95 % interval by Wilson, balanced accuracy; what the commonest label alone
    would reach; what the scores tell apart, and how they lean.
    """
    low, high = outcome.interval
    return {
        "n": outcome.n,
        "accuracy": outcome.accuracy,
        "low": low,
        "high": high,
        "balanced_accuracy": outcome.balanced_accuracy,
        "majority_accuracy": outcome.majority_accuracy,
        "discrimination": outcome.discrimination,
        "calibrated_accuracy": outcome.calibrated_accuracy,
        "lean": outcome.lean,
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
    gains = " ".join(f"{gain:+.3f}" for gain in result.gain_by_set)
    return f"\ngain by set of demonstrations {gains}, sign-flip p = {result.p_value_by_set:.2g}"


def interval(row: Row) -> str:
    """Accuracy and interval for a table, as in 0.500 [0.400, 0.600]."""
    return f"{row['accuracy']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def by_rate(cells: list[Row]) -> list[Row]:
    """The cells of a sweep as a table with a column for each rate."""
    rows: dict[tuple[str, int], Row] = {}
    for cell in cells:
        place = cell["module"], cell["layer"]
        row = rows.setdefault(place, {"module": cell["module"], "layer": cell["layer"]})
        row[f"ξ = {cell['clip_rate']:g}"] = cell["accuracy"]
    return list(rows.values())
