"""Rules that choose a layer: each says what its formula says, and all are in one registry."""

import copy

import numpy as np
import pytest
import rule_prompts
import torch
from families import build
from rule_prompts import RATES, drawn_prompts
from test_chapters import ROOT
from torch import nn

import svdicl_lite
from svdicl_lite.cli.parameters import RULE_NAMES
from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.svd import SVD, stable_rank
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.algorithm1 import search_clip_rate
from svdicl_lite.search.rules.block_influence import block_influence
from svdicl_lite.search.rules.label_loss import label_gradients
from svdicl_lite.search.rules.question import Question
from svdicl_lite.search.rules.registry import RULES, layer_of, rule_table, select_layer
from svdicl_lite.search.rules.sample import sample
from svdicl_lite.search.sweeps import sweep
from svdicl_lite.search.without_rate import control

# Fixtures: pytest looks for their names here.
testing = rule_prompts.testing
validation = rule_prompts.validation

NEEDING = [name for name, rule in RULES.items() if rule.needs != "weights"]


# Block influence.


class Scaling(nn.Module):
    """A block that turns every token by `degrees` in a plane, and makes it longer."""

    def __init__(self, degrees):
        super().__init__()
        self.degrees, self.linear = degrees, nn.Linear(2, 2)

    def forward(self, hidden):
        angle = torch.deg2rad(torch.tensor(self.degrees))
        cos, sin = angle.cos(), angle.sin()
        return 3 * hidden @ torch.stack([torch.stack([cos, sin]), torch.stack([-sin, cos])])


class Turning(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Scaling(0.0), Scaling(60.0), Scaling(180.0)])

    @property
    def config(self):
        class Config:
            rope_parameters = None

            def get_text_config(self):
                return self

        return Config()

    def forward(self, tokens):
        hidden = torch.stack([tokens.double(), torch.ones(tokens.shape)], -1).float()
        for layer in self.layers:
            hidden = layer(hidden)


def test_block_influence_is_one_minus_the_cosine_of_what_goes_in_and_what_comes_out():
    influence = block_influence(Turning(), [[1, 2, 3], [4]])
    assert influence == pytest.approx([0, 0.5, 2], abs=1e-6)


def test_block_influence_is_that_of_the_hidden_states(model):
    prompts = drawn_prompts()
    sums, n = np.zeros(2), 0
    for context in prompts.contexts:
        with torch.no_grad():
            states = model(torch.tensor([context]), output_hidden_states=True).hidden_states
        for layer in range(2):  # transformers hands out the last state behind the final norm
            pair = states[layer][0].double(), states[layer + 1][0].double()
            sums[layer] += nn.functional.cosine_similarity(*pair, dim=-1).sum().item()
        n += len(context)
    found = block_influence(model, prompts.contexts)
    assert len(found) == 3 and found[:2] == pytest.approx(1 - sums / n)


def test_the_block_that_passes_on_what_it_gets_is_chosen(model, validation):
    for matrix in matrices(model, 1, "o") + matrices(model, 1, "fc_out"):
        matrix.write(torch.zeros_like(matrix.weight))
    block = model.transformer.h[1]
    for bias in (block.attn.c_proj.bias, block.mlp.c_proj.bias):
        bias.data.zero_()
    assert select_layer(model, "mlp", rule="block-influence", validation=validation) == 1
    table = rule_table(model, "block-influence", validation=validation)
    assert table.query("layer == 1")["score"].tolist() == pytest.approx([0, 0], abs=1e-6)


# The others.


def test_the_lowest_stable_rank_is_chosen_and_the_deepest_of_equals(model):
    for layer, S in enumerate(([1.0] * 32, [1.0, 0.1], [1.0, 0.1])):
        for matrix in matrices(model, layer, "mlp"):
            factors = SVD.of(matrix.weight)
            k = len(S)
            matrix.write((factors.U[:, :k] * torch.tensor(S).double()) @ factors.Vh[:k])
    table = rule_table(model, "stable-rank", "mlp").set_index("layer")["score"]
    assert table.tolist() == pytest.approx([-32, -1.01, -1.01], rel=1e-5)
    assert stable_rank(torch.tensor([1.0, 0.1])) == pytest.approx(1.01)
    assert select_layer(model, "mlp", rule="stable-rank") == 2
    for matrix in matrices(model, 1, "mlp"):
        matrix.write(torch.zeros_like(matrix.weight))
    with pytest.raises(ValueError, match="the mlp of layer 1 is all zero, .* name the layer"):
        select_layer(model, "mlp", rule="stable-rank")


def test_last_is_last_and_random_ranks_every_layer_once_by_the_seed(model):
    assert select_layer(model, "attn", rule="last") == 2
    orders = set()
    for seed in range(40):
        scores = rule_table(model, "random", "mlp", seed=seed).set_index("layer")["score"]
        assert sorted(scores) == [1, 2, 3]
        assert scores.idxmax() == select_layer(model, "mlp", rule="random", seed=seed)
        orders.add(tuple(scores))
    assert len(orders) == 6


def test_the_oracle_is_the_best_cell_of_a_sweep(model, validation):
    table = rule_table(model, "oracle", ("mlp", "attn"), RATES, validation)
    swept = sweep(model, validation, clip_rates=RATES[1:])
    assert table[["layer", "module", "clip_rate"]].equals(swept[["layer", "module", "clip_rate"]])
    assert table["score"].tolist() == swept["accuracy"].tolist()
    mlp = swept[swept["module"] == "mlp"]
    question = Question(model, ("mlp",), RATES, validation)
    assert layer_of("oracle", question) == mlp.loc[mlp["accuracy"].idxmax(), "layer"]
    by_reading = Question(model, ("mlp",), RATES, validation, choose_by="discrimination")
    best = mlp.loc[mlp["discrimination"].idxmax(), "layer"]
    assert layer_of("oracle", by_reading) == best


# All of them.


@pytest.mark.parametrize("rule", RULES)
def test_a_search_takes_every_rule_and_clips_the_layer_that_it_chooses(
    rule, model, validation, testing, fingerprint
):
    before = fingerprint(model)
    chosen = layer_of(rule, Question(model, ("attn",), RATES, validation, seed=3))
    found = search_clip_rate(model, validation, testing, "attn", rule, clip_rates=RATES, seed=3)
    assert found.layer == chosen and found.validation_before.n == 24
    assert fingerprint(model) == before


@pytest.mark.parametrize("rule", RULES)
def test_the_chosen_layer_has_the_largest_score(rule, model, validation):
    table = rule_table(model, rule, "mlp", RATES, validation)
    chosen = select_layer(model, "mlp", 1, rule=rule, validation=validation)
    if rule in ("gradient", "oracle"):  # asked of the paper's rates
        chosen = layer_of(rule, Question(model, ("mlp",), RATES, validation))
    assert table.groupby("layer")["score"].max()[chosen] == table["score"].max()


def test_none_is_the_paper_s_rule_and_a_number_is_itself(model):
    question = Question(model, ("mlp",), top_k=2)
    assert layer_of(None, question) == layer_of("condition", question) == select_layer(model, "mlp")
    assert layer_of(1, question) == 1


def test_a_control_without_a_rate_takes_a_rule(validation, testing):
    layer, _ = control(validation, testing, "drop-block", layer="block-influence")
    assert layer == select_layer(
        validation.model, "mlp", rule="block-influence", validation=validation
    )


def made(name, tokenizer):
    """A tiny model of the family with embeddings for the tokenizer."""
    model = build(name)
    model.resize_token_embeddings(len(tokenizer))
    with torch.no_grad():
        model.get_input_embeddings().weight.normal_(generator=torch.Generator().manual_seed(0))
    return model


@pytest.mark.parametrize("name", ["gpt_neox", "llama", "mixtral"])
def test_every_rule_scores_every_layer_and_module_of_other_families(
    name, tokenizer, sentiment, fingerprint
):
    model = made(name, tokenizer)
    before = fingerprint(model)
    validation = ICLEvaluator(model, tokenizer, sentiment, n=8, n_shots=2, seeds=(0, 1))
    for rule in RULES:
        table = rule_table(model, rule, ("mlp", "attn"), (0, 0.9), validation)
        places = {*zip(table["layer"], table["module"])}
        assert places == {(layer, module) for layer in range(3) for module in ("mlp", "attn")}
        assert len(table) == 6 and table["score"].notna().all()
        assert select_layer(model, "mlp", rule=rule, validation=validation) in range(3)
    assert fingerprint(model) == before


def test_every_rule_has_a_file_a_source_and_a_description():
    folder = ROOT / "svdicl_lite/search/rules"
    shared = {"__init__", "question", "registry", "sample", "spectra", "label_loss"}
    files = {path.stem for path in folder.glob("*.py")} - shared
    assert len(files) == len(RULES)
    assert {rule.scores.__module__.rpartition(".")[2] for rule in RULES.values()} == files
    assert all(rule.description and rule.scores.__doc__ for rule in RULES.values())
    assert svdicl_lite.select_layer is select_layer and tuple(RULES) == RULE_NAMES


def test_a_sample_is_dealt_out_over_the_sets(validation):
    assert [len(part.labels) for part in sample(validation, 5)] == [3, 2]
    assert [len(part.contexts) for part in sample(validation, 1)] == [1]
    assert [len(part.contexts) for part in sample(validation)] == [12, 12]


# What cannot be.


@pytest.mark.parametrize("rule", NEEDING)
def test_a_rule_that_needs_prompts_says_so(rule, model, pristine_model, tokenizer, sentiment):
    with pytest.raises(ValueError, match=f"rule '{rule}' needs .*; say validation=…"):
        select_layer(model, "mlp", rule=rule)
    other = ICLEvaluator(pristine_model, tokenizer, sentiment, n=4, n_shots=0, seeds=(0,))
    with pytest.raises(ValueError, match=f"rule '{rule}' is given an evaluator of another model"):
        select_layer(model, "mlp", rule=rule, validation=other)


def test_an_unknown_rule_is_told_those_there_are(model, validation, testing):
    listed = "rule is 'lottery', but must be one of condition, stable-rank, last, random,"
    with pytest.raises(ValueError, match=listed):
        select_layer(model, "mlp", rule="lottery")
    with pytest.raises(ValueError, match=listed):
        search_clip_rate(model, validation, testing, layer="lottery")


def test_a_gradient_from_one_class_is_refused(model, tokenizer, sentiment):
    one = ICLEvaluator(model, tokenizer, sentiment, n=1, n_shots=0, seeds=(0,))
    with pytest.raises(ValueError, match="has no example of class [01] .from 0. among 1, but"):
        select_layer(model, "mlp", rule="gradient", validation=one)


@pytest.mark.parametrize("rule", ["gradient", "oracle"])
def test_a_rule_that_compares_clips_needs_one(rule, model, validation):
    with pytest.raises(ValueError, match="needs a rate above 0"):
        rule_table(model, rule, "mlp", (0,), validation)


def test_a_model_without_gradients_is_refused(model):
    with torch.inference_mode():
        inferred = copy.deepcopy(model)
    with pytest.raises(ValueError, match="layer 1 q is an inference tensor, which has no gradient"):
        label_gradients(inferred, matrices(inferred, 1, "q"), [drawn_prompts()])
    layer = model.transformer.h[0].mlp.c_fc
    layer.weight = nn.Parameter(layer.weight.to(torch.int8), requires_grad=False)
    with pytest.raises(ValueError, match="layer 0 fc_in is stored as torch.int8, .* quantisation"):
        label_gradients(model, matrices(model, 0, "fc_in"), [drawn_prompts()])
