import math

import numpy as np
import pytest
import torch
from test_prompts_options import CHOICE, CHOICES

from svdicl_lite.scoring.plain import plain_scores
from svdicl_lite.scoring.prompts import Prompts, encode


@torch.inference_mode()
def log_likelihood_by_hand(model, tokens, n):
    """Mean of log p(token | all before it) over the last n tokens: one shorter prompt for each, the
    formula in float64.
    """
    total = 0.0
    for end in range(len(tokens) - n, len(tokens)):
        logits = model(torch.tensor([tokens[:end]])).logits[0, -1].double().numpy()
        total += logits[tokens[end]] - logits.max() - np.log(np.exp(logits - logits.max()).sum())
    return total / n


def test_option_scores_are_the_mean_log_likelihood_of_the_options_tokens(pristine_model, tokenizer):
    prompts = encode(tokenizer, CHOICE, (), CHOICES[:2], CHOICES)
    scores = plain_scores(pristine_model, prompts)
    by_hand = [
        [log_likelihood_by_hand(pristine_model, context + option, len(option)) for option in row]
        for context, row in zip(prompts.contexts, prompts.continuations)
    ]
    lengths = {tuple(map(len, row)) for row in prompts.continuations}
    assert scores.shape == (3, 2) and len(lengths) > 1
    np.testing.assert_allclose(
        scores, by_hand, atol=1e-5
    )  # float32 numbers near 9 lie 1e-6 apart: ten of those steps


def test_a_uniform_model_scores_every_option_alike_however_long(model, tokenizer):
    torch.nn.init.zeros_(model.transformer.ln_f.weight)
    torch.nn.init.zeros_(model.transformer.ln_f.bias)
    scores = plain_scores(model, encode(tokenizer, CHOICE, (), [], CHOICES))
    np.testing.assert_allclose(scores, -math.log(model.config.vocab_size), rtol=1e-6)


@pytest.mark.parametrize("n", [1, 3, 6])
def test_only_the_last_n_tokens_count(pristine_model, n):
    tokens = list(range(5, 12))
    scores = plain_scores(
        pristine_model, Prompts([tokens[:-n]], [[tokens[-n:]]], [0], of_options=True)
    )
    assert scores[0, 0] == pytest.approx(
        log_likelihood_by_hand(pristine_model, tokens, n), abs=1e-5
    )


def test_scores_depend_on_the_demonstrations(pristine_model, tokenizer):
    alone, shown = (
        plain_scores(pristine_model, encode(tokenizer, CHOICE, (), CHOICES[:k], CHOICES))
        for k in (0, 2)
    )
    assert np.abs(alone - shown).max() > 0.1
