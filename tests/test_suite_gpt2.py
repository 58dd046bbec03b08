"""The recipe of a model for the whole suite: what can be said of it before it has been run."""

import random

import pytest
import torch

from svdicl_lite import suite, suite_gpt2, zoo
from svdicl_lite.suite import SUITE
from svdicl_lite.suite_gpt2 import Phase, draw_batch, grown, train
from svdicl_lite.tasks import ARBITRARY_WORDS


@pytest.fixture(scope="module")
def words():
    return suite_gpt2.train_tokenizer()


def test_every_word_of_the_suite_is_one_token_behind_a_space(words):
    said = [*suite.vocabulary(), *ARBITRARY_WORDS, *(word for task in SUITE.values() for word in task.label_words)]
    assert [word for word in said if len(words(f" {word}")["input_ids"]) != 1] == []
    assert not {*ARBITRARY_WORDS} & {*suite.vocabulary()}


def test_a_grown_model_begins_as_the_small_one(words):
    small, few_words = zoo.load("icl-gpt2")
    model = grown(small, few_words, words).eval()
    text = "text: the coach was kind sentiment: pos\ntext: the banker was not dull sentiment:"
    old, new = few_words(text)["input_ids"], words(text)["input_ids"]
    same = [i for i, token in enumerate(few_words.convert_ids_to_tokens(old)) if token == words.convert_ids_to_tokens(new)[i]]
    assert len(same) == len(old) == len(new)
    with torch.inference_mode():
        before, after = (m(torch.tensor([tokens]), output_hidden_states=True).hidden_states[-1] for m, tokens in ((small, old), (model, new)))
    # the same function, its GELU in one kernel: hidden states of size 1 or so, rounded some dozen times at 1e-7
    torch.testing.assert_close(after, before, rtol=0, atol=1e-4)
    assert model.config.n_layer == 6 and model.num_parameters() * 4 <= 8_000_000


@pytest.mark.parametrize("length", [34, 96, 384])
def test_answers_weigh_one_and_documents_fit(words, length):
    phase = Phase(1, (length,), 0.4, 0.3, ("short",))
    tokens, weights = draw_batch(random.Random(1), phase, words)
    assert tokens.shape == weights.shape and tokens.shape[1] <= max(length, 40)
    labels = {*ARBITRARY_WORDS, *(word for task in SUITE.values() for word in task.label_words)}
    for row, weight in zip(tokens, weights):
        text, marked = words.decode(row[row != words.pad_token_id]), [words.decode([token]).strip() for token in row[weight == 1]]
        if " cause " not in text and " effect " not in text:  # no options: every mark is a label word, one a line
            assert {*marked} <= labels and len(marked) == text.count("\n")
        else:
            assert " ".join(marked) in " ".join(line.split(" cause ")[-1].split(" effect ")[-1] for line in text.splitlines())


def test_two_steps_change_every_weight_and_the_same_seed_gives_the_same_model(words, monkeypatch, fingerprint):
    monkeypatch.setattr(suite_gpt2, "TOKENS_PER_STEP", 128)
    small, few_words = zoo.load("icl-gpt2")
    models = [grown(small, few_words, words) for _ in range(2)]
    before = {name: p.detach().clone() for name, p in models[0].named_parameters()}
    losses = [train(model, words, (Phase(2, (64,), 0.5, 0.2, ("short",)),)) for model in models]
    assert losses[0] == losses[1] and fingerprint(models[0]) == fingerprint(models[1])
    # a new block's first half has no gradient in step 1, its second half being 0, and the learning rate is small in step 2
    assert [name for name, p in models[0].named_parameters() if torch.equal(p, before[name])] == []
