import io
import re

import numpy as np
import pytest
from scripted_search import RATES, Scripted, plant_layers, run_script

from svdicl_lite.clipping.clip import clipped
from svdicl_lite.clipping.spectra import condition_table
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.algorithm1 import search_clip_rate
from svdicl_lite.search.greedy import greedy_search
from svdicl_lite.search.sweeps import sweep
from svdicl_lite.stats import mcnemar, paired_bootstrap


def test_the_best_rate_on_validation_is_chosen_and_tested_once_before_and_once_after(model):
    result, diary = run_script(model, {0: 10, 0.1: 12, 0.5: 15, 0.75: 11}, {0: 9, 0.5: 11})
    assert result.clip_rate == 0.5 and (result.layer, result.module) == (2, "mlp")
    assert diary == [
        ("validation", 0),
        ("validation", 0.1),
        ("validation", 0.5),
        ("validation", 0.75),
        ("test", 0),
        ("test", 0.5),
    ]
    assert [evaluation.accuracy for evaluation in result.validation] == [0.5, 0.6, 0.75, 0.55]
    assert result.clip_rates == RATES and result.chosen is result.validation[2]
    assert (result.test_before.accuracy, result.test_after.accuracy) == (0.45, 0.55)


@pytest.mark.parametrize(
    "scores, chosen",
    [
        ((10, 10, 10, 10), 0.0),  # clipping must beat the model as it is
        ((10, 12, 12, 12), 0.1),
        ((10, 9, 11, 11), 0.5),
        ((12, 11, 10, 9), 0.0),
        ((10, 11, 10, 12), 0.75),
    ],
)
def test_strictly_better_wins_and_ties_keep_the_earlier_rate(model, scores, chosen):
    result, _ = run_script(model, dict(zip(RATES, scores)), dict.fromkeys(RATES, 10))
    assert result.clip_rate == chosen


def test_earlier_means_earlier_in_the_candidates_given(model):
    result, _ = run_script(
        model, {0: 10, 0.5: 12, 0.1: 12}, dict.fromkeys(RATES, 10), clip_rates=(0, 0.5, 0.1)
    )
    assert result.clip_rate == 0.5


def test_the_test_set_has_no_say(model):
    for test in ({0: 20, 0.1: 0, 0.5: 20, 0.75: 20}, {0: 0, 0.1: 20, 0.5: 0, 0.75: 0}):
        result, _ = run_script(model, {0: 10, 0.1: 11, 0.5: 9, 0.75: 9}, test)
        assert result.clip_rate == 0.1


def test_no_clipping_is_tested_no_more_than_twice_and_has_no_gain(model):
    result, diary = run_script(model, dict.fromkeys(RATES, 10), {0: 13})
    tested = [entry for entry in diary if entry[0] == "test"]
    assert 1 <= len(tested) <= 2 and diary[-len(tested) :] == tested
    assert (result.test_gain, result.validation_gain, result.optimism, result.p_value) == (
        0,
        0,
        0,
        1,
    )


def test_optimism_is_validation_gain_minus_test_gain(model):
    result, _ = run_script(model, {0: 10, 0.1: 12, 0.5: 16, 0.75: 11}, {0: 9, 0.5: 11})
    # twentieths: 6 promised, 2 kept
    assert result.validation_gain == pytest.approx(0.3) and result.test_gain == pytest.approx(0.1)
    assert result.optimism == pytest.approx(0.2)


def test_the_verdict_is_that_of_the_paired_tests_on_the_test_set(model):
    result, _ = run_script(model, {0: 10, 0.1: 12, 0.5: 16, 0.75: 11}, {0: 3, 0.5: 14})
    before, after = np.arange(20) < 3, np.arange(20) < 14
    assert result.p_value == mcnemar(before, after) < 0.01
    assert result.gain_interval == paired_bootstrap(before, after)
    for part in (
        "mlp of layer 2 at ξ = 0.5",
        "test accuracy 0.150 [0.052, 0.360] → 0.700 [0.481, 0.855], n = 20",
        "balanced accuracy 0.150 → 0.700",
        "gain +0.550",
        "n = 20",
        "validation promised +0.300",
    ):
        assert part in str(result)


def test_the_model_is_left_as_it_was(model, fingerprint):
    before = fingerprint(model)
    run_script(model, {0: 10, 0.1: 12, 0.5: 16, 0.75: 11}, {0: 3, 0.5: 14})
    assert fingerprint(model) == before


@pytest.mark.parametrize("fails", ["validation", "test"])
def test_the_model_is_left_as_it_was_when_an_evaluator_fails(model, fingerprint, fails):
    before = fingerprint(model)
    scripts = {"validation": {0: 10, 0.1: 12, 0.5: 16, 0.75: 11}, "test": {0: 3, 0.5: 14}}
    del scripts[fails][0.5]
    with pytest.raises(KeyError, match="0.5"):
        run_script(model, scripts["validation"], scripts["test"])
    assert fingerprint(model) == before


def test_the_layer_is_chosen_by_condition_number_and_then_clipped(model):
    plant_layers(model, "mlp", [(50, 50), (900, 50), (10, 10)])
    diary = []
    judges = [
        Scripted(model, name, dict.fromkeys(RATES, 10) | {0.5: 12}, diary, layer=1)
        for name in ("validation", "test")
    ]
    result = search_clip_rate(model, *judges, "mlp", clip_rates=RATES)
    assert result.layer == 1 and result.clip_rate == 0.5
    assert [rate for _, rate in diary] == [
        0,
        0.1,
        0.5,
        0.75,
        0,
        0.5,
    ]  # it is layer 1 that the judge sees clipped


def test_search_by_real_evaluators_finds_what_evaluating_by_hand_finds(
    model, fingerprint, tokenizer, sentiment
):
    before = fingerprint(model)
    validation = ICLEvaluator(
        model, tokenizer, sentiment, "validation", n=40, n_shots=2, seeds=(0, 1)
    )
    test = ICLEvaluator(model, tokenizer, sentiment, "test", n=40, n_shots=2, seeds=(0, 1))
    result = search_clip_rate(model, validation, test, "attn", layer=0, clip_rates=RATES)
    by_hand, tested = [], {}
    for rate in RATES:
        with clipped(model, 0, "attn", rate):
            by_hand.append(validation().accuracy)
            tested[rate] = test()
    assert [evaluation.accuracy for evaluation in result.validation] == by_hand
    assert result.clip_rate == RATES[int(np.argmax(by_hand))]
    assert np.array_equal(result.test_before.scores, tested[0].scores)
    np.testing.assert_allclose(
        result.test_after.scores, tested[result.clip_rate].scores, rtol=0, atol=1e-4
    )  # thin layers round otherwise
    assert fingerprint(model) == before


def test_work_on_a_terminal_shows_how_long_it_will_last_and_elsewhere_nothing(
    model, tokenizer, sentiment, monkeypatch
):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    validation, test = (
        ICLEvaluator(model, tokenizer, sentiment, split, n=4, n_shots=0, seeds=(0,))
        for split in ("validation", "test")
    )
    for stderr, shown in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr("sys.stderr", stderr)
        condition_table(model)
        search_clip_rate(model, validation, test, layer=1, clip_rates=(0, 0.5))
        sweep(model, validation, clip_rates=(0, 0.5))
        greedy_search(model, validation, test, layers=(1,), clip_rates=(0, 0.5))
        for bar in ("singular values:.*3/3", "validation:.*2/2", "sweep:.*12/12", "greedy:.*2/2"):
            assert (
                bool(re.search(bar + r" \[\d\d:\d\d<", stderr.getvalue())) == shown
            )  # time gone < time to go
