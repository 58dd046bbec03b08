"""What is said of a change, by the intervals of the gain and of its parts: every branch."""

from itertools import product

import numpy as np
import pytest

from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.search.results import Comparison
from svdicl_lite.search.verdict import GAINS, LOSSES
from svdicl_lite.stats import Interval

BY_SIGN = {1: Interval(0.01, 0.2), 0: Interval(-0.1, 0.1), -1: Interval(-0.2, -0.01)}


def judged(odds, n_sets=8, size=10):
    """Answers of two classes, some right and some not, behind `n_sets` sets."""
    n = n_sets * size
    scores = np.stack((np.zeros(n), np.resize(odds, n)), axis=1)
    return Evaluation(scores, np.arange(n) % 2, np.repeat(np.arange(n_sets), size))


def changed(gain, reading, lean, n_sets=8):
    """A comparison whose three intervals have these signs."""

    class Signed(Comparison):
        gain_over_sets = BY_SIGN[gain] if n_sets > 3 else None
        reading_over_sets = BY_SIGN[reading] if n_sets > 3 else None
        lean_over_sets = BY_SIGN[lean] if n_sets > 3 else None
        gain_interval, reading_interval = BY_SIGN[gain], BY_SIGN[reading]
        lean_interval = BY_SIGN[lean]

    before, after = judged([-1, 1, 1, -1], n_sets), judged([-1, 1, 1], n_sets)
    return Signed(before, after, before, after)


def sentence(result):
    """The one that says what kind of change it is: behind the measures, before what follows."""
    return str(result).splitlines()[-3]


SIGNS = list(product((1, 0, -1), repeat=3))


@pytest.mark.parametrize("n_sets", [8, 2])
@pytest.mark.parametrize("signs", SIGNS, ids=str)
def test_nothing_is_claimed_of_a_gain_whose_own_interval_includes_0(signs, n_sets):
    gain, reading, lean = signs
    result = changed(*signs, n_sets=n_sets)
    said = sentence(result)
    assert ("no gain is shown" in said) == (gain == 0) == (result.kind == "none")
    assert ("the gain is" in said) == (gain > 0 and (reading, lean) in GAINS)
    assert ("a loss" in said and "the gain" not in said) == (gain < 0 and (reading, lean) in LOSSES)
    if gain <= 0:
        assert result.kind not in ("reading", "lean", "both")
    if gain >= 0:
        assert result.kind != "loss"
    assert said.endswith("(for these demonstrations only)") == (n_sets == 2)


@pytest.mark.parametrize("parts", GAINS, ids=str)
def test_a_gain_is_called_by_the_part_that_rises(parts):
    result = changed(1, *parts)
    names = [name for name, sign in zip(("reading", "lean"), parts) if sign > 0]
    assert result.kind == (names[0] if len(names) == 1 else "both")
    assert f"the gain is {result.kind}" in sentence(result)


@pytest.mark.parametrize("parts", LOSSES, ids=str)
def test_a_loss_is_called_by_the_part_that_falls(parts):
    result = changed(-1, *parts)
    words = {(-1, -1): "a loss of both", (0, -1): "a loss by lean", (1, -1): "a loss by lean"}
    assert result.kind == "loss" and words.get(parts, "a loss of reading") in sentence(result)


@pytest.mark.parametrize("gain, verb", [(1, "rose"), (-1, "fell")])
def test_a_change_that_no_part_explains_is_unclear(gain, verb):
    explained = GAINS if gain > 0 else LOSSES
    for parts in product((1, 0, -1), repeat=2):
        if parts not in explained:
            result = changed(gain, *parts)
            assert result.kind == "unclear" and f"accuracy {verb}, but the" in sentence(result)


@pytest.mark.parametrize(
    "parts, words",
    [
        ((1, -1), "reading rises and the threshold moves the wrong way"),
        ((-1, 1), "reading falls and the threshold moves the right way"),
        ((1, 0), "reading rises"),
        ((0, -1), "the threshold moves the wrong way"),
    ],
)
def test_parts_without_a_gain_are_said_to_be_alone(parts, words):
    said = sentence(changed(0, *parts))
    assert said.startswith(f"no gain is shown; of its parts alone, {words}; with n = 80 a gain")


def test_without_a_gain_what_would_be_missed_is_said():
    said = sentence(changed(0, 0, 0))
    assert said.startswith("no gain is shown, neither in reading nor in lean; with n = 80 a gain")
    assert said.endswith("would be missed more often than not")


def test_a_collapse_comes_before_all_else():
    before, after = judged([-1, 1, 1, -1]), judged([9])
    for gain in BY_SIGN:
        result = type(changed(gain, 1, 0))(before, after, before, after)
        assert result.kind == "collapse" and sentence(result).startswith("collapse: label 1 gets")


def test_an_interval_that_ends_at_0_shows_nothing():
    class Touching(Comparison):
        gain_over_sets = Interval(0.0, 0.1)
        reading_over_sets = Interval(0.01, 0.1)
        lean_over_sets = Interval(-0.1, 0.1)

    before, after = judged([-1, 1, 1, -1]), judged([-1, 1, 1])
    result = Touching(before, after, before, after)
    assert result.kind == "none" and "no gain is shown" in sentence(result)
