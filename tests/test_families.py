"""Every family the package promises, and some it does not, on tiny random models: the right
matrices, cut and put back.
"""

import re
from functools import cache

import pytest
import torch
from families import FAMILIES, HEADS, KV_HEADS, LAYERS, OTHERS, VOCAB, build
from torch import nn

from svdicl_lite.clipping.clip import Clip, clip_, clipped
from svdicl_lite.clipping.families import MODULES
from svdicl_lite.clipping.matrices import attention, blocks, feed_forward, matrices, n_layers
from svdicl_lite.clipping.svd import rank_at

TOKENS = torch.randint(VOCAB, (2, 7), generator=torch.Generator().manual_seed(0))
KNOWN = (*FAMILIES, *OTHERS)
MOE = ("mixtral", "qwen2_moe", "qwen3_moe", "gpt_oss")
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

families = pytest.mark.parametrize("name", KNOWN)


@cache
def pristine(name):
    """For tests that put back what they change."""
    return build(name)


@pytest.fixture
def model(name, fingerprint):
    before = fingerprint(pristine(name))
    yield pristine(name)
    assert fingerprint(pristine(name)) == before


def roles(name, layer=1):
    return {matrix.role for matrix in matrices(pristine(name), layer)}


def only(model, role, layer=1):
    (matrix,) = matrices(model, layer, role)
    return matrix


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
