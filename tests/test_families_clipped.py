"""Every family clipped: each module and role to its rank and back, one expert alone; refusals."""

import family_models
import pytest
import torch
from families import build
from family_models import MOE, TOKENS, families, only, pristine, roles
from torch import nn

from svdicl_lite.clipping.clip import Clip, clip_, clipped
from svdicl_lite.clipping.families import MODULES
from svdicl_lite.clipping.matrices import attention, blocks, feed_forward, matrices
from svdicl_lite.clipping.svd import rank_at

# Fixtures: pytest looks for their names here.
model = family_models.model


@families
def test_each_module_and_role_is_cut_to_its_rank_and_put_back(name, model, fingerprint):
    before = fingerprint(model)
    for module in (*MODULES, *sorted(roles(name))):
        clip = Clip(model, 1, module)
        originals = [matrix.weight.clone() for matrix in clip.matrices]
        with clip.at(0.75):
            after = fingerprint(model)
            holders = {matrix.name for matrix in clip.matrices}
            assert {n for n in before if before[n] != after[n]} <= {
                n for n in before if n.rpartition(".")[0] in holders
            }
            for matrix, W in zip(clip.matrices, originals):
                rank = rank_at(min(W.shape), 0.75)
                U, S, Vh = torch.linalg.svd(W.double(), full_matrices=False)
                best = (U[:, :rank] * S[:rank]) @ Vh[:rank]
                # Written in float32, which rounds at 6e-8 of entries below 2, and read from the
                # model anew.
                torch.testing.assert_close(matrix.weight.double(), best, rtol=1e-6, atol=1e-7)
        assert fingerprint(model) == before
        with clip.at(0):
            assert fingerprint(model) == before
        clip.apply(0)
        assert fingerprint(model) == before


@families
def test_an_error_inside_puts_every_bit_back_even_odd_ones(name, fingerprint):
    model = build(name)
    for parameter in model.parameters():
        if parameter.ndim == 1:
            parameter.data.flatten()[0] = torch.nan
    for matrix in matrices(model, 1):
        W = matrix.weight.clone()
        W[0, 0], W[0, 1] = -0.0, 1e-42  # a negative zero and a subnormal
        matrix.write(W)
    before = fingerprint(model)
    for factored in (False, True):
        with pytest.raises(KeyboardInterrupt):
            with Clip(model, 1, "all").at(0.9, factored):
                raise KeyboardInterrupt
        assert fingerprint(model) == before


@pytest.mark.parametrize("name", ("gpt2", "gpt_neox", "phi3"))
def test_a_part_of_a_fused_matrix_may_be_clipped_beside_a_broken_one(name, fingerprint):
    model = build(name)
    only(model, "q").stored.fill_(torch.nan)
    before = fingerprint(model)
    with clipped(model, 1, "k", 0.9):
        assert only(model, "q").weight.isnan().all() and fingerprint(model) != before
    assert fingerprint(model) == before
    with pytest.raises(ValueError, match="cannot clip layer 1 q: .* NaN or infinity"):
        clip_(model, 1, "attn", 0.5)


@pytest.mark.parametrize("name", MOE)
def test_one_expert_is_clipped_alone(name, model, fingerprint):
    clip, before = (
        Clip(model, 1, "mlp", expert=2),
        {str(m): m.weight.clone() for m in matrices(model, 1)},
    )
    assert [str(matrix) for matrix in clip.matrices] == [
        f"layer 1 {role} of expert 2" for role in ("gate", "up", "fc_out")
    ]
    with clip.at(0.9):
        moved = {str(m) for m in matrices(model, 1) if not torch.equal(m.weight, before[str(m)])}
    assert moved == {str(matrix) for matrix in clip.matrices}


@families
@torch.no_grad()
def test_branches_are_what_the_residual_stream_gets(name, model):
    """A model whose branches are replaced by silence passes its input through."""
    block, hidden = blocks(model)[1], []
    if name == "bloom":
        assert (
            attention(block) is None and feed_forward(block) is None
        )  # they add the residual themselves
        return
    branches = [branch for branch in (attention(block), feed_forward(block)) if branch is not None]
    assert len(branches) == 1 + (name not in ("opt", "mpt"))

    def silent(module, args, out):
        return (
            tuple(torch.zeros_like(x) if i == 0 else x for i, x in enumerate(out))
            if isinstance(out, tuple)
            else torch.zeros_like(out)
        )

    hooks = [branch.register_forward_hook(silent) for branch in branches]
    hooks.append(
        block.register_forward_hook(
            lambda module, args, out: hidden.append(
                (args[0], out[0] if isinstance(out, tuple) else out)
            )
        )
    )
    model(TOKENS)
    for hook in hooks:
        hook.remove()
    ((before, after),) = hidden
    if name in ("gemma2", "olmo2"):  # normed once more on the way, which makes zero of zero
        assert torch.equal(before, after)
    elif len(branches) == 2:
        torch.testing.assert_close(before, after, rtol=0, atol=1e-6)
    else:
        assert not torch.equal(before, after)  # the MLP still speaks


@pytest.mark.parametrize(
    "name, mlp", [("persimmon", {"fc_in", "fc_out"}), ("deepseek_v3", {"gate", "up", "fc_out"})]
)
def test_attention_that_cannot_be_told_is_refused_and_the_mlp_is_not(name, mlp, model):
    for module in ("attn", "all"):
        with pytest.raises(
            TypeError,
            match=(
                rf"cannot find q, k, v in layer 1 of this {type(model).__name__}, which has o,"
                r" .*NAMES and FUSED"
            ),
        ):
            matrices(model, 1, module)
    assert {matrix.role for matrix in matrices(model, 1, "mlp")} == mlp


@pytest.mark.parametrize("name", ("qwen3_next",))
def test_a_layer_that_hides_more_than_its_name_says_is_refused(name, model):
    """Its q_proj makes a gate for every head beside the query."""
    with pytest.raises(
        TypeError,
        match=(
            "self_attn.q_proj of a Qwen3NextDecoderLayer is named as q is, but its 64 outputs do"
            " not fit its o"
        ),
    ):
        matrices(model, 1, "all")


@pytest.mark.parametrize(
    "name, role, has",
    [
        ("llama", "fc_in", "q, k, v, o, gate, up, fc_out"),
        ("gpt_neox", "up", "q, k, v, o, fc_in, fc_out"),
    ],
)
def test_a_role_the_model_does_not_have_is_refused_by_those_it_has(name, role, has, model):
    with pytest.raises(
        ValueError,
        match=(
            f"module is '{role}', but layer 2 of this {type(model).__name__} has no such matrix; it"
            f" has {has}$"
        ),
    ):
        matrices(model, 2, role)


def test_experts_that_are_not_there_are_refused():
    with pytest.raises(
        ValueError, match="expert is 0, but layer 1 of this LlamaForCausalLM has no experts"
    ):
        matrices(pristine("llama"), 1, "mlp", expert=0)
    for expert in (-1, 4, "shared", True):
        with pytest.raises(
            ValueError,
            match=(
                f"expert is {expert!r}, but layer 1 of this MixtralForCausalLM has experts 0 to 3$"
            ),
        ):
            matrices(pristine("mixtral"), 1, "mlp", expert)
    with pytest.raises(
        ValueError,
        match=(
            "expert is 4, but layer 0 of this Qwen2MoeForCausalLM has experts 0 to 3 or 'shared'$"
        ),
    ):
        matrices(pristine("qwen2_moe"), 0, "all", 4)
    with pytest.raises(
        ValueError,
        match=(
            "expert is 1, but the attn of layer 1 of this MixtralForCausalLM belongs to no expert;"
            " only its mlp"
        ),
    ):
        matrices(pristine("mixtral"), 1, "attn", 1)


def test_a_layer_without_experts_in_a_model_with_experts_is_dense():
    model = build("deepseek_v3")
    assert {m.expert for m in matrices(model, 0, "mlp")} == {None} and {
        m.expert for m in matrices(model, 1, "mlp")
    } == {0, 1, 2, 3, "shared"}


def test_a_decoder_of_ones_own_is_found_by_its_names():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.ModuleDict(
                {key: nn.Linear(4, 4) for key in ("q_proj", "k_proj", "v_proj", "out_proj")}
            )
            self.fc1, self.fc2 = nn.Linear(4, 8), nn.Linear(8, 4)

    model = nn.ModuleDict(
        {
            "tower": nn.ModuleList([Block(), Block()]),
            "heads": nn.ModuleList([nn.Linear(4, 4) for _ in range(5)]),
        }
    )
    assert [(m.role, m.name) for m in matrices(model, 1)] == [
        ("q", "tower.1.attention.q_proj"),
        ("k", "tower.1.attention.k_proj"),
        ("v", "tower.1.attention.v_proj"),
        ("o", "tower.1.attention.out_proj"),
        ("fc_in", "tower.1.fc1"),
        ("fc_out", "tower.1.fc2"),
    ]
