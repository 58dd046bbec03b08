"""Prompts and evaluators for the tests of rules that choose a layer."""

import random

import pytest
from families import VOCAB

from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.prompts import Prompts

RATES = (0.0, 0.5, 0.9)


def drawn_prompts(of_options=False, n=5):
    """Prompts behind one set of 20 tokens, of random tokens and unequal lengths."""
    rng = random.Random(0)

    def tokens(k):
        return [rng.randrange(VOCAB) for _ in range(k)]

    shown = tokens(20)
    contexts = [shown + tokens(rng.randrange(3, 9)) for _ in range(n)]
    if of_options:
        answers = [[tokens(2), tokens(3)] for _ in range(n)]
    else:
        answers = [[[5], [9]] for _ in range(n)]
    return Prompts(contexts, answers, [i % 2 for i in range(n)], of_options)


@pytest.fixture
def validation(model, tokenizer, sentiment):
    return ICLEvaluator(model, tokenizer, sentiment, n=24, n_shots=4, seeds=(0, 1))


@pytest.fixture
def testing(model, tokenizer, sentiment):
    return ICLEvaluator(model, tokenizer, sentiment, "test", n=16, n_shots=4, seeds=(0, 1))
