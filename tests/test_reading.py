import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import recall_score, roc_auc_score

from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.reading import (
    CHOOSE_BY,
    batch_bias,
    collapsed,
    distance,
    placements,
    score_of,
)
from svdicl_lite.stats import interval_over_sets


def drawn(seed, n=60, n_classes=2, n_sets=3, decimals=1, read=1.0):
    """Scores that tell the classes apart somewhat, with ties, behind sets that lean each their
    own way.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(n_classes, size=n)
    sets = rng.integers(n_sets, size=n)
    leans = rng.normal(size=(n_sets, n_classes))
    scores = rng.normal(size=(n, n_classes)) + read * np.eye(n_classes)[labels] + leans[sets]
    return Evaluation(scores.round(decimals), labels, sets)


def area_by_definition(scores, labels):
    """One set's mean over pairs of classes of the share of pairs of examples in the right order."""
    areas = []
    for a, b in itertools.combinations(np.unique(labels), 2):
        d = scores[:, a] - scores[:, b]
        pairs = list(itertools.product(d[labels == a], d[labels == b]))
        areas.append(sum((x > y) + (x == y) / 2 for x, y in pairs) / len(pairs))
    return np.mean(areas) if areas else math.nan


cases = st.tuples(st.integers(0, 10**6), st.integers(2, 40), st.integers(2, 4), st.integers(1, 3))


@given(cases)
def test_discrimination_is_the_share_of_pairs_in_the_right_order_ties_counting_half(case):
    seed, n, n_classes, n_sets = case
    # whole numbers, so that differences tie exactly
    outcome = drawn(seed, n, n_classes, n_sets, decimals=0)
    by_hand = [
        area_by_definition(outcome.scores[rows], outcome.labels[rows]) for rows in outcome.members
    ]
    assert outcome.discrimination_by_set == pytest.approx(by_hand, abs=1e-12, nan_ok=True)
    known = [area for area in by_hand if not math.isnan(area)]
    expected = np.mean(known) if known else math.nan
    assert outcome.discrimination == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_discrimination_agrees_with_scikit_learn_pair_by_pair(n_classes):
    outcome = replace(drawn(0, 400, n_classes), demonstration_sets=None)
    areas = []
    for a, b in itertools.combinations(range(n_classes), 2):
        rows = np.isin(outcome.labels, (a, b))
        difference = outcome.scores[rows, a] - outcome.scores[rows, b]
        areas.append(roc_auc_score(outcome.labels[rows] == a, difference))
    assert outcome.discrimination == pytest.approx(np.mean(areas), abs=1e-12)


def test_two_classes_give_the_area_under_the_curve_of_the_log_odds():
    outcome = replace(drawn(1, 300), demonstration_sets=None)
    odds = outcome.scores[:, 1] - outcome.scores[:, 0]
    assert outcome.discrimination == pytest.approx(roc_auc_score(outcome.labels, odds), abs=1e-12)


@given(cases, st.lists(st.integers(-30, 30), min_size=12, max_size=12))
def test_no_lean_moves_discrimination_or_calibrated_answers(case, lean):
    outcome = drawn(*case, decimals=0)
    leaning = np.array(lean, dtype=float).reshape(3, 4)[:, : outcome.n_classes]
    moved = replace(outcome, scores=outcome.scores + leaning[outcome.demonstration_sets])
    np.testing.assert_array_equal(moved.placements, outcome.placements)
    # centred scores, up to rounding of numbers below 100
    first, second = (
        scores - scores[:, :1] for scores in (outcome.calibrated.scores, moved.calibrated.scores)
    )
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-12)


@given(cases)
def test_calibration_within_sets_subtracts_each_set_its_own_bias(case):
    outcome = drawn(*case)
    for name in np.unique(outcome.demonstration_sets):
        rows = outcome.demonstration_sets == name
        expected = outcome.scores[rows] - batch_bias(outcome.scores[rows])
        np.testing.assert_allclose(outcome.calibrated.scores[rows], expected, rtol=0, atol=1e-12)


def test_calibration_finds_what_two_opposite_leans_hid():
    labels = np.tile([0, 1], 20)
    sets = np.repeat([0, 1], 20)
    right = np.eye(2)[labels]
    lean = np.array([[5.0, 0], [0, 5]])[sets]
    outcome = Evaluation(right + lean, labels, sets)
    assert outcome.accuracy == 0.5 and outcome.discrimination == 1
    assert outcome.calibrated_accuracy == 1
    # over both sets each label is answered as often as due; within each, one takes all
    assert outcome.shares.tolist() == [0.5, 0.5]
    assert outcome.shares_by_set.tolist() == [[1, 0], [0, 1]]
    assert outcome.imbalance == pytest.approx(0.558, abs=5e-4) and outcome.collapsed


@given(
    st.lists(st.integers(0, 50), min_size=3, max_size=3),
    st.lists(st.integers(1, 50), min_size=3, max_size=3),
)
def test_the_lean_is_the_jensen_shannon_distance(answered, due):
    if sum(answered) == 0:
        return
    p, q = np.array(answered) / sum(answered), np.array(due) / sum(due)
    # a square root near 0 doubles the rounding of 1e-16
    assert distance(p, q) == pytest.approx(jensenshannon(p, q, base=2), abs=1e-7)
    assert distance(p, q) == pytest.approx(distance(q, p), abs=1e-7)


def test_the_lean_of_equal_distributions_is_nothing_and_of_disjoint_ones_one():
    assert distance([0.3, 0.7], [0.3, 0.7]) == 0 and distance([1, 0], [0, 1]) == 1


def test_guessing_leaves_a_lean_of_a_third_over_the_root_of_the_set_size():
    rng = np.random.default_rng(0)
    for size in (25, 100):
        labels = np.tile([0, 1], 2000 * size // 2)
        answers = rng.integers(2, size=len(labels))
        sets = np.repeat(np.arange(2000), size)
        imbalance = Evaluation(np.eye(2)[answers], labels, sets).imbalance
        assert imbalance == pytest.approx(1 / 3 / math.sqrt(size), rel=0.1)


def test_a_set_of_one_class_has_no_discrimination_and_is_left_out():
    outcome = Evaluation(
        np.array([[1.0, 0], [0, 1], [1, 0]]), np.array([0, 1, 0]), np.array([0, 0, 1])
    )
    assert np.isnan(outcome.placements).tolist() == [False, False, True]
    assert np.isnan(outcome.discrimination_by_set).tolist() == [False, True]
    assert outcome.discrimination == 1
    assert math.isnan(Evaluation(np.eye(2), np.zeros(2, dtype=int)).discrimination)


def test_placements_by_hand():
    scores = np.array([[0, 3.0], [0, 1], [0, 1], [0, 0]])
    labels = np.array([1, 1, 0, 0])
    # 3 beats 1 and 0; 1 ties with 1 and beats 0; from the other side the same
    assert placements(scores, labels).tolist() == [1, 0.75, 0.75, 1]


@given(cases)
def test_balanced_accuracy_and_majority_are_those_of_scikit_learn(case):
    outcome = drawn(*case)
    classes = np.unique(outcome.labels)
    counted = recall_score(outcome.labels, outcome.predictions, labels=classes, average="macro")
    assert outcome.balanced_accuracy == pytest.approx(counted, abs=1e-12)
    most = max(np.mean(outcome.labels == label) for label in range(outcome.n_classes))
    assert outcome.majority_accuracy == pytest.approx(most, abs=1e-12)


@pytest.mark.parametrize(
    "answered, due, expected",
    [
        ([0.96, 0.04], [0.5, 0.5], True),
        ([0.94, 0.06], [0.5, 0.5], False),
        ([0.98, 0.02], [0.68, 0.32], True),
        ([0.95, 0.05], [0.68, 0.32], False),
        ([0.0, 1.0], [0.97, 0.03], True),
        ([0.97, 0.03], [0.97, 0.03], False),
        ([0.0, 0.93, 0.07, 0.0], [0.25] * 4, True),
        ([1.0, 0.0], [1.0, 0.0], False),  # one class only: nothing else is due
    ],
)
def test_a_collapse_leaves_the_others_less_than_a_tenth_of_their_due(answered, due, expected):
    assert collapsed(np.array(answered), np.array(due)) == expected


def test_intervals_over_sets_are_those_of_the_sets_and_need_four():
    outcome = drawn(3, 200, n_sets=8)
    assert outcome.accuracy_over_sets == interval_over_sets(
        outcome.correct, outcome.demonstration_sets
    )
    by_set = outcome.discrimination_by_set
    assert outcome.discrimination_over_sets == interval_over_sets(by_set, np.arange(8))
    assert outcome.imbalance_over_sets.low <= outcome.imbalance <= outcome.imbalance_over_sets.high
    assert outcome.calibrated_over_sets == outcome.calibrated.accuracy_over_sets
    three = drawn(3, 200, n_sets=3)
    one = replace(three, demonstration_sets=None)
    for few in (three, one):
        assert few.accuracy_over_sets is None and few.imbalance_over_sets is None
        assert few.discrimination_over_sets is None and few.calibrated_over_sets is None


def test_intervals_over_sets_end_where_the_measure_does():
    right = Evaluation(np.eye(2)[np.tile([0, 1], 8)], np.tile([0, 1], 8), np.repeat(range(4), 4))
    assert right.discrimination_over_sets == (1, 1)
    nearly = replace(right, scores=np.vstack([[[0, 1.0]], right.scores[1:]]))
    assert nearly.accuracy_over_sets.high == 1 and nearly.accuracy_over_sets.low < 0.9


def test_a_search_may_choose_by_each_measure():
    outcome = drawn(5)
    assert CHOOSE_BY == ("accuracy", "calibrated", "discrimination")
    assert score_of(outcome) == score_of(outcome, "accuracy") == outcome.accuracy
    assert score_of(outcome, "calibrated") == outcome.calibrated_accuracy
    assert score_of(outcome, "discrimination") == outcome.discrimination


def test_a_measure_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="'f1', but must be one of accuracy, calibrated, discrim"):
        score_of(drawn(5), "f1")
    with pytest.raises(ValueError, match="no set of demonstrations stands before examples of two"):
        score_of(Evaluation(np.eye(2), np.zeros(2, dtype=int)), "discrimination")
