"""What a clip costs elsewhere, and a search with a budget."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from test_rivals import TEST, VALIDATION, rule

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.budget import anytime, spent_until
from svdicl_lite.search.price import perplexity, price


@pytest.fixture
def elsewhere(model, tokenizer, sentiment, topic):
    return {
        "sentiment": ICLEvaluator(model, tokenizer, sentiment, "test", 16, 4, (0, 1)),
        "topic": ICLEvaluator(model, tokenizer, topic, "test", 16, 4, (0, 1)),
    }


def test_the_price_is_before_and_after_on_each_task(model, elsewhere, fingerprint):
    before, clip = fingerprint(model), Clip(model, 0, "all")
    table = price(elsewhere, lambda: clip.at(1.0)).set_index("task")
    assert fingerprint(model) == before and table.index.tolist() == [*elsewhere]
    for name, judge in elsewhere.items():
        with clip.at(1.0):
            after = judge().accuracy
        row = table.loc[name]
        assert (row["before"], row["after"], row["n"]) == (judge().accuracy, after, 16)
        assert row["gain"] == pytest.approx(after - row["before"])
        assert row["gain_low"] <= row["gain"] <= row["gain_high"]


def test_what_changes_nothing_costs_nothing(model, elsewhere):
    table = price(elsewhere, lambda: Clip(model, 0, "mlp").at(0.0))
    assert not table[["gain", "reading"]].to_numpy().any()


def test_perplexity_is_e_to_the_mean_surprise_of_all_tokens_but_the_first(model, tokenizer):
    texts = ["text: a fine film", "a dull one"]
    surprises = []
    for text in texts:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        p = model(ids).logits[0].double().log_softmax(-1)
        surprises += [-p[i, ids[0, i + 1]].item() for i in range(ids.shape[1] - 1)]
    expected = math.exp(np.mean(surprises))
    assert perplexity(model, tokenizer, texts) == pytest.approx(expected, rel=1e-4)


def test_a_model_that_knows_nothing_is_as_perplexed_as_its_vocabulary_is_large(model, tokenizer):
    with torch.no_grad():
        model.get_output_embeddings().weight.zero_()
    found = perplexity(model, tokenizer, ["a fine film"])
    assert found == pytest.approx(model.config.vocab_size, rel=1e-4)


def test_texts_without_a_second_token_are_refused(model, tokenizer):
    with pytest.raises(ValueError, match="no text has two tokens"):
        perplexity(model, tokenizer, [""])


# A search with a budget.


def test_the_best_so_far_is_what_validation_says_and_spends_clip_by_clip():
    # the rule's order: (0, 0.9), (1, 0.9), (1, 0.5), (0, 0.5); its own cost is 30
    curve = anytime(rule([1, 4, 2, 3], 0), VALIDATION, TEST, "accuracy")
    assert list(zip(curve["layer"], curve["clip_rate"])) == [(0, 0.9), (1, 0.9), (1, 0.5), (0, 0.5)]
    assert curve["forwards"].tolist() == [70, 90, 110, 150]
    found = (curve["reading"] + curve["lean"]).tolist()
    # on test 10 are wrong without a clip, 2 with (1, 0.9), 8 with (1, 0.5), which validation takes
    assert found == pytest.approx([0, 8 / 40, 2 / 40, 2 / 40])


def test_spent_until_looks_for_what_stays():
    curve = pd.DataFrame({"forwards": [1, 2, 3, 4], "reading": [0.9, 0.2, 0.95, 1.0]})
    assert spent_until(curve, 0.9, 1.0) == 3
    assert spent_until(curve, 0.9, 2.0) == float("inf")
