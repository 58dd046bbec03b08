import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, T5Config, T5ForConditionalGeneration

from svdicl_lite.clipping.families import MODULES, roles_of
from svdicl_lite.clipping.matrices import blocks, matrices, n_layers

ROLES = ("q", "k", "v", "o", "fc_in", "fc_out")  # of GPT-2; its MLP has no gate
ALL_ROLES = ("q", "k", "v", "o", "fc_in", "gate", "up", "fc_out")
# Sums of at most 128 products of numbers of size 1 or so, in float32, which rounds at 6e-8: two
# orders of summing them may
# differ by some 1e-5. Anything that is really another matrix differs by far more.
ATOL = 1e-4


def weights(model, layer, module="all"):
    return {matrix.role: matrix.weight for matrix in matrices(model, layer, module)}


def random_input(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "module, roles",
    [("attn", ROLES[:4]), ("mlp", ROLES[4:]), ("all", ROLES), *((role, (role,)) for role in ROLES)],
)
def test_modules_hold_their_roles_in_order(pristine_model, module, roles):
    assert tuple(role for role in roles_of(module) if role in ROLES) == roles
    assert [(m.layer, m.role) for m in matrices(pristine_model, 1, module)] == [
        (1, role) for role in roles
    ]


def test_every_role_is_in_all_and_in_exactly_one_of_attn_and_mlp():
    assert sorted(MODULES["attn"] + MODULES["mlp"]) == sorted(MODULES["all"]) == sorted(ALL_ROLES)


def test_shapes_are_out_by_in(pristine_model):
    assert n_layers(pristine_model) == 3
    shapes = {role: tuple(weight.shape) for role, weight in weights(pristine_model, 0).items()}
    assert shapes == {
        "q": (32, 32),
        "k": (32, 32),
        "v": (32, 32),
        "o": (32, 32),
        "fc_in": (128, 32),
        "fc_out": (32, 128),
    }


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize(
    "role, path", [("o", "attn.c_proj"), ("fc_in", "mlp.c_fc"), ("fc_out", "mlp.c_proj")]
)
@torch.no_grad()
def test_a_matrix_maps_as_its_module_does(pristine_model, layer, role, path):
    module, W = (
        pristine_model.transformer.h[layer].get_submodule(path),
        weights(pristine_model, layer)[role],
    )
    x = random_input((5, W.shape[1]))
    torch.testing.assert_close(x @ W.T + module.bias, module(x), rtol=0, atol=ATOL)


@pytest.mark.parametrize("place, role", list(enumerate("qkv")))
@torch.no_grad()
def test_q_k_and_v_map_as_their_third_of_c_attn_does(pristine_model, place, role):
    module, W = pristine_model.transformer.h[1].attn.c_attn, weights(pristine_model, 1)[role]
    x, third = random_input((5, 32)), slice(32 * place, 32 * (place + 1))
    torch.testing.assert_close(x @ W.T + module.bias[third], module(x)[:, third], rtol=0, atol=ATOL)


@torch.no_grad()
def test_attention_without_v_outputs_its_biases_only(model):
    attn, hidden = model.transformer.h[1].attn, random_input((2, 7, 32))
    weights(model, 1)["v"].zero_()
    bias_of_v = attn.c_attn.bias[64:]
    # Attention weights sum to 1, so a mean of equal values is that value, whoever is attended to.
    expected = bias_of_v @ weights(model, 1)["o"].T + attn.c_proj.bias
    torch.testing.assert_close(attn(hidden)[0], expected.expand(2, 7, 32), rtol=0, atol=ATOL)


@torch.no_grad()
def test_attention_without_k_is_uniform_and_without_q_is_not(model):
    model.set_attn_implementation("eager")
    attn, hidden = model.transformer.h[1].attn, random_input((1, 7, 32))
    causal = torch.full((7, 7), torch.finfo(torch.float32).min).triu(1)[None, None]

    def attention_without(role):
        W = weights(model, 1)[role]
        saved = W.clone()
        W.zero_()
        pattern = attn(hidden, attention_mask=causal)[1][0]  # (heads, 7, 7)
        W.copy_(saved)
        return pattern

    uniform = torch.ones(7, 7).tril() / torch.arange(1, 8)[:, None]
    # Every key is then the bias: a query cannot tell one from the other.
    torch.testing.assert_close(attention_without("k"), uniform.expand(2, 7, 7), rtol=0, atol=1e-5)
    # Every query is then the bias: they agree on the keys, so two rows are proportional where both
    # may look.
    pattern = attention_without("q")
    torch.testing.assert_close(
        pattern[:, 6, :3] / pattern[:, 6, :1],
        pattern[:, 2, :3] / pattern[:, 2, :1],
        rtol=1e-4,
        atol=0,
    )
    assert (pattern - uniform).abs().max() > 0.01


@torch.no_grad()
def test_writing_into_a_matrix_writes_into_the_model(model):
    for layer in range(3):
        for W in weights(model, layer).values():
            W.fill_(0.25)
        block = model.transformer.h[layer]
        for module in (block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj):
            assert (module.weight == 0.25).all()


def test_matrices_are_all_that_is_in_the_blocks_but_biases_and_norms(pristine_model):
    found = sum(m.weight.numel() for layer in range(3) for m in matrices(pristine_model, layer))
    inside = sum(
        p.numel() for name, p in pristine_model.transformer.h.named_parameters() if p.ndim == 2
    )
    assert found == inside == 3 * 12 * 32 * 32


def test_a_matrix_is_named_by_layer_and_role(pristine_model):
    assert [str(m) for m in matrices(pristine_model, 2, "mlp")] == [
        "layer 2 fc_in",
        "layer 2 fc_out",
    ]


def test_matrices_do_not_ask_for_gradients(pristine_model):
    assert not any(m.weight.requires_grad for m in matrices(pristine_model, 0))
    assert all(p.requires_grad for p in pristine_model.parameters())


@pytest.mark.parametrize("module", ["", "ATTN", "attention", "c_attn", "down", None])
def test_unknown_modules_are_refused(pristine_model, module):
    with pytest.raises(
        ValueError,
        match=(
            f"module is {module!r}, but must be one of attn, mlp, all, q, k, v, o, fc_in, gate, up,"
            " fc_out"
        ),
    ):
        matrices(pristine_model, 0, module)


@pytest.mark.parametrize("layer", [-1, 3, 1.0, "1", None])
def test_layers_the_model_does_not_have_are_refused(pristine_model, layer):
    with pytest.raises(IndexError, match=f"layer is {layer!r}, but this model has layers 0 to 2"):
        matrices(pristine_model, layer, "mlp")


def test_layers_counted_by_numpy_are_layers_too(pristine_model):
    (last,) = np.flatnonzero([0, 0, 1])
    assert torch.equal(
        matrices(pristine_model, last, "q")[0].weight, matrices(pristine_model, 2, "q")[0].weight
    )


@pytest.mark.parametrize(
    "model", [torch.nn.Linear(2, 2), torch.nn.ModuleList([torch.nn.Linear(2, 2)])]
)
def test_models_without_blocks_are_refused(model):
    for act in (n_layers, blocks, lambda model: matrices(model, 0)):
        with pytest.raises(
            TypeError, match=f"cannot find the blocks of a {type(model).__name__}: "
        ):
            act(model)


def test_models_with_an_encoder_are_refused():
    model = T5ForConditionalGeneration(
        T5Config(vocab_size=32, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    )
    with pytest.raises(
        TypeError, match="a T5ForConditionalGeneration has an encoder beside its decoder"
    ):
        matrices(model, 0)


def test_two_layers_with_one_role_are_refused():
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=32,
            n_embd=16,
            n_layer=1,
            n_head=2,
            add_cross_attention=True,
            bos_token_id=0,
            eos_token_id=0,
        )
    )
    with pytest.raises(
        TypeError,
        match=r"both attn.c_attn and crossattention.c_attn of a GPT2Block look like its q",
    ):
        matrices(model, 0, "mlp")
