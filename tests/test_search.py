import io
import re

import numpy as np
import pytest
import torch

from svdicl_lite.clipping.clip import Clip, clipped
from svdicl_lite.clipping.controls import how_of
from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.spectra import condition_table
from svdicl_lite.clipping.svd import CLIP_RATES, rank_at, singular_values
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import FromLayer, ICLEvaluator
from svdicl_lite.search.algorithm1 import search_clip_rate
from svdicl_lite.search.checks import check_clip_rates
from svdicl_lite.search.greedy import greedy_search
from svdicl_lite.search.rules.question import Question
from svdicl_lite.search.rules.registry import layer_of, select_layer
from svdicl_lite.search.sweeps import sweep
from svdicl_lite.stats import mcnemar, paired_bootstrap

ROLES = ("q", "k", "v", "o", "fc_in", "fc_out")
# Planted in float32: an entry errs by 6e-8 relatively, so a singular value by at most 6e-8 · ‖W‖_F,
# which is at most
# 6e-8 · √32 · σ_max. At a condition number of 9000, the largest planted, σ_min is then right to 0.3
# %.
REL = 4e-3


def plant(model, layer, role, condition_number):
    """Writes a matrix with this condition number."""
    W = matrices(model, layer, role)[0].weight
    generator = torch.Generator().manual_seed(layer * 10 + ROLES.index(role))
    U, _, Vh = torch.linalg.svd(
        torch.randn(W.shape, generator=generator, dtype=torch.float64), full_matrices=False
    )
    W.copy_((U * torch.logspace(0, -np.log10(condition_number), 32, dtype=torch.float64)) @ Vh)


def plant_layers(model, module, condition_numbers):
    for layer, numbers in enumerate(condition_numbers):
        for matrix, number in zip(matrices(model, layer, module), numbers, strict=True):
            plant(model, layer, matrix.role, number)


def outcome(n_right, n=20):
    """An evaluation of n examples of which the first n_right are right."""
    predictions = np.array([0] * n_right + [1] * (n - n_right))
    return Evaluation(np.eye(2, dtype=np.float32)[predictions], np.zeros(n, dtype=int))


class Scripted:
    """An evaluator that looks how far the model is clipped, writes that into a shared diary, and
    answers by a script.
    """

    def __init__(self, model, name, script, diary, layer=2):
        self.model, self.name, self.script, self.diary, self.layer = (
            model,
            name,
            script,
            diary,
            layer,
        )
        self.split, self.examples = name, {name}

    def from_layer(self, layer, below=None):
        return lambda module: self()

    def outcome(self, scores):
        return Evaluation(scores, np.zeros(len(scores), dtype=int))

    def __call__(self):
        holder = self.model.get_submodule(
            f"transformer.h.{self.layer}.mlp.c_fc"
        )  # whatever stands there now, one matrix or two thin ones
        with torch.no_grad():
            W = holder(torch.eye(32)) - holder(torch.zeros(1, 32))
        rank = int(torch.linalg.matrix_rank(W.double(), rtol=1e-5))
        rate = next(rate for rate in CLIP_RATES if rank_at(32, rate) == rank)
        self.diary.append((self.name, rate))
        return outcome(self.script[rate])


RATES = (0.0, 0.1, 0.5, 0.75)  # of 32 these leave 32, 28, 16, 8


def run_script(model, validation, test, clip_rates=RATES, **arguments):
    diary = []
    judges = [
        Scripted(model, name, script, diary)
        for name, script in (("validation", validation), ("test", test))
    ]
    return (
        search_clip_rate(
            model, *judges, **{"module": "mlp", "layer": 2, "clip_rates": clip_rates, **arguments}
        ),
        diary,
    )


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


def test_a_random_layer_is_drawn_by_the_seed(model):
    def drawn():
        return [layer_of("random", Question(model, ("mlp",), seed=seed)) for seed in range(40)]

    assert {*drawn()} == {0, 1, 2} and drawn() == drawn()


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


@pytest.mark.parametrize("top_k, layer", [(1, 0), (2, 1), (3, 2)])
def test_the_deepest_of_the_top_k_is_selected(model, top_k, layer):
    plant_layers(model, "mlp", [(5000, 3), (700, 3), (20, 3)])
    assert select_layer(model, "mlp", top_k) == layer


@pytest.mark.parametrize("top_k, layer", [(1, 2), (2, 2), (3, 2)])
def test_shallow_layers_are_passed_over_when_the_deep_ones_are_worst(model, top_k, layer):
    plant_layers(model, "mlp", [(20, 3), (700, 3), (5000, 3)])
    assert select_layer(model, "mlp", top_k) == layer


@pytest.mark.parametrize("reduction, layer", [("max", 0), ("mean", 1), ("median", 2)])
def test_the_reduction_joins_the_matrices_of_a_module(model, reduction, layer):
    # max: 9000, 8000, 4500. mean: 2252, 4001, 3376. median: 2, 4001, 4500.
    plant_layers(model, "attn", [(9000, 2, 2, 2), (8000, 8000, 2, 2), (4500, 4500, 4500, 2)])
    assert select_layer(model, "attn", top_k=1, reduction=reduction) == layer


def test_only_the_module_asked_for_is_judged(model):
    plant_layers(
        model, "all", [(9, 9, 9, 9, 5000, 9), (9, 9, 9, 4000, 9, 9), (3000, 9, 9, 9, 9, 9)]
    )
    assert [
        select_layer(model, module, top_k=1) for module in ("mlp", "attn", "o", "q", "fc_in", "all")
    ] == [0, 1, 1, 2, 0, 0]


@pytest.mark.parametrize("how", ["zero", "equal rows"])
def test_a_singular_matrix_stands_in_the_table_and_leaves_the_choice_of_a_layer_to_you(model, how):
    plant_layers(model, "mlp", [(5000, 3), (3, 3), (700, 3)])
    W = matrices(model, 1, "fc_out")[0].weight
    (
        W.zero_() if how == "zero" else W[7].copy_(W[5])
    )  # the second has a σ_min of rounding errors, some 1e-17 σ_max
    table = condition_table(model, "mlp")
    assert np.isinf(table["condition_number"]).to_list() == [
        False,
        False,
        False,
        True,
        False,
        False,
    ]
    for reduction in ("max", "mean", "median"):
        with pytest.raises(
            ValueError, match="layer 1 fc_out is singular, .*; name the layer yourself"
        ):
            select_layer(model, "mlp", top_k=1, reduction=reduction)
    assert select_layer(model, "attn", top_k=1) in (
        0,
        1,
        2,
    )  # another module is none of its business
    assert run_script(model, dict.fromkeys(RATES, 10), {0: 10}, layer=2)[0].layer == 2


def test_condition_table_has_a_row_for_each_matrix_with_its_spectrum(model):
    numbers = [(9, 30, 100, 300, 900, 9000), (2, 4, 8, 16, 32, 64), (7, 77, 777, 7777, 70, 700)]
    plant_layers(model, "all", numbers)
    table = condition_table(model)
    assert [*zip(table["layer"], table["role"])] == [
        (layer, role) for layer in range(3) for role in ROLES
    ]
    assert table["condition_number"].to_numpy() == pytest.approx(np.ravel(numbers), rel=REL)
    assert table["sigma_max"].to_numpy() == pytest.approx(1, rel=REL)
    assert (table["sigma_max"] / table["sigma_min"]).to_numpy() == pytest.approx(
        table["condition_number"].to_numpy()
    )
    S = singular_values(matrices(model, 1, "v")[0].weight)
    row = table[(table["layer"] == 1) & (table["role"] == "v")].iloc[0]
    assert row["stable_rank"] == pytest.approx((S.square().sum() / S[0] ** 2).item())
    assert [*condition_table(model, "mlp")["role"]] == ["fc_in", "fc_out"] * 3


def test_looking_at_spectra_changes_nothing(model, fingerprint):
    before = fingerprint(model)
    condition_table(model)
    select_layer(model, "all")
    assert fingerprint(model) == before


def test_a_spectrum_is_found_once_and_anew_when_one_number_changes(model, monkeypatch):
    before, asked = condition_table(model), []
    monkeypatch.setattr(
        "svdicl_lite.clipping.spectra.singular_values",
        lambda W: asked.append(W) or singular_values(W),
    )
    assert condition_table(model).equals(before) and not asked
    W = matrices(model, 1, "k")[0].weight
    with torch.no_grad():
        W[0, 0] += 1
    after = condition_table(model)
    assert len(asked) == 1 and asked[0].equal(W)
    changed = (before["layer"] == 1) & (before["role"] == "k")
    assert after[~changed].equals(before[~changed])
    assert (
        after[changed]["sigma_max"].item()
        == pytest.approx(singular_values(W)[0].item())
        != before[changed]["sigma_max"].item()
    )


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
