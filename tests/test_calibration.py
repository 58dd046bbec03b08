"""Calibration, from validation and from prompts without content."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svdicl_lite.scoring.calibration import CONTENT_FREE, batch_bias, calibrate, contextual_bias
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.plain import plain_scores
from svdicl_lite.scoring.prompts import draw_demonstrations, render
from svdicl_lite.tasks.task import Task

# Calibration.

scores = (
    st.integers(1, 12)
    .flatmap(
        lambda n: st.lists(
            st.lists(st.floats(-20, 20), min_size=3, max_size=3), min_size=n, max_size=n
        )
    )
    .map(np.array)
)


@given(scores, st.lists(st.floats(-5, 5), min_size=3, max_size=3))
def test_batch_calibration_undoes_a_preference_whatever_it_was(scores, preference):
    labels = np.zeros(len(scores), dtype=int)
    one, other = Evaluation(scores, labels), Evaluation(scores + preference, labels)
    calibrated, also = (
        calibrate(one, batch_bias(one.scores)).scores,
        calibrate(other, batch_bias(other.scores)).scores,
    )
    # equal up to a constant per example, which no argmax hears; scores of some 20 at 2e-16
    np.testing.assert_allclose(
        calibrated - calibrated[:, :1], also - also[:, :1], rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(
        np.ptp(batch_bias(calibrated)), 0, atol=1e-12
    )  # no preference is left


def test_calibration_from_validation_mends_a_model_that_always_gave_one_answer():
    rng = np.random.default_rng(0)

    def judged(n):
        labels = rng.integers(2, size=n)
        return Evaluation(
            np.stack([10 + rng.normal(size=n), 2.0 * labels + rng.normal(size=n)], axis=1), labels
        )

    validation, test = judged(500), judged(1000)
    assert test.balanced_accuracy < 0.51
    mended = calibrate(test, batch_bias(validation.scores))
    # classes 2 apart, noise √2: the best threshold gets Φ(1/√2) = 76 %; four standard deviations of
    # 1,000
    assert mended.accuracy == pytest.approx(0.76, abs=4 * math.sqrt(0.76 * 0.24 / 1000))
    assert np.array_equal(mended.labels, test.labels) and test.balanced_accuracy < 0.51


def test_sets_of_demonstrations_may_have_their_own_bias():
    evaluation = Evaluation(np.array([[5.0, 0], [0, 5]]), np.array([1, 0]))
    assert calibrate(evaluation, np.array([[9, 0], [0, 9]])).accuracy == 1


@pytest.mark.parametrize("shape", [(), (1,), (2,), (4,), (2, 1), (3, 2)])
def test_a_bias_of_another_shape_is_refused(shape):
    with pytest.raises(
        ValueError, match=r"the bias has shape .*, but must have \(3,\) or \(2, 3\)"
    ):
        calibrate(Evaluation(np.zeros((2, 3)), np.zeros(2)), np.zeros(shape))


def test_content_free_prompts_hold_the_demonstrations_and_nothing_to_judge(tokenizer, sentiment):
    task = Task(
        "pair", "text: {first} text: {second} sentiment: {label}", ("a", "b"), ("neg", "pos")
    )
    demonstrations = [
        {"first": "good", "second": "bad", "label": 1},
        {"first": "bad", "second": "bad", "label": 0},
    ]
    asked = []

    def score(prompts):
        asked.append(prompts)
        return np.log([[0.8, 0.2], [0.5, 0.5], [0.2, 0.8]])

    bias = contextual_bias(tokenizer, task, task.words(), demonstrations, score)
    assert bias == pytest.approx(np.log([0.5, 0.5]), abs=1e-12)
    shown = "".join(
        render(task, example, task.label_words[example["label"]]) for example in demonstrations
    )
    blanks = [shown + f"text: {blank} text: {blank} sentiment:" for blank in CONTENT_FREE]
    assert asked[0].contexts == tokenizer(blanks)["input_ids"] and len(asked) == 1


def test_contextual_calibration_leaves_no_preference_where_there_is_nothing_to_judge(
    pristine_model, tokenizer, sentiment
):
    words, demonstrations, asked = sentiment.words(), draw_demonstrations(sentiment, 4, 0), []

    def score(prompts):
        asked.append(plain_scores(pristine_model, prompts))
        return asked[-1]

    bias = contextual_bias(tokenizer, sentiment, words, demonstrations, score)
    p = np.exp(asked[0] - asked[0].max(1, keepdims=True))
    p = (p / p.sum(1, keepdims=True)).mean(0)
    # dividing by the mean probabilities makes them equal; scores are float32
    assert p / np.exp(bias) == pytest.approx([1, 1], abs=1e-6) and abs(bias[0] - bias[1]) > 1e-3
