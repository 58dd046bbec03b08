"""The sweep, and what a search or a sweep refuses before anything is judged."""

import numpy as np
import pytest
from scripted_search import outcome, run_script

from svdicl_lite.clipping.clip import Clip, clipped
from svdicl_lite.clipping.controls import how_of
from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.spectra import condition_table
from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.scoring.evaluator import FromLayer, ICLEvaluator
from svdicl_lite.search.algorithm1 import search_clip_rate
from svdicl_lite.search.checks import check_clip_rates
from svdicl_lite.search.rules.registry import select_layer
from svdicl_lite.search.sweeps import sweep


def test_a_sweep_has_a_row_for_every_layer_module_and_rate(
    model, fingerprint, tokenizer, sentiment
):
    before = fingerprint(model)
    evaluator = ICLEvaluator(model, tokenizer, sentiment, n=20, n_shots=2, seeds=(0,))
    table = sweep(model, evaluator, layers=(0, 2), modules=("mlp", "q"), clip_rates=(0, 0.9))
    assert {*zip(table["layer"], table["module"], table["clip_rate"])} == {
        (i, m, r) for i in (0, 2) for m in ("mlp", "q") for r in (0, 0.9)
    }
    assert len(table) == 8 and fingerprint(model) == before
    for row in table.itertuples():
        with clipped(model, row.layer, row.module, row.clip_rate):
            expected = evaluator()
        np.testing.assert_allclose(row.evaluation.scores, expected.scores, rtol=0, atol=1e-4)
        assert (row.accuracy, row.n, row.balanced_accuracy) == (
            expected.accuracy,
            20,
            expected.balanced_accuracy,
        )
        assert (row.low, row.high) == expected.interval


def test_a_sweep_takes_all_layers_and_both_modules_unless_told(model):
    class Constant:
        def __init__(self):
            self.model, self.outcome = model, lambda scores: outcome(10)

        def from_layer(self, layer, below=None):
            return lambda module: outcome(10)

    table = sweep(model, Constant(), clip_rates=(0, 0.5))
    assert {*zip(table["layer"], table["module"])} == {
        (layer, module) for layer in range(3) for module in ("mlp", "attn")
    }


def test_a_sweep_judges_the_model_as_it_is_once(model):
    judged = []

    class Counting:
        def __init__(self):
            self.model, self.outcome = model, lambda scores: outcome(10)

        def from_layer(self, layer, below=None):
            return lambda module: judged.append((layer, module)) or outcome(10)

    table = sweep(model, Counting(), clip_rates=(0, 0.5, 0.9))
    assert len(table) == 3 * 2 * 3 and len(judged) == 3 * 2 * 2 + 1


def test_rates_that_leave_the_same_ranks_are_judged_once(model, monkeypatch, tokenizer, sentiment):
    evaluator = ICLEvaluator(model, tokenizer, sentiment, n=12, n_shots=2, seeds=(0,))
    runs, judge = [], FromLayer.__call__
    monkeypatch.setattr(
        FromLayer, "__call__", lambda self, module: runs.append(module) or judge(self, module)
    )
    for method in ("svd", "random-subspace", "drop"):
        runs.clear()
        table = sweep(
            model, evaluator, (1, 2), ("mlp", "q"), (0, 0.9, 0.99, 0.995), method=method
        )  # of 32 these leave 32, 3, 1, 1
        assert len(table) == 16 and len(runs) == 1 + 2 * 2 * 2
        for row in table.itertuples():
            with Clip(model, row.layer, row.module, how=how_of(method)).at(row.clip_rate):
                np.testing.assert_allclose(
                    row.evaluation.scores, evaluator().scores, rtol=0, atol=1e-4
                )


def test_the_candidates_of_the_paper_are_accepted():
    assert check_clip_rates(CLIP_RATES) == CLIP_RATES == (0, 0.1, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995)


@pytest.mark.parametrize("rates", [(), (0.1, 0), (0.5,)])
def test_candidates_that_do_not_begin_with_zero_are_refused(model, fingerprint, rates):
    before = fingerprint(model)
    with pytest.raises(
        ValueError, match="the first candidate rate must be 0, the model as it is, got"
    ):
        run_script(model, {}, {}, clip_rates=rates)
    assert fingerprint(model) == before


@pytest.mark.parametrize("bad", [-0.1, 1.5, float("nan"), "0.5"])
def test_a_candidate_outside_zero_to_one_is_refused_before_anything_is_judged(model, bad):
    with pytest.raises(ValueError, match=r"clip_rate is .*must be a number in \[0, 1\]"):
        run_script(model, {}, {}, clip_rates=(0, 0.5, bad))  # an empty script would raise KeyError


def test_a_sweep_refuses_a_bad_rate_before_anything_is_judged(model):
    def judge():
        raise AssertionError("judged already")

    with pytest.raises(ValueError, match="clip_rate is 2, but must be a number"):
        sweep(model, judge, clip_rates=(0, 0.5, 2))


@pytest.mark.parametrize("top_k", [0, 4, -1])
def test_a_top_k_beyond_the_layers_is_refused(model, top_k):
    with pytest.raises(
        ValueError, match=f"top_k is {top_k}, but must be between 1 and 3, the number of layers"
    ):
        select_layer(model, "mlp", top_k)


def test_an_unknown_reduction_or_module_or_layer_is_refused(model):
    with pytest.raises(
        ValueError, match="reduction is 'min', but must be one of max, mean, median"
    ):
        select_layer(model, "mlp", reduction="min")
    with pytest.raises(ValueError, match="module is 'ffn', but must be one of"):
        select_layer(model, "ffn")
    with pytest.raises(IndexError, match="layer is 3, but this model has layers 0 to 2"):
        run_script(model, {}, {}, layer=3)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nan_in_a_matrix_is_named_by_layer_and_role(model, fingerprint, bad):
    matrices(model, 1, "fc_out")[0].weight[0, 0] = bad
    before = fingerprint(model)
    for attempt in (
        lambda: condition_table(model),
        lambda: select_layer(model, "mlp"),
        lambda: run_script(model, {}, {}, layer=None),
    ):
        with pytest.raises(ValueError, match="cannot judge layer 1 fc_out: .*NaN or infinity"):
            attempt()
    with pytest.raises(ValueError, match="cannot clip layer 1 fc_out: .*NaN or infinity"):
        run_script(model, {}, {}, layer=1)
    assert fingerprint(model) == before


def test_evaluators_of_another_model_are_refused(model, pristine_model, tokenizer, sentiment):
    # They would judge a model that is never clipped, and report no gain at any rate.
    other = ICLEvaluator(pristine_model, tokenizer, sentiment, n=4, n_shots=0, seeds=(0,))
    own = ICLEvaluator(model, tokenizer, sentiment, n=4, n_shots=0, seeds=(0,))
    for validation, test in ((other, own), (own, other)):
        with pytest.raises(ValueError, match="another model"):
            search_clip_rate(model, validation, test, "mlp", layer=0, clip_rates=(0, 0.5))
    with pytest.raises(ValueError, match="another model"):
        sweep(model, other, layers=(0,), modules=("mlp",), clip_rates=(0, 0.5))
