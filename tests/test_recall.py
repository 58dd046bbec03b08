import copy
import json
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pytest
import torch

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.models import loading
from svdicl_lite.models.loading import load_model, model_card
from svdicl_lite.stats import mcnemar
from svdicl_lite.training import __main__ as command
from svdicl_lite.training import recall, recall_recipe
from svdicl_lite.training.recall import NOISE, RECIPE, SYMBOLS, TRIGGER, Recall, RecallEvaluator
from svdicl_lite.training.recipes import RECIPES

TINY = replace(RECIPE, width=16, heads=2, batch=4, steps=3, length=64)


@pytest.fixture(scope="module")
def drawn():
    return recall.draw(4000, torch.Generator().manual_seed(5), alpha=0.3)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(recall_recipe, "CURVE_N", 8)


@pytest.fixture(scope="module")
def shipped():
    return load_model("recall-gpt2")[0]


def test_bigrams_are_probabilities_and_the_trigger_has_its_share():
    table = recall.bigrams()
    ordinary = [i for i in range(len(SYMBOLS)) if i != TRIGGER]
    torch.testing.assert_close(table[ordinary].sum(1), torch.ones(63, dtype=torch.float64))
    assert (table[ordinary, TRIGGER] == RECIPE.trigger_share).all() and (table[:, NOISE] == 0).all()
    assert not table[TRIGGER].any()


def test_behind_a_trigger_comes_the_noise_or_the_answer_and_nothing_else(drawn):
    sequences, answers = drawn
    row, t = (sequences[:, :-1] == TRIGGER).nonzero().T
    behind = sequences[row, t + 1]
    noise = behind == NOISE
    assert ((behind == answers[row]) | noise).all()
    assert noise.double().mean().item() == pytest.approx(
        0.3, abs=4 * (0.3 * 0.7 / len(noise)) ** 0.5
    )
    assert len(noise) > 10_000 and len(answers.unique()) == 62


def test_elsewhere_symbols_follow_the_bigrams(drawn):
    sequences, _ = drawn
    row, t = (sequences[:, :-1] != TRIGGER).nonzero().T
    counts = (
        torch.bincount(64 * sequences[row, t] + sequences[row, t + 1], minlength=64 * 64)
        .view(64, 64)
        .double()
    )
    n, p = counts.sum(1, keepdim=True), recall.bigrams()
    assert (counts[p == 0] == 0).all()
    z = ((counts - n * p) / (n * p * (1 - p)).sqrt())[(n * p * (1 - p) > 25)]
    assert (
        len(z) > 300 and z.abs().max() < 5
    )  # of some hundred standard normals, one in a thousand such sets exceeds 5
    assert z.square().mean().item() == pytest.approx(1, abs=0.35)


def test_a_generator_decides_all():
    one, other, third = (recall.draw(5, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert (
        torch.equal(one[0], other[0])
        and torch.equal(one[1], other[1])
        and not torch.equal(one[0], third[0])
    )


@pytest.mark.parametrize("alpha", [0.0, 0.6])
def test_only_sequences_whose_answer_could_be_known_are_asked_and_at_their_last_trigger(alpha):
    evaluator = RecallEvaluator(None, "test", 80, alpha)
    assert len(evaluator.sequences) == 80
    for sequence, answer, asked in zip(
        evaluator.sequences.tolist(), evaluator.answers.tolist(), evaluator.asked.tolist()
    ):
        assert sequence[asked] == TRIGGER and TRIGGER not in sequence[asked + 1 :]
        assert (TRIGGER, answer) in zip(sequence[:asked], sequence[1 : asked + 1])


def test_no_sequence_is_asked_twice_nor_in_two_splits():
    asked = {
        split: {tuple(s) for s in RecallEvaluator(None, split, 400).sequences.tolist()}
        for split in ("validation", "test")
    }
    assert (
        len(asked["validation"]) == len(asked["test"]) == 400
        and not asked["validation"] & asked["test"]
    )


def test_scores_are_what_the_model_says_when_the_sequence_stops_at_the_trigger():
    model = recall_recipe.new_model(TINY).eval()
    evaluator = RecallEvaluator(model, "validation", 8)
    scores = evaluator().scores
    for row, sequence, asked in zip(scores, evaluator.sequences, evaluator.asked):
        with torch.no_grad():
            alone = model(sequence[None, : asked + 1]).logits[0, -1].numpy()
        np.testing.assert_allclose(row, alone, rtol=0, atol=1e-5)  # float32, logits of order 1
    assert len(np.unique(scores.round(3), axis=0)) == 8


def test_outcomes_count_answers_and_noise():
    scores = np.full((4, 64), -50.0)
    scores[[0, 1, 2, 3], [3, NOISE, 9, NOISE]] = 50
    scores[3, 7] = 50 - np.log(3)  # a quarter for the answer, three for the noise
    outcome = Recall(scores, np.array([3, 4, 5, 7]))
    assert outcome.n == 4 and outcome.accuracy == 0.25 and outcome.noise_share == 0.5
    assert outcome.correct.tolist() == [True, False, False, False]
    assert outcome.probabilities() == pytest.approx((1.25 / 4, 1.75 / 4))
    assert outcome.interval.low < 0.25 < outcome.interval.high


def test_training_moves_every_weight_but_embeddings_and_head(quick):
    untrained, (model, made) = recall_recipe.new_model(TINY), recall_recipe.train(TINY)
    same = [
        name
        for (name, p), q in zip(model.named_parameters(), untrained.parameters())
        if torch.equal(p, q)
    ]
    assert same == ["transformer.wte.weight", "lm_head.weight"]
    assert [row["step"] for row in made["curve"]] == [3] and not model.training


def test_the_same_seed_trains_the_same_weights_and_another_others(quick, fingerprint):
    torch.manual_seed(7)
    one, other, third = (
        fingerprint(recall_recipe.train(recipe)[0])
        for recipe in (TINY, TINY, replace(TINY, seed=1))
    )
    assert one == other != third


def test_training_lowers_the_loss(quick):
    curve = recall_recipe.train(replace(TINY, steps=200, learning_rate=1e-2, trigger_share=0.3))[1][
        "curve"
    ]
    # knowing nothing costs ln 64 = 4.2, knowing α but no answer H(0.6) + 0.4 ln 62 = 2.3; more than
    # half of the way must be gone
    assert curve[0]["loss"] > curve[-1]["loss"] and curve[-1]["loss"] < 3.25


def test_the_best_clip_is_the_best_of_all_copies_clipped_one_by_one(monkeypatch):
    monkeypatch.setattr(recall_recipe, "CLIP_RATES", (0.0, 0.5, 0.9))
    model = recall_recipe.new_model(TINY).eval()
    with torch.no_grad():
        for parameter in model.transformer.h.parameters():
            parameter.mul_(8)  # so that a clip changes answers
    accuracies = {(0, "mlp", 0.0): RecallEvaluator(model, "validation", 60)().accuracy}
    for layer in (0, 1):
        for module in ("mlp", "attn"):
            for rate in (0.5, 0.9):
                copied = copy.deepcopy(model)
                Clip(copied, layer, module).apply(rate)
                accuracies[layer, module, rate] = RecallEvaluator(
                    copied, "validation", 60
                )().accuracy
    assert recall_recipe.best_clip(model, ("mlp", "attn"), 60) == max(
        accuracies, key=accuracies.get
    )
    assert len(set(accuracies.values())) > 1


def test_the_tokenizer_reads_symbols_with_spaces_between():
    _, tokenizer = load_model("recall-gpt2")
    assert tokenizer("a b ? _ 9")["input_ids"] == [0, 1, TRIGGER, NOISE, 61]
    assert len(tokenizer) == len(SYMBOLS)


@pytest.mark.parametrize(
    "split, n, said",
    [
        ("train", 8, "split is 'train', but must be validation or test"),
        ("test", 3, "n is 3, but must be at least 4"),
    ],
)
def test_bad_questions_are_refused(split, n, said):
    with pytest.raises(ValueError, match=said):
        RecallEvaluator(None, split, n)


def test_the_shipped_weights_are_small_and_the_card_tells_the_recipe():
    card = model_card("recall-gpt2")
    assert (loading.CHECKPOINTS / "recall-gpt2" / "model.safetensors").stat().st_size <= 8_000_000
    assert (
        card["recipe"] == json.loads(json.dumps(asdict(RECIPE)))
        and card["curve"][-1]["step"] == RECIPE.steps
    )
    assert {
        "seconds",
        "cpu_seconds",
        "device",
        "threads",
        "torch",
        "transformers",
        "parameters",
        "split_seeds",
    } <= {*card}


def test_the_card_says_what_is_measured(shipped):
    for row in model_card("recall-gpt2")["test"]:
        if row["context"] == "noisy":
            layer, module, rate = row["clip"] or (1, "mlp", 0.0)
            with Clip(shipped, layer, module).at(rate):
                outcome = RecallEvaluator(shipped, "test", row["n"])()
            assert (
                abs(outcome.accuracy - row["accuracy"]) <= 0.003
            )  # a few near-ties of 2,000 may fall otherwise on another processor
            assert abs(outcome.noise_share - row["noise_share"]) <= 0.003
            np.testing.assert_allclose(
                outcome.probabilities(), (row["p_answer"], row["p_noise"]), atol=1e-3
            )


def test_the_card_tells_a_clip_of_the_last_feed_forward_layer_that_brings_the_answer_back(shipped):
    for context in ("noisy", "clean"):
        plain, after = (
            row for row in model_card("recall-gpt2")["test"] if row["context"] == context
        )
        layer, module, rate = after["clip"]
        assert (
            layer == shipped.config.n_layer - 1
            and module in ("mlp", "fc_in")
            and rate in CLIP_RATES
        )
        assert plain["n"] == after["n"] >= 1000 and after["mcnemar_p"] < 1e-6
        assert (
            after["low"] > plain["high"] + 0.5 and after["noise_share"] < plain["noise_share"] - 0.5
        )


def test_the_rate_that_validation_picks_gains_on_test_in_the_last_layer_and_none_does_in_the_first(
    shipped,
):
    validate, test, gains = (
        RecallEvaluator(shipped, "validation", 200),
        RecallEvaluator(shipped, "test", 1000),
        {},
    )
    before = test()
    for layer in range(shipped.config.n_layer):
        clip, accuracies = Clip(shipped, layer, "mlp"), {}
        for rate in CLIP_RATES:
            with clip.at(rate):
                accuracies[rate] = validate().accuracy
        with clip.at(max(accuracies, key=accuracies.get)):
            after = test()
        gains[layer] = after.accuracy - before.accuracy, mcnemar(before.correct, after.correct)
    assert gains[1][0] > 0.3 and gains[1][1] < 1e-6
    assert gains[0][0] < 0.03


def test_training_trains_one_by_name_or_all_in_an_order_in_which_each_has_what_it_starts_from(
    monkeypatch,
):
    made = []
    makers = {name: partial(made.append, name) for name in command.MAKERS}
    monkeypatch.setattr(command, "MAKERS", makers)
    for name in ("recall-gpt2", "all"):
        monkeypatch.setattr("sys.argv", ["training", name])
        command.main()
    assert made == ["recall-gpt2", *makers]
    for name, recipe in RECIPES.items():
        start = recipe.start_from
        assert start is None or [*makers].index(start) < [*makers].index(name)


def test_noise_that_leaves_too_few_questions_is_refused():
    with pytest.raises(
        ValueError, match="alpha is 1.0, so only 0 of [0-9]+ sequences show their answer"
    ):
        RecallEvaluator(None, "test", 80, alpha=1.0)
