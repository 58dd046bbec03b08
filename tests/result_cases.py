"""Outcomes made by hand, before and after a clip."""

import numpy as np

from svdicl_lite.scoring.evaluation import Evaluation


def evaluation(odds, labels, sets):
    """Two classes whose scores differ by these log-odds."""
    odds = np.asarray(odds, dtype=float)
    return Evaluation(np.stack((-odds / 2, odds / 2), axis=1), labels, sets)


def case(
    seed=0,
    n_sets=8,
    size=50,
    of_class_one=0.5,
    signal=1.5,
    sharpened=1.0,
    shift=0.0,
    lean=-0.8,
    reads=True,
):
    """Before and after: each set has a lean of its own; a change sharpens and shifts the scores."""
    rng = np.random.default_rng(seed)
    sets = np.repeat(np.arange(n_sets), size)
    labels = (np.arange(len(sets)) % size < of_class_one * size).astype(int)
    truth = labels if reads else rng.permutation(labels)
    leans = (lean + 0.4 * rng.standard_normal(n_sets))[sets]
    noise, other = rng.standard_normal((2, len(sets)))
    before = signal * (truth - 0.5) + noise + leans
    after = sharpened * signal * (truth - 0.5) + 0.95 * noise + 0.3 * other + leans + shift
    if sharpened == 1 and reads:
        after = before + shift  # nothing but the threshold
    return evaluation(before, labels, sets), evaluation(after, labels, sets)
