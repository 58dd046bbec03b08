"""Every family the package promises, and some it does not, on tiny random models: the right
matrices, cut and put back.
"""

import re

import family_models
import pytest
import torch
from families import HEADS, KV_HEADS, LAYERS, build
from family_models import KNOWN, MOE, TOKENS, families, only, pristine, roles

from svdicl_lite.clipping.matrices import blocks, feed_forward, matrices, n_layers

# Fixtures: pytest looks for their names here.
model = family_models.model
GATED = (
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma2",
    "phi3",
    "olmo2",
    "stablelm",
    "granite",
    "cohere",
    *MOE,
)
# What no clip may touch, of all that is more than a vector: embeddings, heads that are not tied to
# them, routers.
SPARED = {
    "gpt2": "wte wpe",
    "gptj": "wte lm_head",
    "gpt_neo": "wte wpe",
    "gpt_neox": "embed_in lm_head",
    "opt": "embed_tokens embed_positions",
    "bloom": "word_embeddings",
    "falcon": "word_embeddings",
    "falcon-new": "word_embeddings",
    "falcon-alibi": "word_embeddings",
    "gemma2": "embed_tokens",
    "cohere": "embed_tokens",
    "starcoder2": "embed_tokens",
    "mpt": "wte",
    "codegen": "wte lm_head",
    "gpt_bigcode": "wte wpe",
    "gpt_bigcode-heads": "wte wpe",
    "mixtral": "embed_tokens lm_head mlp.gate",
    "qwen3_moe": "embed_tokens lm_head mlp.gate",
    "qwen2_moe": "embed_tokens lm_head mlp.gate mlp.shared_expert_gate",
    "gpt_oss": (
        "embed_tokens lm_head mlp.router mlp.experts.down_proj_bias mlp.experts.gate_up_proj_bias"
    ),
}


class replaced:
    """A context in which a matrix is another one."""

    def __init__(self, matrix, W):
        self.matrix, self.W = matrix, W

    def __enter__(self):
        self.old = self.matrix.weight.clone()
        self.matrix.write(self.W)

    def __exit__(self, *_):
        self.matrix.write(self.old)


def other(W, rows=slice(None)):
    """W with other numbers in some rows."""
    W = W.clone()
    W[rows] = torch.randn(W[rows].shape, generator=torch.Generator().manual_seed(1)) * 0.5
    return W


def inputs_of(model, name, tokens=TOKENS, **kwargs):
    """What the submodule `name` gets, in order, when the model reads the tokens."""
    seen = []
    with model.get_submodule(name).register_forward_pre_hook(
        lambda module, args: seen.append(args[0].clone())
    ):
        model(tokens, **kwargs)
    return seen[-1]


@families
def test_roles_are_those_of_the_architecture(name):
    mlp = {"gate", "up", "fc_out"} if name in GATED else {"fc_in", "fc_out"}
    assert n_layers(pristine(name)) == LAYERS
    assert all(roles(name, layer) == {"q", "k", "v", "o"} | mlp for layer in range(LAYERS))


@families
@torch.no_grad()
def test_matrices_are_all_of_the_blocks_but_what_is_spared_and_none_is_there_twice(name):
    model = build(name)
    for layer in range(LAYERS):
        for matrix in matrices(model, layer):
            matrix.write(torch.zeros_like(matrix.weight))
    for layer in range(LAYERS):
        for matrix in matrices(
            model, layer
        ):  # an entry that two matrices share is then counted twice
            matrix.write(matrix.weight + 1)
    spared = set()
    for parameter_name, parameter in model.named_parameters():
        if parameter.ndim > 1 and not (parameter == 1).all():
            in_block, short = (
                re.search(r"\.\d+\.(.*)", parameter_name),
                parameter_name.removesuffix(".weight"),
            )
            spared.add(in_block[1].removesuffix(".weight") if in_block else short.split(".")[-1])
        if parameter.ndim == 1 or not (parameter == 1).all():
            assert torch.equal(
                parameter, dict(pristine(name).named_parameters())[parameter_name]
            ), parameter_name
    assert spared == set(SPARED.get(name, "embed_tokens lm_head").split())


@families
@torch.no_grad()
def test_a_whole_matrix_maps_as_its_layer_does(name, model):
    whole = [matrix for layer in range(LAYERS) for matrix in matrices(model, layer) if matrix.whole]
    assert {"o", "fc_out"} - {matrix.role for matrix in whole} <= (
        {"fc_out"} if name in MOE else set()
    )
    for matrix in whole:
        layer = model.get_submodule(matrix.name)
        x = torch.randn(5, matrix.weight.shape[1], generator=torch.Generator().manual_seed(0))
        bias = 0 if layer.bias is None else layer.bias
        torch.testing.assert_close(
            x @ matrix.weight.T + bias, layer(x), rtol=0, atol=1e-5
        )  # float32 sums of 128 terms at most


@families
@torch.no_grad()
def test_q_decides_where_to_look_and_k_and_v_what_is_there(name):
    """The last token alone reads the keys and values of those before from a cache. Another k or v
    cannot change how its attention is shared among *them*; another q does. Another v changes no
    attention at all, another k that of the last token to itself.
    """
    model = build(name)
    model.set_attn_implementation("eager")

    def last(role=None):
        cache = model(TOKENS[:, :-1], use_cache=True).past_key_values
        if role is None:
            return model(TOKENS[:, -1:], past_key_values=cache, output_attentions=True).attentions[
                1
            ][:, :, 0]  # (N, heads, T)
        matrix = only(model, role)
        with replaced(matrix, other(matrix.weight)):
            return model(TOKENS[:, -1:], past_key_values=cache, output_attentions=True).attentions[
                1
            ][:, :, 0]

    def shared(attention):  # among the tokens before
        return attention[..., :6] / attention[..., :6].sum(-1, keepdim=True)

    before, q, k, v = last(), last("q"), last("k"), last("v")
    close = dict(rtol=0, atol=1e-5)  # float32: attentions are at most 1
    torch.testing.assert_close(v, before, **close)
    torch.testing.assert_close(shared(k), shared(before), **close)
    assert (k[..., 6] - before[..., 6]).abs().max() > 1e-2
    assert (shared(q) - shared(before)).abs().amax(dim=(0, 2)).min() > 1e-3  # in every head


@families
@torch.no_grad()
def test_rows_are_in_the_order_of_heads(name, model):
    """A head of q or of v changed alone changes the output of attention in the columns of its own
    query heads alone.
    """
    out = only(model, "o").name
    before = inputs_of(model, out)  # (N, T, heads · head_dim)
    head_dim = before.shape[-1] // HEADS
    for role in "qv":
        matrix = only(model, role)
        n = len(matrix.weight) // head_dim
        assert n == (HEADS if role == "q" or n == HEADS else KV_HEADS if n == KV_HEADS else 1)
        for head in range(n):
            if role == "q" and name == "olmo2":
                continue  # norms all heads of q at once, so that each depends on all
            with replaced(
                matrix, other(matrix.weight, slice(head * head_dim, (head + 1) * head_dim))
            ):
                change = (
                    (inputs_of(model, out) - before)
                    .abs()
                    .unflatten(-1, (HEADS, head_dim))
                    .amax(dim=(0, 1, 3))
                )
            group = HEADS // n
            assert [moved for moved, by in enumerate(change) if by > 1e-5] == list(
                range(head * group, (head + 1) * group)
            ), (role, head)


@pytest.mark.parametrize(
    "name", [name for name in KNOWN if name != "gpt_oss"]
)  # some of its attention goes to a sink: weights do not sum to 1
@torch.no_grad()
def test_attention_without_v_is_the_bias_of_v_whatever_is_read(name, model):
    v, out = only(model, "v"), only(model, "o").name
    with replaced(v, torch.zeros_like(v.weight)):
        x = inputs_of(model, out)
    torch.testing.assert_close(x, x[:1, :1].expand_as(x), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", GATED)
@torch.no_grad()
def test_a_gated_mlp_is_affine_in_up_and_bends_with_gate(name, model):
    def bend(role):
        """How far the output is from a straight line in the size of the matrix, of all experts at
        once.
        """
        found, out = matrices(model, 1, role), []
        old = [matrix.weight.clone() for matrix in found]
        hook = feed_forward(blocks(model)[1]).register_forward_hook(
            lambda module, args, y: out.append(y[0] if isinstance(y, tuple) else y)
        )
        for size in (0, 0.5, 1):
            for matrix, W in zip(found, old):
                matrix.write(size * W)
            model(TOKENS)
        hook.remove()
        return (out[0] - 2 * out[1] + out[2]).abs().max() / out[2].abs().max()

    assert bend("up") < 1e-5  # float32
    assert bend("gate") > 0.05


@pytest.mark.parametrize("name", MOE)
@torch.no_grad()
def test_an_expert_is_its_own_tokens_business(name, model):
    moe, seen = feed_forward(blocks(model)[1]), []
    router = next(module for part, module in moe.named_children() if part in ("gate", "router"))
    hooks = [
        router.register_forward_hook(lambda module, args, out: seen.append(out[2].clone())),
        moe.register_forward_hook(
            lambda module, args, out: seen.append(
                (out[0] if isinstance(out, tuple) else out).flatten(0, 1).clone()
            )
        ),
    ]
    model(TOKENS)
    chosen, before = seen  # (tokens, experts per token), (tokens, d)
    for expert in range(4):
        for role in ("gate", "up", "fc_out"):
            (matrix,) = matrices(model, 1, role, expert)
            with replaced(matrix, other(matrix.weight)):
                model(TOKENS)
            moved = (seen[-1] - before).abs().amax(dim=-1) > 1e-5
            assert moved.tolist() == (chosen == expert).any(dim=-1).tolist(), (role, expert)
    for hook in hooks:
        hook.remove()


@torch.no_grad()
def test_the_shared_expert_is_everybodys_business():
    model = build("qwen2_moe")
    before = inputs_of(model, "model.layers.2.input_layernorm")
    (matrix,) = matrices(model, 1, "fc_out", "shared")
    assert str(matrix) == "layer 1 fc_out of the shared expert"
    with replaced(matrix, other(matrix.weight)):
        after = inputs_of(model, "model.layers.2.input_layernorm")
    assert ((after - before).abs().amax(dim=-1) > 1e-5).all()
