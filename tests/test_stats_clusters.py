"""Statistics over sets of demonstrations: clustered intervals, bootstrap and sign flips."""

import itertools
import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import permutation_test, t, ttest_1samp

from svdicl_lite.stats import (
    cluster_interval,
    cluster_means,
    mcnemar,
    sign_flip_test,
    wilson_interval,
)


def clustered_accuracies(rng, n_clusters, size, spread=0.1):
    """Outcomes of clusters whose accuracies differ: 0.6 on average, with this deviation."""
    accuracies = np.clip(0.6 + spread * rng.standard_normal(n_clusters), 0, 1)
    clusters = np.repeat(np.arange(n_clusters), size)
    return rng.random(len(clusters)) < accuracies[clusters], clusters


@pytest.mark.parametrize("n_clusters", [4, 12])
def test_cluster_interval_covers_where_an_interval_of_examples_does_not(n_clusters):
    rng = np.random.default_rng(0)
    size, spread, repeats = 100, 0.1, 500
    covered = covered_naively = 0
    for _ in range(repeats):
        correct, clusters = clustered_accuracies(rng, n_clusters, size, spread)
        low, high = cluster_interval(correct, clusters)
        covered += low <= 0.6 <= high
        low, high = wilson_interval(correct.sum(), len(correct))
        covered_naively += low <= 0.6 <= high
    # 500 draws at 95 %: standard deviation 1 %, four of them
    assert covered / repeats == pytest.approx(0.95, abs=0.04)
    # The variance is (0.24 + (size − 1) · spread²) / n where Wilson takes 0.24 / n: 1.96 / √5.1
    # standard errors cover 61 %.
    naive = 2 * NormalDist().cdf(1.96 / math.sqrt(1 + (size - 1) * spread**2 / 0.24)) - 1
    assert covered_naively / repeats == pytest.approx(
        naive, abs=4 * math.sqrt(naive * (1 - naive) / repeats)
    )


sizes = st.lists(st.integers(1, 12), min_size=2, max_size=6)


@given(st.integers(2, 6), st.integers(1, 10), st.integers(0, 2**32 - 1))
def test_cluster_interval_of_equal_clusters_is_the_t_interval_of_their_means(
    n_clusters, size, seed
):
    correct, clusters = clustered_accuracies(np.random.default_rng(seed), n_clusters, size, 0.3)
    means = correct.reshape(n_clusters, size).mean(1)
    assert cluster_means(correct, clusters) == pytest.approx(means, rel=1e-12)
    half = t.ppf(0.95, n_clusters - 1) * means.std(ddof=1) / math.sqrt(n_clusters)
    # sums of at most 60 terms of size 1; the quantile is below 7
    assert cluster_interval(correct, clusters, 0.9) == pytest.approx(
        (means.mean() - half, means.mean() + half), abs=1e-12
    )


@given(sizes, st.integers(0, 2**32 - 1))
def test_clusters_may_lie_in_any_order_and_have_any_names(sizes, seed):
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    correct, order = rng.random(len(clusters)) < 0.6, rng.permutation(len(clusters))
    names = np.array([f"set {9 - i}" for i in clusters])
    assert cluster_interval(correct[order], names[order]) == pytest.approx(
        cluster_interval(correct, clusters), abs=1e-12
    )
    assert cluster_means(correct[order], names[order])[::-1] == pytest.approx(
        cluster_means(correct, clusters), abs=1e-12
    )


def test_clusters_of_unequal_size_weigh_by_size():
    correct, clusters = [1, 1, 1, 0, 0], [0, 0, 0, 0, 1]
    # mean 3/5, deviations 3 − 4·3/5 = 3/5 and −3/5, so the standard error is √(2 · 2 · 9/25) / 5 =
    # 6/25
    half = t.ppf(0.975, 1) * 6 / 25
    assert cluster_interval(correct, clusters) == pytest.approx((0.6 - half, 0.6 + half), rel=1e-12)


def test_one_example_a_cluster_is_the_ordinary_t_interval():
    gains = np.array([1, 0, 0, -1, 1, 0, 1, 1])
    assert cluster_interval(gains, range(8)) == pytest.approx(
        tuple(ttest_1samp(gains, 0).confidence_interval()), rel=1e-12
    )


@pytest.mark.parametrize("function", [cluster_interval, cluster_means])
def test_one_cluster_or_a_missing_name_is_refused(function):
    with pytest.raises(ValueError, match="at least two of them, got 1"):
        function([True, False], [0, 0])
    with pytest.raises(ValueError, match=r"two lists of one length, got \(2,\) and \(1,\)"):
        function([True, False], [0])


@given(st.lists(st.integers(-20, 20), min_size=2, max_size=9), st.sampled_from([7, 100, 333]))
def test_sign_flip_test_is_the_share_of_signs_that_reach_as_far(won, size):
    # The exact share in whole numbers; the gains are these over `size`, whose sums tie only up to
    # rounding.
    reach = [
        abs(sum(sign * w for sign, w in zip(signs, won))) >= abs(sum(won))
        for signs in itertools.product((1, -1), repeat=len(won))
    ]
    assert sign_flip_test([w / size for w in won]) == sum(reach) / len(reach)


@pytest.mark.parametrize(
    "n_clusters, least", [(2, 1 / 2), (4, 1 / 8), (8, 1 / 128), (12, 1 / 2048), (16, 2 / 2**16)]
)
def test_no_gain_is_more_significant_than_the_number_of_clusters_allows(n_clusters, least):
    assert sign_flip_test(0.5 + np.arange(n_clusters) / 1000) == least


def test_sign_flip_test_agrees_with_scipy():
    gains = np.random.default_rng(0).normal(0.3, 1, size=10)  # no ties
    theirs = permutation_test(
        (gains,), np.mean, permutation_type="samples", n_resamples=2**10, vectorized=True
    ).pvalue
    assert sign_flip_test(gains) == theirs


def test_sign_flip_test_draws_signs_beyond_sixteen_clusters():
    gains = np.linspace(-1, 1.6, 17) ** 3  # no ties
    exact = permutation_test(
        (gains,),
        np.mean,
        permutation_type="samples",
        n_resamples=2**17,
        vectorized=True,
        batch=10_000,
    ).pvalue
    drawn = [sign_flip_test(gains, seed=seed) for seed in range(3)]
    assert drawn == pytest.approx([exact] * 3, abs=4 * math.sqrt(exact * (1 - exact) / 65536))
    assert len(set(drawn)) > 1 and sign_flip_test(gains, seed=2) == drawn[2]
    assert sign_flip_test(np.ones(40), n_resamples=99) == 1 / 100  # ours is counted, so never 0


@pytest.mark.parametrize("n_clusters", [4, 8, 12])
def test_sign_flip_test_holds_its_level_where_mcnemar_does_not(n_clusters):
    rng, repeats, size = np.random.default_rng(0), 400, 100
    level = 1 / 8 if n_clusters == 4 else 0.05
    rejected = rejected_naively = 0
    for _ in range(repeats):
        # no gain on average; each set gains or loses some 10 points
        right, clusters = clustered_accuracies(rng, n_clusters, size)
        before, after = rng.random(len(right)) < 0.6, right
        rejected += sign_flip_test(cluster_means(after.astype(float) - before, clusters)) <= level
        rejected_naively += mcnemar(before, after) <= level
    # at most the level: four standard deviations of a share of 400 draws
    assert rejected / repeats <= level + 4 * math.sqrt(level * (1 - level) / repeats)
    assert rejected > 0 and rejected_naively / repeats > 2 * level


@pytest.mark.parametrize("gains", [[], [0.1], [[0.1, 0.2]], [0.1, math.nan]])
def test_gains_of_fewer_than_two_clusters_are_refused(gains):
    with pytest.raises(ValueError, match="finite gains of at least two clusters"):
        sign_flip_test(gains)
