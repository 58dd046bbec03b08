"""What published accuracies, before and after on the same examples, can and cannot say about a
gain. Taught in chapter 09.
"""

from math import sqrt
from typing import NamedTuple

from svdicl_lite.stats import Interval


class Pairing(NamedTuple):
    """One way in which two published accuracies could have come about."""

    n_lost: int  # right before, wrong after
    n_won: int  # wrong before, right after
    interval: Interval  # 95 %, of the gain
    p_value: float  # exact McNemar


class GainNoise(NamedTuple):
    """A published gain, and three ways in which it could have come about."""

    gain: float
    best: Pairing  # as few examples changed as the gain needs
    independent: Pairing  # as many as if the answers after knew nothing of those before
    worst: Pairing  # as many as the two accuracies allow


def gain_noise(before: float, after: float, n: int, decimals: int = 4) -> GainNoise:
    """What two accuracies on the same `n` examples, published to `decimals` digits, say about the
    gain: bounds over all pairings.

    Who won and who lost is not published, but n_won − n_lost is, and n_lost can only lie between
    max(0, right before − right after) and min(right before, wrong after). A gain significant at
    `worst` is so whatever happened, one that is not at `best` cannot be. A clip that leaves most
    answers as they were lies between `best` and `independent`. Intervals are Wald's with ½ added to
    each of the four counts (Agresti & Min 2005). Noise here is that of the examples, for one set of
    demonstrations.

    Raises ValueError if no count out of `n` rounds to an accuracy: then its denominator was
    another.
    """
    right_before, right_after = _count(before, n, decimals), _count(after, n, decimals)
    won_more = right_after - right_before
    least, most = max(0, -won_more), min(right_before, n - right_after)
    by_chance = min(max(round(right_before * (n - right_after) / n), least), most)
    return GainNoise(
        won_more / n, *(_pairing(lost, lost + won_more, n) for lost in (least, by_chance, most))
    )


def _count(accuracy: float, n: int, decimals: int) -> int:
    count = round(accuracy * n) if n > 0 and 0 <= accuracy <= 1 else -1
    if count < 0 or abs(count / n - accuracy) > 0.5 * 10**-decimals + 1e-12:
        raise ValueError(
            f"no count out of n = {n} rounds to an accuracy of {accuracy} ({decimals} decimals);"
            " perhaps another n was divided by"
        )
    return count


def _pairing(n_lost: int, n_won: int, n: int) -> Pairing:
    from scipy.stats import binomtest

    n_changed, centre = n_lost + n_won, (n_won - n_lost) / (n + 2)
    half = 1.959964 * sqrt((n_changed + 1) / (n + 2) ** 2 - centre**2 / (n + 2))
    p_value = binomtest(n_won, n_changed, 0.5).pvalue if n_changed else 1.0
    return Pairing(
        n_lost, n_won, Interval(max(-1.0, centre - half), min(1.0, centre + half)), float(p_value)
    )
