"""What an evaluation can take: lengths, positions, examples, label words; the rest is refused."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from evaluations import ATOL
from transformers import AutoConfig, AutoModelForCausalLM

from svdicl_lite.scoring.evaluator import ICLEvaluator


def test_a_prompt_longer_than_the_positions_is_refused(pristine_model, tokenizer, sentiment):
    with pytest.raises(
        ValueError,
        match=(
            "a prompt of 100 shots has [0-9]+ tokens, but the model has 512 positions; use fewer"
            " shots"
        ),
    ):
        ICLEvaluator(pristine_model, tokenizer, sentiment, n=2, n_shots=100, seeds=(0,))


def test_a_prompt_of_exactly_the_positions_is_judged(model, tokenizer, sentiment):
    evaluator = ICLEvaluator(model, tokenizer, sentiment, n=10, n_shots=4, seeds=(0,))
    longest = max(len(tokens) for tokens in evaluator.groups[0].contexts)
    model.config.n_positions = longest
    assert ICLEvaluator(model, tokenizer, sentiment, n=10, n_shots=4, seeds=(0,))().n == 10
    model.config.n_positions = longest - 1
    with pytest.raises(
        ValueError,
        match=f"and {longest} after 4 shots, but the model has {longest - 1} positions",
    ):
        ICLEvaluator(model, tokenizer, sentiment, n=10, n_shots=4, seeds=(0,))


@pytest.mark.parametrize("model_type", ["bloom", "mpt"])
def test_a_model_without_a_limit_to_its_positions_is_judged(model_type, tokenizer, sentiment):
    model = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(
            model_type, vocab_size=len(tokenizer), hidden_size=16, n_head=2, n_layer=1
        )
    ).eval()
    evaluator = ICLEvaluator(model, tokenizer, sentiment, n=6, n_shots=2, seeds=(0,))
    np.testing.assert_allclose(evaluator().scores, evaluator.plain().scores, rtol=0, atol=ATOL)


@pytest.mark.parametrize("n, seeds", [(2001, (0,)), (0, (0,)), (3, (0, 1, 2, 3)), (-5, (0,))])
def test_more_or_fewer_examples_than_there_can_be_are_refused(
    pristine_model, tokenizer, sentiment, n, seeds
):
    message = (
        rf"n is {n}, but must be between {len(seeds)} \(one per seed\) and 2000, the size of"
        r" sentiment's validation split"
    )
    with pytest.raises(ValueError, match=message):
        ICLEvaluator(pristine_model, tokenizer, sentiment, "validation", n, n_shots=0, seeds=seeds)


def test_no_seeds_are_refused(pristine_model, tokenizer, sentiment):
    with pytest.raises(ValueError, match="seed"):
        ICLEvaluator(pristine_model, tokenizer, sentiment, n=10, n_shots=0, seeds=())


def test_label_words_that_are_not_one_token_are_refused(pristine_model, tokenizer, sentiment):
    task = replace(sentiment, label_words=("negative", "positive"))
    with pytest.raises(ValueError, match="the label word 'negative' is not one token after"):
        ICLEvaluator(pristine_model, tokenizer, task, n=4, n_shots=2, seeds=(0,))


def test_float16_on_a_cpu_is_refused(pristine_model, tokenizer, sentiment):
    with pytest.raises(
        ValueError, match="the model is in float16, which a CPU has no fast arithmetic for"
    ):
        ICLEvaluator(copy.deepcopy(pristine_model).half(), tokenizer, sentiment, n=8, n_shots=2)
