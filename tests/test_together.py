"""What the modules do together: a model is made, shipped, loaded and searched; each claim needs
more than one of them.
"""

import copy

import numpy as np
import pytest
import torch

from svdicl_lite.clipping.clip import clip_
from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.svd import rank_at
from svdicl_lite.models import loading
from svdicl_lite.models.loading import load_model, model_card, shipped_models
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.algorithm1 import search_clip_rate
from svdicl_lite.search.sweeps import sweep
from svdicl_lite.training import documents, language
from svdicl_lite.training.architectures import new_model
from svdicl_lite.training.language import train
from svdicl_lite.training.recipes import RECIPES, LanguageRecipe, Phase

RATES = (0.0, 0.5, 0.9, 0.99)
PHASE = Phase(3, shots=(0, 1, 2), canonical=0.4, flipped=0.3, kinds=("plain", "hard"))
TINY = LanguageRecipe(phases=(PHASE,), layers=1, width=16, heads=2)


def algorithm_1(model, make_validation, make_test, module, top_k):
    """The paper's appendix C.2 written out: numpy, a fresh copy of the model for every rate, one
    prompt at a time.
    """
    worst = {
        layer: max(
            np.linalg.cond(matrix.weight.double().numpy())
            for matrix in matrices(model, layer, module)
        )
        for layer in range(model.config.n_layer)
    }
    layer = max(sorted(worst, key=worst.get)[-top_k:])

    def at(rate):
        copied = copy.deepcopy(model)
        for matrix in matrices(copied, layer, module) if rate else ():
            U, S, Vh = np.linalg.svd(matrix.weight.double().numpy(), full_matrices=False)
            S[rank_at(len(S), rate) :] = 0
            matrix.weight.copy_(torch.from_numpy(U @ np.diag(S) @ Vh))
        return copied

    best_rate, best, scores = 0, -1, []
    for rate in RATES:
        outcome = make_validation(at(rate)).plain()
        scores.append(outcome)
        if outcome.accuracy > best:
            best_rate, best = rate, outcome.accuracy
    return layer, best_rate, scores, make_test(model).plain(), make_test(at(best_rate)).plain()


@pytest.mark.parametrize(
    ("task", "module"), [("sentiment", "all"), ("topic", "mlp"), ("topic", "attn")]
)
def test_search_agrees_with_algorithm_1_written_out(model, tokenizer, request, task, module):
    task = request.getfixturevalue(task)

    def judge(split):
        return lambda model: ICLEvaluator(
            model, tokenizer, task, split, n=24, n_shots=2, seeds=(0, 1), batch_size=5
        )

    layer, rate, scores, before, after = algorithm_1(
        model, judge("validation"), judge("test"), module, top_k=2
    )
    result = search_clip_rate(
        model, judge("validation")(model), judge("test")(model), module, clip_rates=RATES
    )
    assert (result.layer, result.clip_rate) == (layer, rate)
    for ours, theirs in zip(
        (*result.validation, result.test_before, result.test_after),
        (*scores, before, after),
        strict=True,
    ):
        # float32: logits of order 10, paths of other batch shapes; a wrong clip moves them by more
        # than 1e-2
        np.testing.assert_allclose(ours.scores, theirs.scores, rtol=0, atol=1e-4)
    assert np.abs(result.validation[0].scores - result.validation[-1].scores).max() > 1e-2


def test_make_writes_a_model_that_loads_with_its_card_and_can_be_gone_on_with(
    tokenizer, fingerprint, monkeypatch, tmp_path
):
    row = {"task": "topic", "labels": "flipped", "accuracy": 0.5}
    monkeypatch.setattr(language, "PROBE_N", 5)
    monkeypatch.setattr(loading, "CHECKPOINTS", tmp_path)
    monkeypatch.setattr(documents, "TOKENS_PER_STEP", 300)
    monkeypatch.setattr(language, "figures", lambda *args, **kwargs: [row])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setitem(RECIPES, "tiny", TINY)
    monkeypatch.setitem(RECIPES, "tiny-more", LanguageRecipe((PHASE,), start_from="tiny", seed=1))
    language.make("tiny")
    language.make("tiny-more")
    assert shipped_models() == ["tiny", "tiny-more"]
    (tiny, loaded_tokenizer), (more, _) = load_model("tiny"), load_model("tiny-more")
    by_hand = new_model(TINY, tokenizer)
    train(by_hand, tokenizer, TINY)
    assert fingerprint(tiny) == fingerprint(by_hand) != fingerprint(more)
    assert (
        loaded_tokenizer("text: a goalkeeper pos\n")["input_ids"]
        == tokenizer("text: a goalkeeper pos\n")["input_ids"]
    )
    card = model_card("tiny-more")
    assert (
        card["recipe"]["start_from"] == "tiny"
        and card["parameters"] == tiny.num_parameters()
        and card["test"] == [row]
    )
    assert card["curve_n"] == 5 and 0 <= card["curve"][-1]["topic flipped"] <= 1


def test_figures_say_how_many_examples_stand_behind_each(model, tokenizer):
    rows = language.figures(model, tokenizer, "validation", n=6, shots=(0, 2), seeds=(0, 1))
    assert (
        len({(row["task"], row["labels"], row["shots"]) for row in rows}) == len(rows) == 2 * 3 * 2
    )
    assert all(row["n"] == 6 and row["low"] <= row["accuracy"] <= row["high"] for row in rows)


def test_nan_in_a_checkpoint_is_refused_by_the_clip_that_meets_it(
    model, tokenizer, fingerprint, tmp_path
):
    matrices(model, 2, "k")[0].weight[5, 0] = torch.nan
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    loaded, _ = load_model(str(tmp_path))
    before = fingerprint(loaded)
    with pytest.raises(ValueError, match="cannot clip layer 2 k: .* NaN"):
        clip_(loaded, 2, "attn", 0.5)
    assert fingerprint(loaded) == before


def test_a_checkpoint_without_any_tokenizer_file_is_called_incomplete(model, tmp_path):
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="the checkpoint in .* is damaged or incomplete"):
        load_model(str(tmp_path))


def test_sweep_takes_layers_and_rates_from_any_iterable(model):
    class Judge:
        def __init__(self):
            self.model = model

        def from_layer(self, layer, below=None):
            return lambda module: self.outcome(np.eye(2))

        def outcome(self, scores):
            return Evaluation(scores, np.zeros(2, dtype=int))

    table = sweep(model, Judge(), iter((0, 2)), ("mlp", "attn"), iter((0, 0.5)))
    assert [tuple(row) for row in table.get(["module", "layer", "clip_rate"]).to_numpy()] == [
        (module, layer, rate) for module in ("mlp", "attn") for layer in (0, 2) for rate in (0, 0.5)
    ]
