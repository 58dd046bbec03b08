"""Condition numbers and the layer that they choose."""

import numpy as np
import pytest
import torch
from scripted_search import RATES, ROLES, plant_layers, run_script

from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.spectra import condition_table
from svdicl_lite.clipping.svd import singular_values
from svdicl_lite.search.rules.question import Question
from svdicl_lite.search.rules.registry import layer_of, select_layer

# Planted in float32: an entry errs by 6e-8 relatively, so a singular value by at most 6e-8 · ‖W‖_F,
# which is at most
# 6e-8 · √32 · σ_max. At a condition number of 9000, the largest planted, σ_min is then right to 0.3
# %.
REL = 4e-3


def test_a_random_layer_is_drawn_by_the_seed(model):
    def drawn():
        return [layer_of("random", Question(model, ("mlp",), seed=seed)) for seed in range(40)]

    assert {*drawn()} == {0, 1, 2} and drawn() == drawn()


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
