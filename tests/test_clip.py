import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import GPT2LMHeadModel

from svdicl_lite.clipping.clip import Clip, clip_, clipped
from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.svd import SVD, rank_at

ROLES = ("q", "k", "v", "o", "fc_in", "fc_out")
MODULE_NAMES = ("attn", "mlp", "all", *ROLES)
PARAMETER = {
    "q": "attn.c_attn.weight",
    "k": "attn.c_attn.weight",
    "v": "attn.c_attn.weight",
    "o": "attn.c_proj.weight",
    "fc_in": "mlp.c_fc.weight",
    "fc_out": "mlp.c_proj.weight",
}
places = {
    "layer": st.integers(0, 2),
    "module": st.sampled_from(MODULE_NAMES),
    "clip_rate": st.floats(0, 1),
}
real_rates = st.floats(0.05, 1)  # each drops at least one of 32 singular values


def weights(model, layer, module="all"):
    return {matrix.role: matrix.weight.clone() for matrix in matrices(model, layer, module)}


def changed(before, after):
    return {name for name in before if before[name] != after[name]}


@given(layer=st.integers(0, 2), module=st.sampled_from(MODULE_NAMES))
def test_clip_at_zero_leaves_weights_untouched(pristine_model, fingerprint, layer, module):
    before = fingerprint(pristine_model)
    with clipped(pristine_model, layer, module, 0):
        assert fingerprint(pristine_model) == before
    clip_(pristine_model, layer, module, 0.0)
    Clip(pristine_model, layer, module).apply(0)
    assert fingerprint(pristine_model) == before


@given(**places)
def test_leaving_the_context_restores_every_bit(
    pristine_model, fingerprint, layer, module, clip_rate
):
    before = fingerprint(pristine_model)
    originals = weights(pristine_model, layer)
    with clipped(pristine_model, layer, module, clip_rate):
        pass
    assert all(
        torch.equal(W, originals[role]) for role, W in weights(pristine_model, layer).items()
    )
    assert fingerprint(pristine_model) == before


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@given(**{**places, "clip_rate": real_rates})
def test_an_error_inside_restores_every_bit_and_gets_out(
    pristine_model, fingerprint, error, layer, module, clip_rate
):
    before = fingerprint(pristine_model)
    with pytest.raises(error, match="from inside"):
        with clipped(pristine_model, layer, module, clip_rate):
            assert fingerprint(pristine_model) != before
            raise error("from inside")
    assert fingerprint(pristine_model) == before


def test_an_error_while_clipping_restores_what_was_clipped_already(model, fingerprint):
    before, seen = fingerprint(model), []

    def fails_the_third_time(self, rank):
        seen.append(fingerprint(model))
        if len(seen) == 3:
            raise MemoryError("no room")
        return self.truncate(rank)

    clip = Clip(model, 1, "all", how=fails_the_third_time)
    with pytest.raises(MemoryError, match="no room"):
        with clip.at(0.5):
            raise AssertionError("the body must not run on a half-clipped model")
    assert seen[2] != before and fingerprint(model) == before


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_restoring_is_bit_for_bit_in_other_precisions_too(model, fingerprint, dtype):
    model.to(dtype)
    before = fingerprint(model)
    with clipped(model, 1, "all", 0.5):
        assert fingerprint(model) != before
        assert {p.dtype for p in model.parameters()} == {dtype}
    assert fingerprint(model) == before


def test_negative_zeros_come_back_as_negative_zeros(model, fingerprint):
    with torch.no_grad():
        model.transformer.h[0].mlp.c_fc.weight[:, ::2] = -0.0
    before = fingerprint(model)
    with clipped(model, 0, "fc_in", 0.5):
        pass
    clip_(model, 0, "fc_in", 0)
    assert fingerprint(model) == before


@pytest.mark.parametrize("layer", [0, 2])
@pytest.mark.parametrize("role", ROLES)
def test_clipping_one_role_changes_its_matrix_and_nothing_else(model, fingerprint, layer, role):
    before, originals = fingerprint(model), {i: weights(model, i) for i in range(3)}
    clip_(model, layer, role, 0.5)
    assert changed(before, fingerprint(model)) == {f"transformer.h.{layer}.{PARAMETER[role]}"}
    moved = {
        (i, name)
        for i in range(3)
        for name, W in weights(model, i).items()
        if not torch.equal(W, originals[i][name])
    }
    assert moved == {(layer, role)}  # q leaves k and v alone, though all three are one parameter


@pytest.mark.parametrize("module, roles", [("attn", ROLES[:4]), ("mlp", ROLES[4:]), ("all", ROLES)])
def test_clipping_a_module_leaves_embeddings_head_biases_norms_and_other_layers(
    model, fingerprint, module, roles
):
    before = fingerprint(model)
    clip_(model, 1, module, 0.9)
    assert changed(before, fingerprint(model)) == {
        f"transformer.h.1.{PARAMETER[role]}" for role in roles
    }


@given(layer=st.integers(0, 2), clip_rate=real_rates)
def test_each_matrix_is_cut_to_the_rank_of_the_rate_by_its_own_factors(
    pristine_model, layer, clip_rate
):
    originals = weights(pristine_model, layer)
    with clipped(pristine_model, layer, "all", clip_rate):
        for role, W in weights(pristine_model, layer).items():
            best = SVD.of(originals[role]).truncate(rank_at(32, clip_rate))
            assert torch.equal(W, best.float()), role


@pytest.mark.parametrize("clip_rate, rank", [(0.5, 16), (0.9, 3), (0.995, 1), (1, 0)])
def test_clipped_matrices_have_the_promised_rank(model, clip_rate, rank):
    clip_(model, 2, "all", clip_rate)
    for role, W in weights(model, 2).items():
        S = torch.linalg.svdvals(W.double())
        # Storing in float32 errs by 6e-8 an entry, so by ‖error‖₂ ≤ 6e-8 · ‖W‖_F ≤ 6e-8 · √32 ·
        # σ_max in each singular value.
        assert (4e-7 * S[0] < S).sum() == rank, role


def test_rates_of_one_clip_do_not_add_up(model):
    clip = Clip(model, 1, "mlp")
    with clip.at(0.5):
        at_half = weights(model, 1)
    clip.apply(0.9)
    clip.apply(0.5)  # from the original factors, so less is lost again
    assert all(torch.equal(W, at_half[role]) for role, W in weights(model, 1).items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_factored_in_double_and_rounded_once(model, dtype):
    model.to(dtype)
    originals = weights(model, 1)
    clip_(model, 1, "all", 0.75)
    for role, W in weights(model, 1).items():
        assert W.dtype == dtype and torch.equal(W, SVD.of(originals[role]).truncate(8).to(dtype)), (
            role
        )


def test_a_singular_matrix_is_clipped_like_any_other(model):
    (matrix,) = matrices(model, 1, "fc_in")
    matrix.write(torch.outer(torch.arange(128.0), torch.ones(32)))
    before = matrix.weight.clone()
    for rate in (0.5, 0.995):  # of rank one already
        with clipped(model, 1, "fc_in", rate):
            torch.testing.assert_close(
                matrix.weight, before, rtol=1e-6, atol=1e-5
            )  # float32, entries up to 127
    matrix.write(torch.zeros_like(before))
    with clipped(model, 1, "fc_in", 0.5):
        assert (matrix.weight == 0).all()


def test_another_way_to_make_the_matrix_gets_the_factors_and_the_rank(model, fingerprint):
    def smallest(factors, rank):
        """The components that truncation drops, as many of them."""
        return (factors.U[:, -rank:] * factors.S[-rank:]) @ factors.Vh[-rank:]

    before, originals = fingerprint(model), weights(model, 1, "mlp")
    clip = Clip(model, 1, "mlp", how=smallest)
    with clip.at(0.75):
        for role, W in weights(model, 1, "mlp").items():
            assert torch.equal(W, smallest(SVD.of(originals[role]), 8).float())
    with clip.at(0):
        assert fingerprint(model) == before
    assert fingerprint(model) == before


def test_contexts_can_be_nested(model, fingerprint):
    before = fingerprint(model)
    with clipped(model, 0, "attn", 0.9):
        outer = fingerprint(model)
        with clipped(model, 0, "all", 0.5):
            assert fingerprint(model) != outer
        assert fingerprint(model) == outer
    assert fingerprint(model) == before


def test_a_clip_can_be_entered_again_and_again(model, fingerprint):
    clip, before = Clip(model, 1, "q"), fingerprint(model)
    inside = []
    for clip_rate in (0.5, 0.9, 0.5):
        with clip.at(clip_rate):
            inside.append(fingerprint(model))
        assert fingerprint(model) == before
    assert inside[0] == inside[2] != inside[1]


@torch.no_grad()
def test_the_model_computes_with_the_clipped_matrix(model):
    tokens = torch.arange(10)[None]
    with clipped(
        model, 1, "mlp", 1
    ):  # a block without its MLP matrices adds the bias of the second and nothing else
        hidden = model(tokens, output_hidden_states=True).hidden_states
        block = model.transformer.h[1]
        expected = hidden[1] + block.attn(block.ln_1(hidden[1]))[0] + block.mlp.c_proj.bias
        torch.testing.assert_close(
            hidden[2], expected, rtol=0, atol=1e-4
        )  # float32 sums of 32 terms of size 10 at most
    assert not torch.equal(model(tokens, output_hidden_states=True).hidden_states[2], hidden[2])


def test_clipping_for_good_returns_the_model_and_survives_saving(model, fingerprint, tmp_path):
    assert clip_(model, 1, "attn", 0.75) is model
    model.save_pretrained(tmp_path)
    assert fingerprint(GPT2LMHeadModel.from_pretrained(tmp_path)) == fingerprint(model)


def test_a_clipped_model_can_still_be_trained(model):
    with clipped(model, 1, "all", 0.5):
        model(torch.arange(8)[None], labels=torch.arange(8)[None]).loss.backward()
    assert model.transformer.h[1].attn.c_attn.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("clip_rate", [-0.01, 1.01, math.nan, math.inf, "True", "0.5", None])
def test_bad_rates_are_refused_and_nothing_changes(model, fingerprint, clip_rate):
    before, clip = fingerprint(model), Clip(model, 0, "all")
    for attempt in (
        lambda: clip_(model, 0, "all", clip_rate),
        lambda: clip.apply(clip_rate),
        lambda: clip.at(clip_rate).__enter__(),
        lambda: clipped(model, 0, "all", clip_rate),
    ):
        with pytest.raises(ValueError, match=r"clip_rate is .*must be a number in \[0, 1\]"):
            attempt()
    assert fingerprint(model) == before


def test_unknown_modules_and_layers_are_refused_and_nothing_changes(model, fingerprint):
    before = fingerprint(model)
    for act in (clip_, clipped):
        with pytest.raises(ValueError, match="module is 'mpl', but must be one of attn, mlp"):
            act(model, 0, "mpl", 0.5)
        for layer in (-1, 3):
            with pytest.raises(
                IndexError, match=f"layer is {layer}, but this model has layers 0 to 2"
            ):
                act(model, layer, "mlp", 0.5)
    assert fingerprint(model) == before


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_in_a_matrix_is_named_by_layer_and_role_and_nothing_changes(
    model, fingerprint, role, bad
):
    matrices(model, 1, role)[0].weight[3, 5] = bad
    before = fingerprint(model)
    for module in (role, "all"):
        for act in (clip_, clipped):
            with pytest.raises(ValueError, match=rf"cannot clip layer 1 {role}: .*NaN or infinity"):
                act(model, 1, module, 0.5)
    assert fingerprint(model) == before
    clip_(model, 0, "all", 0.5)  # other layers are not in the way
