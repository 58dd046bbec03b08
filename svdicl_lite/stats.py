"""How far an accuracy can be trusted: an interval for one, paired tests for two. Thin names over
scipy.

The first functions take examples as independent. Examples that share their demonstrations are not;
for them the set of demonstrations, the *cluster*, is what was sampled, and the functions named
after it say what follows. Taught in chapter 04.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Interval(NamedTuple):
    """Both ends, for what the function that gives it says."""

    low: float
    high: float


def wilson_interval(n_correct: int | np.integer, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval for an accuracy of n_correct / n (Wilson 1927): sound near 0 and 1,
    where ±1.96 s.e. is not.
    """
    from scipy.stats import binomtest

    if n < 1:
        raise ValueError("an accuracy needs at least one example, got n = 0")
    interval = binomtest(int(n_correct), int(n)).proportion_ci(confidence, method="wilson")
    return Interval(interval.low, interval.high)


def mcnemar(before: ArrayLike, after: ArrayLike) -> float:
    """The exact two-sided p-value of McNemar's test that two classifiers, judged on the same
    examples, are equally good.

    `before`, `after`: (n,) bool, example i right or wrong. Only the discordant examples speak;
    under the null each falls either way with probability ½ (McNemar 1947).
    """
    from scipy.stats import binomtest

    before, after = _paired(before, after)
    lost, won = int((before & ~after).sum()), int((~before & after).sum())
    return 1.0 if lost + won == 0 else binomtest(won, lost + won, 0.5).pvalue


def paired_bootstrap(
    before: ArrayLike,
    after: ArrayLike,
    confidence: float = 0.95,
    n_resamples: int = 9999,
    seed: int = 0,
) -> Interval:
    """A percentile bootstrap interval for the gain, mean(after) − mean(before), on the same
    examples (n,) bool.
    """
    from scipy.stats import bootstrap

    before, after = _paired(before, after)
    gain = after.astype(float) - before.astype(float)
    if (gain == gain[0]).all():
        return Interval(gain[0], gain[0])
    result = bootstrap(
        (gain,),
        np.mean,
        confidence_level=confidence,
        n_resamples=n_resamples,
        method="percentile",
        batch=100,
        rng=np.random.default_rng(seed),
    )
    return Interval(result.confidence_interval.low, result.confidence_interval.high)


def holm(p_values: ArrayLike) -> np.ndarray:
    """Holm's step-down correction (Holm 1979): p-values (m,) adjusted so that calling those ≤ α
    holds the chance of any false call among all m at α.
    """
    p = np.asarray(p_values, dtype=float)
    order = p.argsort()
    adjusted = np.maximum.accumulate(np.minimum(1, p[order] * np.arange(len(p), 0, -1)))
    return adjusted[order.argsort()]


def label_entropy(predictions: ArrayLike, n_classes: int) -> float:
    """The entropy of the answers given, as a share of its maximum log2(C) bits: 1 if all classes
    are answered equally often, 0 if one always is.

    A model that fell to one answer shows here; one that answers at random does not, but its
    balanced accuracy is 1/C.
    """
    if n_classes < 2:
        raise ValueError(
            f"n_classes is {n_classes}, but answers differ only if there are at least two classes"
        )
    predictions = np.asarray(predictions)
    if len(predictions) == 0 or predictions.min() < 0 or predictions.max() >= n_classes:
        raise ValueError(
            f"predictions must be at least one class index from 0 to {n_classes - 1}, got"
            f" {np.unique(predictions)}"
        )
    shares = np.bincount(predictions, minlength=n_classes) / len(predictions)
    shares = shares[shares > 0]
    return float(abs((shares * np.log2(shares)).sum()) / np.log2(n_classes))


# Clusters: examples (n,) dealt out to sets of demonstrations, `clusters` (n,) naming the set of
# each.


def cluster_means(outcomes: ArrayLike, clusters: ArrayLike) -> np.ndarray:
    """(G,) the mean outcome of each cluster, in the order of the sorted names: accuracies, or gains
    of `after - before`.
    """
    totals, sizes = _by_cluster(outcomes, clusters)
    means: np.ndarray = totals / sizes
    return means


def cluster_interval(
    outcomes: ArrayLike, clusters: ArrayLike, confidence: float = 0.95
) -> Interval:
    """The t interval for a mean outcome over *new* clusters, G − 1 degrees of freedom; it need not
    stay within the outcomes' range.

    `outcomes`: (n,) right or wrong for an accuracy, `after - before` for a gain. For clusters of
    one size this is the t interval of the cluster means; otherwise the standard error is the
    cluster-robust one, √(G/(G−1) Σ_g (total_g − size_g mean)²) / n. Sound from a handful of
    clusters on, where a bootstrap of clusters is too short (Cameron, Gelbach & Miller 2008). Raises
    ValueError for fewer than two.
    """
    from scipy.stats import t

    totals, sizes = _by_cluster(outcomes, clusters)
    G, mean = len(sizes), totals.sum() / sizes.sum()
    error = np.sqrt(G / (G - 1) * ((totals - sizes * mean) ** 2).sum()) / sizes.sum()
    half = t.ppf((1 + confidence) / 2, G - 1) * error
    return Interval(float(mean - half), float(mean + half))


def hall_interval(outcomes: ArrayLike, clusters: ArrayLike, confidence: float = 0.95) -> Interval:
    """The same where clusters are skewed (Hall 1992, "On the removal of skewness by
    transformation"): Student's quantiles go through the cubic that undoes the skewness of the
    clusters' means, so it reaches further towards the long tail and less far on the other side.
    """
    from scipy.stats import t

    totals, sizes = _by_cluster(outcomes, clusters)
    G, mean = len(sizes), totals.sum() / sizes.sum()
    apart = (totals - sizes * mean) * G / sizes.sum()  # of clusters of one size: from the mean
    spread = apart.std()
    skewness = ((apart / spread) ** 3).mean() if spread > 0 else 0.0
    if abs(skewness) < 1e-6:
        return cluster_interval(outcomes, clusters, confidence)
    a, quantile = skewness / np.sqrt(G), t.ppf((1 + confidence) / 2, G - 1)
    # T of T + a T²/3 + a² T³/27 + a/6 = ± quantile
    undone = 3 / a * (np.cbrt(1 + a * (np.array([quantile, -quantile]) - a / 6)) - 1)
    low, high = mean - undone * spread / np.sqrt(G - 1)
    return Interval(float(low), float(high))


def mean_interval(outcomes: ArrayLike, confidence: float = 0.95) -> Interval:
    """Student's t interval for the mean of independent outcomes (n,). One outcome alone leaves
    everything open.
    """
    outcomes = np.asarray(outcomes, dtype=float)
    if len(outcomes) < 2:
        return Interval(-np.inf, np.inf)
    return cluster_interval(outcomes, np.arange(len(outcomes)), confidence)


SETS_NEEDED = 4
"""Sets of demonstrations from which an interval over sets is given: of three, Student's t takes 4.3
standard errors, each known from two degrees of freedom."""


def interval_over_sets(
    outcomes: ArrayLike,
    sets: ArrayLike | None,
    confidence: float = 0.95,
    within: tuple[float, float] | None = None,
) -> Interval | None:
    """*The* interval over sets of demonstrations: on each side the wider of `cluster_interval`,
    too short if sets are skewed, and `hall_interval`, too short if they are not. None if there are
    fewer than SETS_NEEDED.

    `sets` None means that one set stood before all examples. Outcomes that are NaN (a measure that
    a set does not have) are left out. `within` are bounds of the quantity; the interval ends there.
    Twelve sets of three models cover gain, reading and lean in 93 to 98 %, `cluster_interval` in 90
    to 96 %; eight in 92 to 98, and 86 to 95 (benchmarks/coverage_models.py).
    """
    if sets is None:
        return None
    outcomes, sets = np.asarray(outcomes, dtype=float), np.asarray(sets)
    known = ~np.isnan(outcomes)
    if len(np.unique(sets[known])) < SETS_NEEDED:
        return None
    student = cluster_interval(outcomes[known], sets[known], confidence)
    hall = hall_interval(outcomes[known], sets[known], confidence)
    low, high = min(student.low, hall.low), max(student.high, hall.high)
    if within is None:
        return Interval(low, high)
    return Interval(max(within[0], low), min(within[1], high))


def sign_flip_test(gains_by_cluster: ArrayLike, n_resamples: int = 65536, seed: int = 0) -> float:
    """The two-sided p-value of the sign-flip test (Fisher 1935) that gains (G,) are symmetric
    about 0, so that each cluster's could as well have had the other sign. Up to 16 clusters all 2^G
    choices of signs are gone through and the p-value is exact; beyond, `n_resamples` are drawn,
    ours counted among them. No p-value is smaller than 2/2^G: 1/8 for four clusters, which no gain
    can make significant, 1/128 for eight, 1/2048 for twelve.
    """
    gains = np.asarray(gains_by_cluster, dtype=float)
    if gains.ndim != 1 or len(gains) < 2 or not np.isfinite(gains).all():
        raise ValueError(
            "a sign-flip test needs the finite gains of at least two clusters, got"
            f" {gains_by_cluster!r}"
        )
    exact = len(gains) <= 16
    if exact:
        signs = _all_signs(len(gains))
    else:
        flips = np.random.default_rng(seed).integers(2, size=(n_resamples, len(gains)))
        signs = 1.0 - 2 * flips
    # Gains are shares of few examples, so equal sums are common; rounding must not tell them apart.
    as_far = np.abs(signs @ gains) >= abs(gains.sum()) - 1e-12 * np.abs(gains).sum()
    return float(as_far.mean() if exact else (as_far.sum() + 1) / (n_resamples + 1))


@lru_cache(maxsize=2)  # for sixteen clusters it takes ten times as long as the test, and 8 MB
def _all_signs(n_clusters: int) -> np.ndarray:
    """(2^G, G) every choice of signs."""
    flips = np.arange(2**n_clusters)[:, None] >> np.arange(n_clusters) & 1
    signs: np.ndarray = 1.0 - 2 * flips
    return signs


def least_sign_flip_p(n_clusters: int, n_resamples: int = 65536) -> float:
    """The smallest p-value that `sign_flip_test` can give: 2/2^G, or one in all that are drawn."""
    return 2 / 2**n_clusters if n_clusters <= 16 else 1 / (n_resamples + 1)


def _by_cluster(outcomes: ArrayLike, clusters: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Totals and sizes, (G,) each."""
    outcomes, clusters = np.asarray(outcomes, dtype=float), np.asarray(clusters)
    if outcomes.shape != clusters.shape or outcomes.ndim != 1:
        raise ValueError(
            f"outcomes and clusters must be two lists of one length, got {outcomes.shape} and"
            f" {clusters.shape}"
        )
    _, index, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise ValueError(
            f"the spread between clusters takes at least two of them, got {len(sizes)}"
        )
    return np.bincount(index, outcomes), sizes


def _paired(before: ArrayLike, after: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    before, after = np.asarray(before, dtype=bool), np.asarray(after, dtype=bool)
    if before.shape != after.shape or before.ndim != 1 or len(before) == 0:
        raise ValueError(
            f"paired outcomes must be two lists of one length, got {before.shape} and {after.shape}"
        )
    return before, after
