import numpy as np
import pytest
from scipy.stats import binom

from svdicl_lite.power import power, smallest_gain_seen
from svdicl_lite.stats import (
    cluster_interval,
    least_sign_flip_p,
    mcnemar,
    mean_interval,
    sign_flip_test,
)


def test_power_for_one_set_is_about_that_of_mcnemar_s_exact_test():
    n, changed, gain = 400, 0.3, 0.08
    won = (changed + gain) / 2
    # the exact power: over the numbers of changes and of wins among them
    total = 0.0
    for k in range(n + 1):
        wins = np.arange(k + 1)
        tail = 2 * binom.sf(wins - 1, k, 0.5)  # two-sided, for more wins than half
        called = (wins > k / 2) & (tail <= 0.05)
        total += binom.pmf(k, n, changed) * binom.pmf(wins, k, won / changed)[called].sum()
    # the exact test is a little shy: whole numbers keep its level below 5 %
    assert power(gain, n, changed=changed) == pytest.approx(total, abs=0.04)


@pytest.mark.parametrize("sets, spread", [(4, 0.0), (8, 0.06), (16, 0.03)])
def test_power_over_sets_is_how_often_the_interval_lies_above_zero(sets, spread):
    rng = np.random.default_rng(0)
    n, changed, gain, repeats = 320, 0.4, 0.09, 2000
    called = 0
    clusters = np.repeat(np.arange(sets), n // sets)
    for _ in range(repeats):
        of_set = np.clip(gain + spread * rng.standard_normal(sets), -changed, changed)
        u = rng.random(n)
        won = (changed + of_set[clusters]) / 2
        outcomes = (u < won).astype(float) - ((u >= won) & (u < changed))
        called += cluster_interval(outcomes, clusters).low > 0
    # 2,000 draws: standard deviation 1.1 %, three of them, and outcomes that are not normal
    assert power(gain, n, sets, changed, spread) == pytest.approx(called / repeats, abs=0.04)


def test_a_gain_of_nothing_is_called_as_often_as_the_level_allows():
    assert power(0, 200) == pytest.approx(0.025) == power(0, 200, sets=8, spread=0.1)


def test_the_smallest_gain_seen_is_seen_half_of_the_time():
    for arguments in ((200,), (200, 8), (1000, 16, 0.2, 0.05)):
        gain = smallest_gain_seen(*arguments)
        assert power(gain, *arguments) == pytest.approx(0.5, abs=1e-3)
    often = smallest_gain_seen(200, chance=0.8)
    assert power(often, 200) == pytest.approx(0.8, abs=1e-3)


def test_two_hundred_examples_miss_gains_under_eight_points():
    # a third of the answers changed: 1.97 √((0.34 − 0.08²) / 200) = 0.0804
    assert smallest_gain_seen(200, changed=0.34) == pytest.approx(0.0804, abs=5e-4)


def test_where_not_even_the_largest_gain_would_be_seen_there_is_none():
    assert smallest_gain_seen(40, sets=2, changed=0.1) is None


def test_a_gain_larger_than_all_changes_is_refused():
    with pytest.raises(ValueError, match="a gain of 0.4 takes more than the 0.3 of answers"):
        power(0.4, 100)


def test_a_gain_that_every_set_has_alike_is_always_seen():
    assert power(1.0, 100, sets=4, changed=1.0) == 1


@pytest.mark.parametrize("n", [2, 5, 16, 40])
def test_the_least_p_is_what_equal_gains_get(n):
    assert least_sign_flip_p(n) == sign_flip_test(np.full(n, 0.1) + np.arange(n) / 1000)


def test_the_mean_of_independent_outcomes_has_student_s_interval():
    gains = np.array([1, 0, 0, -1, 1, 0, 1, 1.0])
    assert mean_interval(gains) == cluster_interval(gains, range(8))
    assert mean_interval([0.5]) == (-np.inf, np.inf)
    lost, won = np.zeros(100, dtype=bool), np.arange(100) < 8
    assert (mean_interval(won.astype(float)).low > 0) == (mcnemar(lost, won) < 0.05)
