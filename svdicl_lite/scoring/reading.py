"""What the scores of a model can tell apart, and which label they lean to.

Accuracy mixes the two. Where scores rank the examples of one class above those of another, the
model has *read* them, even if its threshold stands so badly that it gives one answer to all; that
threshold is its *lean*. The functions here take arrays: `scores` (N, C) of the label words, right
classes `labels` (N,), and `sets` (N,), which set of demonstrations stood before each example (None
if one stood before all). A threshold belongs to its demonstrations, so everything is measured
within a set. Taught in chapter 03.
"""

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_softmax, xlogy

if TYPE_CHECKING:
    from svdicl_lite.scoring.evaluation import Evaluation

CHOOSE_BY = ("accuracy", "calibrated", "discrimination")
"""What a search can choose by: accuracy as in the paper, or one of two that no lean can move."""


def check_choose_by(choose_by: str) -> str:
    """The name itself; raises ValueError for one that is not in CHOOSE_BY."""
    if choose_by not in CHOOSE_BY:
        raise ValueError(f"choose_by is {choose_by!r}, but must be one of {', '.join(CHOOSE_BY)}")
    return choose_by


def score_of(evaluation: "Evaluation", choose_by: str = "accuracy") -> float:
    """The number by which a search compares candidates; higher is better.

    `choose_by`: "accuracy" (Yao et al. 2024), "calibrated" (accuracy after batch calibration within
    each set) or "discrimination". Raises ValueError for another name, and where discrimination is
    undefined because no set has examples of two classes.
    """
    check_choose_by(choose_by)
    if choose_by == "accuracy":
        return evaluation.accuracy
    if choose_by == "calibrated":
        return evaluation.calibrated_accuracy
    if np.isnan(evaluation.discrimination):
        raise ValueError(
            "discrimination is undefined, since no set of demonstrations stands before examples of"
            " two classes; take more examples, fewer sets, or choose by accuracy"
        )
    return evaluation.discrimination


def members(sets: np.ndarray | None, n: int) -> list[np.ndarray]:
    """Of each set, in the order of the sorted names, the indices of its examples."""
    if sets is None:
        return [np.arange(n)]
    _, sizes = np.unique(sets, return_counts=True)
    in_order = np.argsort(sets, kind="stable")  # by name, and within a set as they were
    return np.split(in_order, np.cumsum(sizes)[:-1])


# Discrimination.


def placements(scores: ArrayLike, labels: ArrayLike, sets: np.ndarray | None = None) -> np.ndarray:
    """(N,) of each example the share of the other classes' examples, in its own set, that it is
    rightly told apart from; NaN where its set has no other class.

    An example of class a and one of class b are told apart rightly if s_a − s_b is larger for the
    first; a tie counts half. With more than two classes the shares against each of them are
    averaged. A number added to all scores of a class changes nothing, so no lean shows here.
    """
    scores, labels = np.asarray(scores, dtype=float), np.asarray(labels)
    placed = np.full(len(labels), np.nan)
    for rows in members(sets, len(labels)):
        placed[rows] = _placements_within(scores[rows], labels[rows])
    return placed


def discrimination(placed: np.ndarray, labels: np.ndarray) -> float:
    """The discrimination of one set from its `placements`: their mean over the examples of each
    class, averaged over the classes. NaN for a set of one class.

    For two classes it is the area under the ROC curve; for more, the mean of that area over all
    pairs of classes (one against one, Hand & Till 2001), each pair ranked by s_a − s_b. Hand & Till
    rank by the probability of a and then of b, which a lean would move.
    """
    return float(np.mean([placed[labels == label].mean() for label in np.unique(labels)]))


def _placements_within(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    classes = np.unique(labels)
    if len(classes) < 2:
        return np.full(len(labels), np.nan)
    total = np.zeros(len(labels))
    for a, b in combinations(classes, 2):
        difference = scores[:, a] - scores[:, b]
        of_a, of_b = labels == a, labels == b
        total[of_a] += _share_below(difference[of_a], difference[of_b])
        total[of_b] += 1 - _share_below(difference[of_b], difference[of_a])
    return total / (len(classes) - 1)


def _share_below(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of each value the share of `others` below it, equal ones counting half."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, values, "left")
    not_above = np.searchsorted(ordered, values, "right")
    return (below + not_above) / (2 * len(others))


# Calibration.


def batch_bias(scores: ArrayLike) -> np.ndarray:
    """(C,) the mean log-probability of each label word over examples (N, C) without their labels
    (batch calibration, Zhou et al. 2023).

    The preference belongs to the prompt, so take it from examples after the same demonstrations as
    those it is for.
    """
    bias: np.ndarray = log_softmax(np.asarray(scores, dtype=float), axis=1).mean(0)
    return bias


def calibrated_scores(scores: ArrayLike, sets: np.ndarray | None = None) -> np.ndarray:
    """(N, C) the scores, less the batch bias of the set that each example is in.

    What is left does not depend on a number added to all scores of a class in a set. The labels are
    not used; the examples themselves are, all at once.
    """
    scores = np.array(scores, dtype=float)
    for rows in members(sets, len(scores)):
        scores[rows] -= batch_bias(scores[rows])
    return scores


# Lean.


def shares(classes: np.ndarray, n_classes: int) -> np.ndarray:
    """(C,) the share of each class among answers, or among right answers, (N,)."""
    return np.bincount(classes, minlength=n_classes) / len(classes)


def distance(one: ArrayLike, other: ArrayLike) -> float:
    """The Jensen-Shannon distance of two distributions (C,): 0 if they are equal, 1 if they share
    nothing.

    The square root, base 2, of H((p + q)/2) − (H(p) + H(q))/2 (Lin 1991; a metric, Endres &
    Schindelin 2003). One answer to all of two equally frequent classes is at .558.
    """
    p, q = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    divergence = _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2
    return float(np.sqrt(max(0.0, divergence)))  # rounding can leave −1e-17


def _entropy(shares: np.ndarray) -> float:
    """In bits."""
    return float(-xlogy(shares, shares).sum() / np.log(2))


def collapsed(answered: np.ndarray, due: np.ndarray) -> bool:
    """Whether one label is answered nearly always: all the others together get less than a tenth of
    what is due to them.

    `answered`, `due`: (C,) shares. Of two equally frequent classes, one gets more than 95 %.
    """
    most = int(answered.argmax())
    return bool(1 - answered[most] < (1 - due[most]) / 10)
