"""How large a gain must be to be seen: the power of the paired tests of `svdicl_lite.stats`.

Ask before an experiment, with the share of answers that you expect to change; after one, to say
what it would have missed. Taught in chapter 04.
"""

import numpy as np


def power(
    gain: float,
    n: int,
    sets: int = 1,
    changed: float = 0.3,
    spread: float = 0.0,
    confidence: float = 0.95,
) -> float:
    """The chance that a true `gain` in accuracy is called one (its 95 % interval lies above 0), on
    `n` examples dealt out to `sets` of demonstrations.

    `changed`: the share of answers that turn from right to wrong or back. `spread`: the standard
    deviation of the true gain from set to set. A set's mean gain then has the variance v = spread²
    + (changed − gain²) sets / n, and the t test over sets sees gain / √(v / sets) with sets − 1
    degrees of freedom. One set speaks for itself alone: every example counts as a set, which is
    McNemar's test for large n. Raises ValueError for a gain that so few changes cannot make.
    """
    from scipy.special import nctdtr
    from scipy.stats import t

    if abs(gain) > changed:
        raise ValueError(
            f"a gain of {gain:g} takes more than the {changed:g} of answers said to change; give a"
            " larger changed"
        )
    groups, spread = (n, 0.0) if sets == 1 else (sets, spread)
    variance = spread**2 + (changed - gain**2) * groups / n
    critical = t.ppf((1 + confidence) / 2, groups - 1)
    if variance == 0:
        return float(gain != 0)
    # Student's t, not centred; its distribution function fails far out, where it is 0
    shift = min(30.0, abs(gain) / np.sqrt(variance / groups))
    return float(1 - nctdtr(groups - 1, shift, critical))


def smallest_gain_seen(
    n: int,
    sets: int = 1,
    changed: float = 0.3,
    spread: float = 0.0,
    chance: float = 0.5,
) -> float | None:
    """The gain that is told from 0 with this `chance`: a smaller one would be missed more often
    than not. None where not even the gain `changed`, all changes for the better, is so large.

    Arguments as in `power`, to 1e-6 by bisection.
    """
    from scipy.optimize import bisect

    def missing(gain: float) -> float:
        return power(gain, n, sets, changed, spread) - chance

    if missing(changed) < 0:
        return None
    return float(bisect(missing, 0, changed, xtol=1e-6))
