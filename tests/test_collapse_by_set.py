"""A collapse to another label after each set of demonstrations is said as what it is."""

import numpy as np

from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.search.results import Comparison

SETS = np.repeat(range(4), 20)
LABELS = np.tile([0, 1], 40)


def leaning(shift_by_set):
    """Scores that tell the classes apart, moved to label 0 by another number in each set."""
    scores = np.eye(2)[LABELS] + np.outer(np.repeat(shift_by_set, 20), [1, 0])
    return Evaluation(scores, LABELS, SETS)


def test_one_label_after_each_set_but_not_the_same_is_counted_in_sets():
    before, after = leaning([0, 0, 0, 0]), leaning([9, -9, 9, -9])
    assert list(after.collapsed_by_set) == [True] * 4 and not before.collapsed_by_set.any()
    said = str(Comparison(before, after, before, after))
    assert "collapse: after 4 of 4 sets of demonstrations one label gets nearly all" in said
    assert "not the same after each; accuracy says nothing" in said and "50%" not in said


def test_one_label_after_all_sets_is_named():
    before, after = leaning([0, 0, 0, 0]), leaning([9, 9, 9, 9])
    assert "collapse: label 0 gets 100% of the answers" in str(
        Comparison(before, after, before, after)
    )


def test_half_of_the_sets_are_enough_and_fewer_are_not():
    assert leaning([9, 9, 0, 0]).collapsed and not leaning([9, 0, 0, 0]).collapsed
