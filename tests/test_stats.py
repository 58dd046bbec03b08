import math
from fractions import Fraction
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svdicl_lite.stats import (
    holm,
    label_entropy,
    mcnemar,
    paired_bootstrap,
    wilson_interval,
)


def outcomes(both, lost, won, neither):
    """Paired outcomes with these counts of right-right, right-wrong, wrong-right, wrong-wrong."""
    before = [True] * (both + lost) + [False] * (won + neither)
    after = [True] * both + [False] * lost + [True] * won + [False] * neither
    return np.array(before), np.array(after)


counts = st.integers(0, 60)


@given(counts, counts, counts, counts)
def test_mcnemar_is_the_binomial_sum_over_outcomes_no_likelier_than_ours(both, lost, won, neither):
    before, after = outcomes(both, lost, won, neither)
    if len(before) == 0:
        return
    n = lost + won
    exact = Fraction(
        sum(math.comb(n, i) for i in range(n + 1) if math.comb(n, i) <= math.comb(n, won)), 2**n
    )
    # at most 120 binomial terms, each right to some 1e-14
    assert mcnemar(before, after) == pytest.approx(float(exact), rel=1e-11)


@given(counts, counts)
def test_mcnemar_does_not_hear_concordant_examples_or_which_is_called_before(lost, won):
    before, after = outcomes(1, lost, won, 0)
    more_before, more_after = outcomes(40, lost, won, 30)
    assert mcnemar(before, after) == mcnemar(more_before, more_after)
    assert mcnemar(before, after) == pytest.approx(mcnemar(after, before), rel=1e-11)


def test_mcnemar_of_equal_outcomes_is_one():
    same = np.array([True, False, True])
    assert mcnemar(same, same) == 1.0


def test_mcnemar_sees_pairing_that_accuracies_hide():
    # Both pairs go from 50 % to 60 %; in one nothing was lost for it, in the other nearly
    # everything changed.
    assert mcnemar(*outcomes(50, 0, 10, 40)) == pytest.approx(2 / 2**10, rel=1e-12)
    assert mcnemar(*outcomes(5, 45, 55, 0)) > 0.3


@given(
    st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.floats(0.5, 0.999),
)
def test_wilson_interval_is_its_closed_formula(case, confidence):
    n_correct, n = case
    z, p = NormalDist().inv_cdf((1 + confidence) / 2), n_correct / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    interval = wilson_interval(n_correct, n, confidence)
    # both normal quantiles are good to 1e-9 relatively; the ends lie in [0, 1]
    assert interval.low == pytest.approx(centre - half, abs=1e-8)
    assert interval.high == pytest.approx(centre + half, abs=1e-8)
    assert 0 <= interval.low <= p <= interval.high <= 1


def test_wilson_interval_is_95_percent_unless_told():
    assert wilson_interval(80, 100) == pytest.approx(
        (0.71117, 0.86663), abs=1e-5
    )  # to the five digits given


def test_wilson_interval_does_not_collapse_at_a_perfect_score():
    low, high = wilson_interval(20, 20)
    assert high == 1 and low < 0.9


def test_wilson_interval_takes_numpy_counts():
    assert wilson_interval(np.array([True, False, True]).sum(), 3) == wilson_interval(2, 3)


def test_an_accuracy_of_no_examples_is_refused():
    with pytest.raises(ValueError, match="at least one example, got n = 0"):
        wilson_interval(0, 0)


def test_bootstrap_interval_covers_a_known_gain_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    n, lost, won = 300, 0.1, 0.2  # so the gain is 0.1
    hits, widths = 0, []
    for seed in range(200):
        u = rng.random(n)
        before, after = u < 0.5, ((u < 0.5) & ~(u < lost)) | ((u >= 0.5) & (u < 0.5 + won))
        low, high = paired_bootstrap(before, after, n_resamples=999, seed=seed)
        hits += low <= won - lost <= high
        widths.append(high - low)
    # 200 draws at 95 %: 190 expected, standard deviation 3.1; four of them, and a percentile
    # interval is a little short
    assert 175 <= hits <= 199
    # the variance of the gain per example is lost + won − (won − lost)² = 0.29
    assert np.mean(widths) == pytest.approx(
        2 * 1.96 * math.sqrt(0.29 / n), rel=0.05
    )  # 999 resamples: quantiles to about 4 %


def test_bootstrap_interval_widens_with_confidence():
    before, after = outcomes(50, 10, 20, 20)
    narrow, wide = paired_bootstrap(before, after, 0.8), paired_bootstrap(before, after, 0.99)
    assert wide.low < narrow.low < 0.1 < narrow.high < wide.high


def test_bootstrap_is_decided_by_its_seed():
    before, after = outcomes(50, 10, 21, 20)
    np.random.seed(1)
    one = paired_bootstrap(before, after, n_resamples=199, seed=3)
    np.random.seed(2)
    assert paired_bootstrap(before, after, n_resamples=199, seed=3) == one
    assert (
        len({paired_bootstrap(before, after, n_resamples=199, seed=seed) for seed in range(10)}) > 1
    )


@pytest.mark.parametrize(
    "counts, gain", [((3, 0, 0, 2), 0.0), ((0, 4, 0, 0), -1.0), ((0, 0, 4, 0), 1.0)]
)
def test_bootstrap_of_examples_that_all_changed_alike_is_a_point(counts, gain):
    assert paired_bootstrap(*outcomes(*counts)) == (gain, gain)


def test_bootstrap_is_paired():
    # The same two accuracies; the pairs that agree where they can leave less to chance.
    agreeing, clashing = (
        paired_bootstrap(*outcomes(50, 0, 10, 40)),
        paired_bootstrap(*outcomes(5, 45, 55, 0)),
    )
    assert agreeing.high - agreeing.low < (clashing.high - clashing.low) / 2


@pytest.mark.parametrize(
    "before, after", [([True], [True, False]), ([], []), ([[True]], [[False]])]
)
@pytest.mark.parametrize("test", [mcnemar, paired_bootstrap])
def test_outcomes_that_are_not_paired_are_refused(test, before, after):
    with pytest.raises(ValueError, match="paired outcomes must be two lists of one length, got"):
        test(before, after)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.001, 0.999))
def test_holm_rejects_what_stepping_down_by_hand_rejects(p_values, alpha):
    rejected = [False] * len(p_values)
    for step, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        bound = p_values[i] * (
            len(p_values) - step
        )  # the smallest p is held against α / m, the next against α / (m − 1), …
        if abs(bound - alpha) < 1e-12:
            return  # a tie that rounding decides
        if bound > alpha:
            break
        rejected[i] = True
    assert [bool(p <= alpha) for p in holm(p_values)] == rejected


def test_holm_of_an_example_by_hand():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06], rel=1e-12)
    assert holm([0.9, 0.8]) == pytest.approx([1, 1]) and holm([0.02]) == pytest.approx([0.02])


@pytest.mark.parametrize(
    "predictions, n_classes, entropy",
    [
        ([0, 1, 0, 1], 2, 1),
        ([1, 1, 1], 2, 0),
        ([3, 2, 1, 0], 4, 1),
        ([0, 0, 1, 1], 4, 0.5),
        ([0, 0, 0, 1], 2, 2 - 0.75 * math.log2(3)),
        ([0, 1, 2], 3, 1),
        ([5], 6, 0),
    ],
)
def test_label_entropy_by_hand(predictions, n_classes, entropy):
    assert label_entropy(predictions, n_classes) == pytest.approx(entropy, abs=1e-12)


@given(st.lists(st.integers(0, 4), min_size=1), st.permutations(range(5)))
def test_label_entropy_does_not_hear_which_class_is_which(predictions, names):
    entropy = label_entropy(np.array(predictions), 5)
    assert 0 <= entropy <= 1 + 1e-12
    assert label_entropy([names[i] for i in predictions], 5) == pytest.approx(entropy, abs=1e-12)


@pytest.mark.parametrize("predictions, n_classes", [([], 2), ([2], 2), ([-1, 0], 2), ([0], 1)])
def test_label_entropy_of_nothing_or_of_no_choice_is_refused(predictions, n_classes):
    with pytest.raises(ValueError, match="at least (one class index|two classes)"):
        label_entropy(predictions, n_classes)
