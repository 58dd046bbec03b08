"""Changes that are no clip of a module: compared before and after as a search's choice is."""

import numpy as np
import pytest
from scipy.special import log_softmax

from svdicl_lite.clipping.controls import dropped
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.sweeps import sweep_cells
from svdicl_lite.search.without_rate import calibration, compare


@pytest.fixture
def evaluators(pristine_model, tokenizer, sentiment):
    return [
        ICLEvaluator(pristine_model, tokenizer, sentiment, split, n=30, n_shots=2, seeds=(0, 1, 2))
        for split in ("validation", "test")
    ]


def test_a_dropped_layer_is_judged_on_both_sets_before_and_after(
    pristine_model, evaluators, fingerprint
):
    validation, test = evaluators
    weights = fingerprint(pristine_model)
    result = compare(validation, test, lambda: dropped(pristine_model, 1))
    with dropped(pristine_model, 1):
        after = validation.plain(), test.plain()
    np.testing.assert_allclose(result.validation_after.scores, after[0].scores, rtol=0, atol=1e-4)
    np.testing.assert_allclose(result.test_after.scores, after[1].scores, rtol=0, atol=1e-4)
    assert (
        np.array_equal(result.test_before.scores, test().scores)
        and fingerprint(pristine_model) == weights
    )
    assert np.abs(result.test_after.scores - result.test_before.scores).max() > 1e-2
    assert result.test_gain == pytest.approx(after[1].accuracy - test().accuracy)


def test_calibration_subtracts_what_each_set_prefers_on_validation(evaluators):
    validation, test = evaluators
    result = calibration(validation, test)
    told, asked = validation(), test()
    for number in range(
        3
    ):  # set by set: the mean log-probability of each word over the validation examples behind it
        bias = log_softmax(
            told.scores[told.demonstration_sets == number].astype(float), axis=1
        ).mean(0)
        rows = asked.demonstration_sets == number
        np.testing.assert_allclose(
            result.test_after.scores[rows], asked.scores[rows] - bias, atol=1e-6
        )
    assert np.array_equal(result.test_before.scores, asked.scores)


def test_calibration_of_other_demonstrations_is_refused(
    pristine_model, tokenizer, sentiment, evaluators
):
    other = ICLEvaluator(
        pristine_model, tokenizer, sentiment, "test", n=30, n_shots=2, seeds=(0, 1, 3)
    )
    with pytest.raises(
        ValueError, match=r"validation has the demonstration seeds \(0, 1, 2\) and test \(0, 1, 3\)"
    ):
        calibration(evaluators[0], other)


def test_a_set_judged_on_itself_is_refused(pristine_model, evaluators):
    for attempt in (calibration, lambda *both: compare(*both, lambda: dropped(pristine_model, 1))):
        with pytest.raises(ValueError, match="validation and test share 30 examples"):
            attempt(evaluators[0], evaluators[0])


def test_one_module_may_be_given_as_a_string(pristine_model):
    assert sweep_cells(pristine_model, [1], "mlp", (0.0, 0.5)) == sweep_cells(
        pristine_model, [1], ["mlp"], (0.0, 0.5)
    )
