import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_cases import case, evaluation
from sklearn.metrics import recall_score

from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.gains import class_weights, split_gain
from svdicl_lite.search.results import Comparison
from svdicl_lite.search.verdict import WHAT_P_COUNTS
from svdicl_lite.stats import interval_over_sets, mean_interval


def comparison(before, after):
    """Validation is not looked at by what is tested here."""
    return Comparison(before, after, before, after)


scores = st.integers(0, 10**6).map(
    lambda seed: np.random.default_rng(seed).normal(size=(2, 30, 3)).round(1)
)


@given(scores, st.lists(st.integers(0, 2), min_size=30, max_size=30), st.integers(1, 4))
def test_reading_and_lean_add_up_for_every_example_set_and_over_all(scores, labels, n_sets):
    labels, sets = np.array(labels), np.arange(30) % n_sets
    before, after = (Evaluation(s, labels, sets) for s in scores)
    reading, lean = split_gain(before, after)
    gain = after.correct.astype(float) - before.correct
    # sums of numbers of at most 30
    np.testing.assert_allclose(reading + lean, gain, rtol=0, atol=1e-13)
    result = comparison(before, after)
    assert result.reading + result.lean == pytest.approx(result.test_gain, abs=1e-13)


@given(scores, st.lists(st.integers(0, 2), min_size=30, max_size=30), st.integers(1, 4))
def test_reading_is_the_gain_in_balanced_accuracy_of_the_calibrated(scores, labels, n_sets):
    labels, sets = np.array(labels), np.arange(30) % n_sets
    before, after = (Evaluation(s, labels, sets) for s in scores)
    one, other = (
        recall_score(labels, outcome.calibrated.predictions, labels=[*set(labels)], average="macro")
        for outcome in (before, after)
    )
    assert split_gain(before, after)[0].mean() == pytest.approx(other - one, abs=1e-12)


def test_weights_count_every_class_alike():
    labels = np.array([0, 0, 0, 2])
    assert class_weights(labels).tolist() == [2 / 3, 2 / 3, 2 / 3, 2]
    assert (class_weights(np.array([1, 0, 1, 0])) == 1).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_threshold_that_moves_is_all_lean(seed):
    result = comparison(*case(seed, shift=1.2, lean=-1.5))
    assert not result.parts[0].any() and result.test_gain > 0.03
    assert result.lean == pytest.approx(result.test_gain, abs=1e-12)
    assert result.discrimination_gain == pytest.approx(0, abs=1e-12)
    assert result.kind == "lean" and "the gain is lean" in str(result)


def test_numbers_added_to_each_label_in_each_set_are_all_lean_for_any_number_of_classes():
    rng = np.random.default_rng(0)
    labels, sets = rng.integers(5, size=200), np.repeat(np.arange(8), 25)
    before = Evaluation(3 * rng.normal(size=(200, 5)), labels, sets)
    after = replace(before, scores=before.scores + 4 * rng.normal(size=(8, 5))[sets])
    result = comparison(before, after)
    assert not result.parts[0].any() and np.abs(result.parts[1]).mean() > 0.1


@pytest.mark.parametrize("seed", range(3))
def test_sharper_scores_without_a_lean_are_all_reading(seed):
    rng = np.random.default_rng(seed)
    sets, labels = np.repeat(np.arange(8), 50), np.tile([0, 1], 200)
    # a pair of examples mirrors the next, so that in each set the mean log-odds are 0
    noise = np.repeat(rng.standard_normal(200), 2) * np.where(labels, 1, -1)
    before = evaluation(1.0 * (labels - 0.5) + noise, labels, sets)
    after = evaluation(2.5 * (labels - 0.5) + noise, labels, sets)
    result = comparison(before, after)
    assert result.reading == pytest.approx(result.test_gain, abs=1e-12) and result.reading > 0.1
    assert result.lean == pytest.approx(0, abs=1e-12)
    assert result.kind == "reading" and "the gain is reading" in str(result)


def test_both_parts_are_told_apart_in_one_gain():
    result = comparison(*case(sharpened=2.5, shift=0.8, size=100))
    assert result.kind == "both" and min(result.reading, result.lean) > 0.03


def test_a_gain_by_lean_can_hide_a_loss_of_reading():
    result = comparison(*case(sharpened=0.55, shift=2.0, size=100, lean=-2.0))
    assert result.test_gain > 0 > result.reading
    assert result.kind == "lean" and "hides a loss of reading" in str(result)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"sharpened": 0.4, "lean": 0.0}, "loss of reading"),
        ({"shift": -1.5, "lean": 0.0}, "loss by lean"),
        ({"sharpened": 0.4, "shift": -2.0, "lean": 0.0, "signal": 3.0}, "loss of both"),
    ],
)
def test_a_loss_is_called_by_its_part(arguments, words):
    result = comparison(*case(size=100, **arguments))
    assert result.kind == "loss" and words in str(result)


def test_where_reading_rises_and_the_threshold_goes_further_astray_nothing_is_gained():
    result = comparison(*case(sharpened=2.0, shift=-2.5, lean=0.0, size=100))
    assert result.kind == "loss" and result.reading > 0.01 and result.gain_over_sets.high < 0
    assert "a loss by lean, larger than what better reading gained" in str(result)


@pytest.mark.parametrize("shift, label", [(20.0, 1), (-20.0, 0)])
def test_one_label_to_all_is_a_collapse_whatever_its_p(shift, label):
    # before, the classes that are rare are answered; after, the common one always is
    before, after = case(of_class_one=0.68 if label else 0.32, shift=shift, lean=0.0, signal=0.1)
    result = comparison(before, after)
    assert result.test_gain > 0 and result.p_value < 0.05
    assert result.kind == "collapse"
    assert f"collapse: label {label} gets 100% of the answers; accuracy" in str(result)
    back = comparison(after, after)
    assert "100% of the answers, as it was before" in str(back)


def test_on_shuffled_labels_a_lean_to_the_larger_class_is_no_reading():
    before, after = case(reads=False, of_class_one=0.68, shift=1.6, size=50)
    result = comparison(before, after)
    # accuracy rises, surely by any test of it, and nothing was read
    assert result.test_gain > 0.1 and result.p_value < 1e-4 and result.p_value_by_set < 0.01
    low, high = result.reading_over_sets
    assert low <= 0 <= high and result.kind == "lean"


def test_reading_is_claimed_on_shuffled_labels_no_oftener_than_in_one_of_twenty():
    claims, gains, repeats = 0, 0, 400
    for seed in range(repeats):
        size = 24
        before, after = case(seed, reads=False, of_class_one=2 / 3, shift=1.2, size=size)
        result = comparison(before, after)
        claims += result.kind in ("reading", "both")
        gains += result.gain_over_sets.low > 0
    # one side of 5 % is 2.5 %: 10 expected, standard deviation 3.1, three of them
    assert claims <= 20 and gains > repeats / 2


def test_intervals_are_over_sets_and_for_these_demonstrations():
    before, after = case(sharpened=1.5, shift=0.5)
    result, sets = comparison(before, after), before.demonstration_sets
    gain = after.correct.astype(float) - before.correct
    assert result.gain_over_sets == pytest.approx(interval_over_sets(gain, sets), abs=1e-12)
    assert result.reading_over_sets == interval_over_sets(result.parts[0], sets)
    assert result.lean_over_sets == interval_over_sets(result.parts[1], sets)
    assert result.reading_interval == mean_interval(result.parts[0])
    assert result.lean_interval == mean_interval(result.parts[1])
    change = after.discrimination_by_set - before.discrimination_by_set
    assert result.discrimination_gain == pytest.approx(change.mean(), abs=1e-12)
    assert result.discrimination_gain_over_sets == interval_over_sets(change, range(8))
    low, high = result.gain_over_sets
    shown = f"[{low:+.3f}, {high:+.3f}] over 8 sets of demonstrations".replace("-", "−")
    assert shown in str(result) and "for these demonstrations only [" in str(result)
    assert "(the least possible is .0078)" in str(result)


@pytest.mark.parametrize("n_sets, words", [(1, "one set says nothing"), (3, "3 sets say nothing")])
def test_too_few_sets_say_nothing_of_others(n_sets, words):
    result = comparison(*case(n_sets=n_sets, shift=1.2, lean=-1.5, size=200))
    assert result.gain_over_sets is None and result.reading_over_sets is None
    assert words in str(result) and "sign-flip" not in str(result)
    assert "the gain is lean" in str(result)
    assert "(for these demonstrations only)" in str(result)


def test_one_set_before_all_needs_no_names():
    before, after = (
        replace(outcome, demonstration_sets=None) for outcome in case(n_sets=1, shift=0.8)
    )
    named = comparison(*case(n_sets=1, shift=0.8))
    assert comparison(before, after).verdict() == named.verdict()


def test_the_parts_that_are_printed_add_up_to_the_gain_that_is_printed():
    for seed in range(30):
        text = str(comparison(*case(seed, n_sets=4, size=20, sharpened=1.2, shift=0.5)))
        line = next(line for line in text.splitlines() if " points = " in line)
        numbers = re.findall(r"(?:gain|reading|lean) ([+−]?[\d.]+)", line)
        gain, reading, lean = (float(number.replace("−", "-")) for number in numbers)
        assert gain == pytest.approx(reading + lean, abs=1e-9)


def test_a_result_says_what_it_would_have_missed():
    result = comparison(*case(sharpened=1.02, lean=0.0, size=100))
    seen = result.smallest_gain_seen
    assert result.kind == "none" and 0.01 < seen < 0.3
    assert f"a gain under {100 * seen:.1f} points would be missed" in str(result)
    # half of the width of the interval is the gain that it can just tell from 0
    low, high = result.gain_over_sets
    assert seen == pytest.approx((high - low) / 2, rel=0.25)


def test_where_nothing_changed_nothing_is_judged():
    before, _ = case()
    result = comparison(before, before)
    assert result.kind == "none" and result.smallest_gain_seen is None
    assert "nothing changed on test" in str(result)


def test_every_verdict_says_what_p_counts_and_what_the_commonest_label_gets():
    text = str(comparison(*case(of_class_one=0.68, shift=0.4)))
    assert WHAT_P_COUNTS in text and "always the commonest label 0.680" in text


def test_no_number_in_a_verdict_has_a_hyphen_for_a_minus():
    text = str(comparison(*case(shift=-1.0)))
    assert "−" in text and not re.search(r"-\d", text.replace("e-", ""))


def test_outcomes_of_other_examples_are_refused():
    before, after = case()
    for other in (
        replace(after, labels=1 - after.labels),
        replace(after, demonstration_sets=after.demonstration_sets[::-1].copy()),
        Evaluation(after.scores[:50], after.labels[:50], after.demonstration_sets[:50]),
    ):
        with pytest.raises(ValueError, match="split example by example, but before has 400 and"):
            split_gain(before, other)


def test_a_change_of_which_neither_part_is_shown_is_unclear():
    before, after = case(shift=0.1)
    by_set = np.array([0.3, 0.0, 0.3, -0.1, 0.3, 0.0, 0.1, -0.1])
    reading, gain = np.repeat(by_set, 50), np.repeat(np.arange(8) / 1000 + 0.1, 50)

    class Undivided(Comparison):
        parts = reading, gain - reading

    result = Undivided(before, after, before, after)
    # the gain is 0.1 in every set, and now all of it reading, now all lean
    assert result.gain_over_sets.low > 0
    assert result.reading_over_sets.low < 0 and result.lean_over_sets.low < 0
    assert result.kind == "unclear" and "whether by reading or by lean" in str(result)


def test_no_interval_of_a_change_leaves_what_a_change_can_be():
    labels, sets = np.tile([0, 1], 70), np.repeat(np.arange(7), 20)
    wrong = np.eye(2)[1 - labels]
    right_in_six = np.where((sets < 6)[:, None], np.eye(2)[labels], wrong)
    before, after = (Evaluation(scores, labels, sets) for scores in (wrong, right_in_six))
    result = comparison(before, after)
    free = interval_over_sets((sets < 6).astype(float), sets)
    assert free.high > 1, "nothing is cut off, so nothing is tested"
    assert result.gain_over_sets == (free.low, 1)
    low, high = result.reading_over_sets
    assert low >= -1 and high <= 1
    assert result.discrimination_gain_over_sets.high == 1
