"""How far an accuracy can be trusted: an interval for one, paired tests for two. Thin names over scipy.

Taught in chapter 07.
"""

from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    low: float
    high: float


def wilson_interval(n_correct: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval for an accuracy of n_correct / n (Wilson 1927): sound near 0 and 1, where ±1.96 s.e. is not."""
    from scipy.stats import binomtest

    if n < 1:
        raise ValueError("an accuracy needs at least one example, got n = 0")
    interval = binomtest(int(n_correct), int(n)).proportion_ci(confidence, method="wilson")
    return Interval(interval.low, interval.high)


def mcnemar(before: np.ndarray, after: np.ndarray) -> float:
    """The exact two-sided p-value of McNemar's test that two classifiers, judged on the same examples, are equally good.

    `before`, `after`: (n,) bool, example i right or wrong. Only the discordant examples speak; under the null each falls
    either way with probability ½ (McNemar 1947).
    """
    from scipy.stats import binomtest

    before, after = _paired(before, after)
    lost, won = int((before & ~after).sum()), int((~before & after).sum())
    return 1.0 if lost + won == 0 else binomtest(won, lost + won, 0.5).pvalue


def paired_bootstrap(
    before: np.ndarray, after: np.ndarray, confidence: float = 0.95, n_resamples: int = 9999, seed: int = 0
) -> Interval:
    """A percentile bootstrap interval for the gain, mean(after) − mean(before), on the same examples (n,) bool."""
    from scipy.stats import bootstrap

    before, after = _paired(before, after)
    gain = after.astype(float) - before.astype(float)
    if (gain == gain[0]).all():
        return Interval(gain[0], gain[0])
    result = bootstrap(
        (gain,), np.mean, confidence_level=confidence, n_resamples=n_resamples, method="percentile", batch=100,
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    return Interval(result.confidence_interval.low, result.confidence_interval.high)


def holm(p_values) -> np.ndarray:
    """Holm's step-down correction (Holm 1979): p-values (m,) adjusted so that calling those ≤ α holds the chance of any
    false call among all m at α."""
    p = np.asarray(p_values, dtype=float)
    order = p.argsort()
    adjusted = np.maximum.accumulate(np.minimum(1, p[order] * np.arange(len(p), 0, -1)))
    return adjusted[order.argsort()]


def _paired(before, after) -> tuple[np.ndarray, np.ndarray]:
    before, after = np.asarray(before, dtype=bool), np.asarray(after, dtype=bool)
    if before.shape != after.shape or before.ndim != 1 or len(before) == 0:
        raise ValueError(f"paired outcomes must be two lists of one length, got {before.shape} and {after.shape}")
    return before, after
