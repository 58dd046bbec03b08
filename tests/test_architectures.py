"""The two models that are no GPT-2: what they are made of, what of them can be clipped, and what
their cards say.
"""

import pytest
import torch

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.matrices import matrices, n_layers
from svdicl_lite.clipping.svd import SVD, rank_at
from svdicl_lite.models.loading import load_model, model_card
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.stats import wilson_interval
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.training import architectures
from svdicl_lite.training.recipes import RECIPES, LanguageRecipe
from svdicl_lite.training.tokenizer import train_tokenizer

BUILDERS = {"icl-llama": architectures.llama, "icl-moe": architectures.mixtral}
SHIPPED = [name for name in BUILDERS if name in RECIPES]
ATTENTION = {"q": (128, 128), "k": (64, 128), "v": (64, 128), "o": (128, 128)}
SHAPES = {
    "icl-llama": ATTENTION | {"gate": (352, 128), "up": (352, 128), "fc_out": (128, 352)},
    "icl-moe": ATTENTION | {"gate": (256, 128), "up": (256, 128), "fc_out": (128, 256)},
}


@pytest.fixture(scope="module")
def untrained():
    tokenizer = train_tokenizer()
    return {name: build(RECIPES["icl-llama"], tokenizer) for name, build in BUILDERS.items()}


@pytest.mark.parametrize("name", BUILDERS)
def test_every_layer_has_the_roles_and_shapes_it_should(untrained, name):
    assert n_layers(untrained[name]) == 4
    for layer in range(4):
        found = matrices(untrained[name], layer)
        copies = {
            role: architectures.EXPERTS if name == "icl-moe" and role not in ATTENTION else 1
            for role in SHAPES[name]
        }
        assert [(m.role, tuple(m.weight.shape)) for m in found] == [
            (role, shape) for role, shape in SHAPES[name].items() for _ in range(copies[role])
        ]


@pytest.mark.parametrize("name", BUILDERS)
def test_all_that_is_left_out_is_norms_router_and_the_embedding_which_is_the_head_too(
    untrained, name
):
    model = untrained[name]
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    left = dict(model.named_parameters())
    total = sum(p.numel() for p in left.values())
    clippable = sum(m.weight.numel() for layer in range(4) for m in matrices(model, layer))
    holders = {m.name for layer in range(4) for m in matrices(model, layer)}
    left = {
        key: p
        for key, p in left.items()
        if not any(key.startswith(f"{holder}.") for holder in holders)
    }
    assert sum(p.numel() for p in left.values()) == total - clippable
    matrices_left = sorted(key for key, p in left.items() if p.ndim > 1)
    routers = (
        [f"model.layers.{layer}.mlp.gate.weight" for layer in range(4)] if name == "icl-moe" else []
    )
    assert matrices_left == ["model.embed_tokens.weight", *routers]


def test_queries_of_two_heads_share_keys_and_values(untrained):
    for model in untrained.values():
        assert (model.config.num_attention_heads, model.config.num_key_value_heads) == (4, 2)


def test_experts_are_views_into_one_parameter_and_are_factored_as_one_batch(untrained, monkeypatch):
    model = untrained["icl-moe"]
    stack = model.model.layers[1].mlp.experts.gate_up_proj
    assert stack.shape == (4, 512, 128)
    found = {(m.role, m.expert): m for m in matrices(model, 1, "mlp")}
    for expert in range(4):
        torch.testing.assert_close(
            found["gate", expert].weight, stack[expert, :256], rtol=0, atol=0
        )
        torch.testing.assert_close(found["up", expert].weight, stack[expert, 256:], rtol=0, atol=0)
        assert found["gate", expert].weight.data_ptr() == stack[expert].data_ptr()
    calls, svd = [], torch.linalg.svd
    monkeypatch.setattr(
        torch.linalg, "svd", lambda W, **how: calls.append(tuple(W.shape)) or svd(W, **how)
    )
    batched = Clip(model, 1, "mlp").factors
    assert calls == [(12, 256, 128)]  # fc_out is wide and comes as its transpose
    for factors, matrix in zip(batched, matrices(model, 1, "mlp")):
        torch.testing.assert_close(factors.S, SVD.of(matrix.weight).S, rtol=1e-9, atol=0)


def test_a_clipped_expert_leaves_the_others_and_the_router_as_they_were(untrained):
    model = untrained["icl-moe"]
    before = {key: p.clone() for key, p in model.state_dict().items()}
    with Clip(model, 2, "mlp", expert=3).at(0.95):
        changed = [key for key, p in model.state_dict().items() if not torch.equal(p, before[key])]
        stack = "model.layers.2.mlp.experts.gate_up_proj"
        assert changed == [stack, "model.layers.2.mlp.experts.down_proj"]
        now = model.state_dict()[stack]
        assert torch.equal(now[:3], before[stack][:3]) and not torch.equal(now[3], before[stack][3])
        assert torch.linalg.matrix_rank(now[3, :256]) == rank_at(128, 0.95)
    assert all(torch.equal(p, before[key]) for key, p in model.state_dict().items())


def test_one_rate_leaves_half_as_many_directions_of_keys_as_of_queries(untrained):
    with Clip(untrained["icl-llama"], 0, "attn").at(0.75):
        ranks = {
            m.role: int(torch.linalg.matrix_rank(m.weight))
            for m in matrices(untrained["icl-llama"], 0, "attn")
        }
    assert ranks == {"q": 32, "k": 16, "v": 16, "o": 32}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_fresh_evaluation_of_few_prompts_agrees_with_the_card(name):
    """Two samples of the test split: their intervals, at 99.9 % each, must meet."""
    model, tokenizer = load_model(name)
    for row in model_card(name)["test"]:
        if row["shots"] == 8:
            outcome = ICLEvaluator(
                model, tokenizer, load_task(row["task"], row["labels"]), "test", 60, 8, range(20)
            )()
            fresh = wilson_interval(outcome.correct.sum(), outcome.n, 0.999)
            stated = wilson_interval(round(row["accuracy"] * row["n"]), row["n"], 0.999)
            assert fresh.low <= stated.high and stated.low <= fresh.high, (row, str(outcome))


@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_tells_the_weights_and_the_model_reads_its_prompt(name):
    model, tokenizer = load_model(name)
    card = model_card(name)
    assert (
        card["parameters"]
        == model.num_parameters()
        == sum(p.numel() for p in {id(p): p for p in model.parameters()}.values())
    )
    none, eight = (
        ICLEvaluator(
            model, tokenizer, load_task("sentiment", "arbitrary"), "test", 200, shots, range(20)
        )()
        for shots in (0, 8)
    )
    assert none.interval.low < 0.5 < none.interval.high
    assert eight.interval.low > 0.6


@pytest.mark.parametrize("name", SHIPPED)
def test_fast_scores_are_the_plain_ones(name):
    model, tokenizer = load_model(name)
    evaluator = ICLEvaluator(
        model, tokenizer, load_task("sentiment", "flipped"), "test", 8, 8, (0, 1)
    )
    torch.testing.assert_close(
        torch.tensor(evaluator().scores), torch.tensor(evaluator.plain().scores), rtol=0, atol=1e-4
    )


def test_an_upcycled_mixture_has_the_neurons_of_its_llama_scaled_by_the_share_that_is_left_out(
    tokenizer,
):
    recipe = LanguageRecipe((), layers=1, width=16, heads=2, positions=32, seed=3)
    dense = architectures.llama(recipe, tokenizer)
    model = architectures.upcycled(dense, recipe, tokenizer)
    same = {name: weight for name, weight in model.state_dict().items() if ".mlp." not in name}
    assert same and all(
        torch.equal(weight, dense.state_dict()[name]) for name, weight in same.items()
    )
    mlp, experts = dense.model.layers[0].mlp, model.model.layers[0].mlp.experts
    n, left = dense.config.intermediate_size, model.config.intermediate_size
    assert n > left
    chosen = []
    for e in range(architectures.EXPERTS):
        gate, up = experts.gate_up_proj[e].chunk(2)  # (left, width) each
        neurons = [
            next(i for i in range(n) if torch.equal(row, mlp.gate_proj.weight[i])) for row in gate
        ]
        assert torch.equal(up, mlp.up_proj.weight[neurons]) and len({*neurons}) == left
        torch.testing.assert_close(
            experts.down_proj[e], mlp.down_proj.weight[:, neurons] * n / left
        )
        chosen.append(frozenset(neurons))
    assert len({*chosen}) == architectures.EXPERTS
