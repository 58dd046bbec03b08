"""Scores that are no numbers are refused by their reason, whichever path computed them."""

import numpy as np
import pytest
import torch

from svdicl_lite.scoring.evaluator import ICLEvaluator


def judge(model, tokenizer, task):
    return ICLEvaluator(model, tokenizer, task, n=10, n_shots=2, seeds=(0, 1))


@pytest.mark.parametrize("number", [torch.nan, torch.inf])
@pytest.mark.parametrize("layer", [0, 2])
def test_the_layer_is_named_in_which_scores_stop_being_numbers(
    model, tokenizer, sentiment, layer, number
):
    evaluator = judge(model, tokenizer, sentiment)
    from_here = evaluator.from_layer(layer)
    model.transformer.h[layer].mlp.c_proj.bias.data[0] = number
    for scores in (evaluator, evaluator.plain, from_here):
        with pytest.raises(
            ValueError,
            match=f"10 of 10 prompts are NaN or infinite, first those of prompt 0 .* in layer"
            f" {layer}; the weights transformer.h.{layer}.mlp.c_proj.bias hold such numbers",
        ):
            scores()


def test_a_dtype_that_is_too_narrow_is_named(model, tokenizer, sentiment):
    model.transformer.h[1].mlp.c_proj.weight.data *= 1e30  # finite, and fine in float64
    wide = model.double()
    assert judge(wide, tokenizer, sentiment)().n == 10
    narrow = wide.bfloat16()
    narrow.transformer.h[1].mlp.c_proj.weight.data *= 1e8
    with pytest.raises(ValueError, match="bfloat16 is likely too coarse .* take --dtype float32"):
        judge(narrow, tokenizer, sentiment)()


def test_one_bad_prompt_is_found_among_good_ones(model, tokenizer, sentiment):
    evaluator = judge(model, tokenizer, sentiment)
    contexts = [context for prompts in evaluator.groups for context in prompts.contexts]
    others = {token for context in contexts[:4] + contexts[5:] for token in context}
    alone = next(token for token in contexts[4] if token not in others)
    model.transformer.wte.weight = torch.nn.Parameter(model.transformer.wte.weight.clone())
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())
    model.transformer.wte.weight.data[alone] = torch.nan
    with pytest.raises(ValueError, match="1 of 10 .* those of prompt 4 .* in the embeddings"):
        evaluator()


def test_scores_of_a_journal_are_looked_at_too(model, tokenizer, sentiment):
    evaluator = judge(model, tokenizer, sentiment)
    scores = evaluator().scores.copy()
    assert evaluator.outcome(scores).n == 10
    scores[3, 1] = np.nan
    with pytest.raises(ValueError, match="1 of 10 .* prompt 3 .* no layer of a plain forward"):
        evaluator.outcome(scores)
