"""A gain in accuracy as its two parts, reading and lean. Taught in chapter 05."""

import numpy as np

from svdicl_lite.scoring.evaluation import Evaluation


def split_gain(before: Evaluation, after: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """(N,) the reading and (N,) the lean in a gain, example by example; their means are the two
    parts in points of accuracy.

    Let a_i and b_i be 1 where `after` and `before` are right on example i, and ã_i, b̃_i the same
    with each of them calibrated within its sets (`Evaluation.calibrated`: no labels, every label
    leaned to alike). Then, with y_i the right class, n_y its examples and K classes,

        reading_i = w_i (ã_i − b̃_i),  w_i = N / (K n_{y_i});  lean_i = (a_i − b_i) − reading_i.

    So reading_i + lean_i = a_i − b_i for each i, hence also for the mean over any examples: over
    all of them reading is the gain in balanced accuracy between the two calibrated models, and lean
    is what remains of the gain in accuracy. Three cases:

    - Numbers added to the scores of a label within a set, however they differ between sets, leave
      the calibrated answers as they were: reading 0, all is lean.
    - Scores of two models that answer as their calibrated selves, with classes of one size (w = 1):
      a_i = ã_i and b_i = b̃_i, so all is reading.
    - Scores that have nothing to do with the labels: any threshold has balanced accuracy 1/K, so
      reading is 0 in the mean, even where accuracy rises because one class is larger. That is what
      the weights w are for.

    Where it can mislead. Batch calibration puts the threshold at the mean of the scores, which is
    the best place for classes of one size whose scores are symmetric: with unequal classes, or
    scores that are skewed, both models stand a little wrong, and a change of their shape alone can
    pass for reading; `Evaluation.discrimination`, which knows no threshold, then does not move. The
    mean is taken of the examples in the set, so a set of a few examples adds noise. Among more than
    two classes the calibrated answer still depends on how the labels' scores spread, so a change of
    one label's spread moves answers between the others. Where the classes are option positions, the
    lean is to a position.

    Raises ValueError if the two were not judged on the same examples after the same sets.
    """
    same_sets = np.array_equal(_sets(before), _sets(after))
    if not np.array_equal(before.labels, after.labels) or not same_sets:
        raise ValueError(
            f"a gain is split example by example, but before has {before.n:,} and after"
            f" {after.n:,} examples with other labels or demonstrations; judge both by one"
            " evaluator"
        )
    gain = after.correct.astype(float) - before.correct
    calibrated = after.calibrated.correct.astype(float) - before.calibrated.correct
    reading = class_weights(before.labels) * calibrated
    return reading, gain - reading


def class_weights(labels: np.ndarray) -> np.ndarray:
    """(N,) weights of mean 1 with which every class counts alike: a weighted mean of right answers
    is the balanced accuracy.
    """
    _, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights: np.ndarray = len(labels) / (len(counts) * counts[index])
    return weights


def _sets(evaluation: Evaluation) -> np.ndarray:
    """(N,) one set before all where none is named."""
    sets = evaluation.demonstration_sets
    return np.zeros(evaluation.n, dtype=int) if sets is None else sets
