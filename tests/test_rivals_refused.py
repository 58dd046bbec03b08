"""What rules and clips by labels or by inputs cannot do, and what they say then."""

import pytest
import torch
from command_line import SMALL, run
from torch import nn

from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.whitened import SingularInputs
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.algorithm1 import search_clip_rate
from svdicl_lite.search.all_at_once import SELECTIONS, all_at_once
from svdicl_lite.search.cells import Cell
from svdicl_lite.search.gradient_sign import gradient_sign
from svdicl_lite.search.halving import halved_search
from svdicl_lite.search.rules.registry import select_layer


@pytest.fixture
def validation(model, tokenizer, sentiment):
    return ICLEvaluator(model, tokenizer, sentiment, "validation", 12, 2, (0, 1))


def without_labels(evaluator, n):
    """The evaluator, of whose prompts the first `n` of each set have no label."""
    for prompts in evaluator.groups:
        prompts.labels[:n] = [-1] * n
    return evaluator


def test_a_rule_that_needs_labels_says_so_on_a_task_without(model, validation):
    told = "rule 'gradient' needs labels, but 4 of 12 examples have none .label -1.; take a rule"
    with pytest.raises(ValueError, match=told):
        select_layer(model, "mlp", rule="gradient", validation=without_labels(validation, 2))
    assert select_layer(model, "mlp", rule="block-influence", validation=validation) in range(3)


def test_clips_by_labels_say_so_too(validation):
    found = matrices(without_labels(validation, 6).model, 1, "mlp")
    with pytest.raises(ValueError, match="gradient sign needs labels, but 12 of 12"):
        with gradient_sign(validation, found):
            pass
    for name in SELECTIONS:
        with pytest.raises(ValueError, match=f"{name} needs labels, but 12 of 12"):
            with all_at_once(validation, found, 0.1, name):
                pass


def test_too_few_examples_to_hold_every_class_are_refused(model, tokenizer, sentiment):
    one = ICLEvaluator(model, tokenizer, sentiment, "validation", 1, 2, (0,))
    found = matrices(model, 1, "mlp")
    for change in (gradient_sign(one, found), all_at_once(one, found, 0.1)):
        with pytest.raises(ValueError, match="has no example of class .* among 1, .* take more"):
            with change:
                pass


def test_a_quantised_model_has_no_gradients_and_every_way_to_ask_says_so(
    model, validation, tokenizer, sentiment
):
    test = ICLEvaluator(model, tokenizer, sentiment, "test", 12, 2, (0, 1))
    layer = model.transformer.h[1].mlp.c_fc
    layer.weight = nn.Parameter(layer.weight.to(torch.int8), requires_grad=False)
    told = "layer 1 fc_in is stored as torch.int8, .*load the model without quantisation"
    with pytest.raises(ValueError, match=told):
        select_layer(model, "mlp", rule="gradient", validation=validation)
    with pytest.raises(ValueError, match=told):
        search_clip_rate(model, validation, test, layer="gradient")
    with pytest.raises(ValueError, match=told):
        with gradient_sign(validation, matrices(model, 1, "mlp")):
            pass


def test_inputs_that_span_too_little_are_regularised_and_said_in_a_search(validation):
    # two sets of two demonstrations: fewer tokens than the 128 inputs of fc_out
    cell = Cell(1, "fc_out", 0.5, method="whitened")
    with pytest.warns(SingularInputs, match=r"inputs of layer 1 fc_out span \d+ of 128 .*regular"):
        with cell.clip(validation.model, validation).at(0.5):
            assert torch.isfinite(matrices(validation.model, 1, "fc_out")[0].weight).all()


def test_the_command_says_it_once_and_in_one_sentence(tiny):
    told = ["search", "--model", tiny, *SMALL, "--layer", 1, "--module", "fc_out"]
    said = run(*told, "--method", "whitened").stderr.splitlines()
    (line,) = [line for line in said if "directions" in line]
    assert line.startswith("svdicl search: the inputs of layer 1 fc_out span")
    assert not any("whitened.py" in line for line in said)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_a_race_with_fewer_prompts_than_candidates_still_has_a_winner(
    model, tokenizer, sentiment, n
):
    few = ICLEvaluator(model, tokenizer, sentiment, "validation", n, 2, (0, 1))
    cells = [Cell(1, "mlp", rate) for rate in (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 0.9)]
    found = halved_search(few, cells)
    assert found.n_seen[found.chosen] == found.n_seen[0] == n and min(found.n_seen) == 1
