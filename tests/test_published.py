import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from svdicl_lite.published import gain_noise
from svdicl_lite.stats import mcnemar

counts = st.integers(0, 40)


def test_pairings_of_an_example_by_hand():
    # 5 of 10, then 8: three more were won than lost, and of the 2 wrong after at most 2 were lost.
    gain, best, independent, worst = gain_noise(0.5, 0.8, 10)
    assert gain == pytest.approx(0.3)
    assert (best.n_lost, best.n_won) == (0, 3) and best.p_value == pytest.approx(2 / 8)
    assert (independent.n_lost, independent.n_won) == (
        1,
        4,
    ) and independent.p_value == pytest.approx(2 * 6 / 32)  # 5 · 2 / 10 lost
    assert (worst.n_lost, worst.n_won) == (2, 5) and worst.p_value == pytest.approx(2 * 29 / 128)
    # ½ more in each of four cells: n is 12, the cells of changes 0.5 and 3.5
    half = 1.959964 * math.sqrt((4 / 12 - (3 / 12) ** 2) / 12)
    assert best.interval == pytest.approx((3 / 12 - half, 3 / 12 + half), rel=1e-12)


def test_a_loss_mirrors_a_gain():
    up, down = gain_noise(0.5, 0.8, 10), gain_noise(0.8, 0.5, 10)
    assert down.gain == -up.gain
    for won, lost in zip(up[1:], down[1:]):
        assert (lost.n_lost, lost.n_won) == (
            won.n_won,
            won.n_lost,
        ) and lost.p_value == pytest.approx(won.p_value)
        assert lost.interval == pytest.approx((-won.interval.high, -won.interval.low))


def test_equal_accuracies_may_hide_changes_but_no_gain():
    gain, best, _, worst = gain_noise(0.7, 0.7, 10)
    assert gain == 0 and best.p_value == worst.p_value == 1
    assert (best.n_lost, worst.n_lost) == (0, 3) and best.interval.high < worst.interval.high


def test_perfect_scores_leave_one_pairing():
    gain, *pairings = gain_noise(0.4, 1.0, 10)
    assert gain == pytest.approx(0.6) and {(p.n_lost, p.n_won) for p in pairings} == {(0, 6)}
    assert gain_noise(0.0, 1.0, 3).best.interval.high == 1  # cut where gains end


@given(counts, counts, counts, counts)
def test_every_pairing_lies_between_best_and_worst(both, lost, won, neither):
    n = both + lost + won + neither
    assume(n > 0)
    before = np.array([True] * (both + lost) + [False] * (won + neither))
    after = np.array([True] * both + [False] * lost + [True] * won + [False] * neither)
    gain, best, independent, worst = gain_noise(before.mean(), after.mean(), n, decimals=12)
    assert gain == pytest.approx((won - lost) / n, abs=1e-12)
    assert best.n_lost <= lost <= worst.n_lost and best.n_lost <= independent.n_lost <= worst.n_lost
    # p-values are sums of at most 160 binomial terms, each good to some 1e-14
    assert best.p_value * (1 - 1e-11) <= mcnemar(before, after) <= worst.p_value * (1 + 1e-11)
    assert best.interval.low >= independent.interval.low >= worst.interval.low
    assert best.interval.high <= independent.interval.high <= worst.interval.high


def test_the_independent_pairing_has_the_noise_of_two_binomials():
    n, p, q = 4000, 0.75, 0.77
    low, high = gain_noise(p, q, n).independent.interval
    # the counts of changes are rounded to whole examples, and ½ is added to each: of order 1/n
    assert high - low == pytest.approx(
        2 * 1.959964 * math.sqrt((p * (1 - p) + q * (1 - q)) / n), rel=5 / n
    )


@pytest.mark.parametrize(
    "before, after, n",
    [(0.5818, 0.6727, 55), (0.5688, 0.5797, 276), (0.57, 0.62, 100), (0.6649, 0.6754, 1725)],
)
def test_published_accuracies_name_their_denominator(before, after, n):
    won_more = gain_noise(before, after, n).gain * n
    assert won_more == pytest.approx(round((after - before) * n), abs=1e-9)


@pytest.mark.parametrize(
    "accuracy, n",
    [(0.5818, 56), (0.5688, 277), (0.7695, 7599), (0.5, 0), (1.2, 10), (-0.1, 10), (math.nan, 10)],
)
def test_an_accuracy_that_no_count_gives_is_refused(accuracy, n):
    with pytest.raises(
        ValueError, match=f"no count out of n = {n} rounds to an accuracy of {accuracy}"
    ):
        gain_noise(accuracy, accuracy, n)


def test_decimals_are_those_that_were_published():
    assert gain_noise(0.55, 0.57, 56, decimals=2).gain == 1 / 56  # 31/56 = 0.5536, 32/56 = 0.5714
    with pytest.raises(ValueError, match="4 decimals"):
        gain_noise(0.55, 0.57, 56)
