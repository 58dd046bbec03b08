import random

import numpy as np
import pytest
import torch
from evaluations import ATOL
from hypothesis import given, settings
from hypothesis import strategies as st

from svdicl_lite.clipping.clip import clipped
from svdicl_lite.scoring.batches import Plan
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.fast import fast_scores
from svdicl_lite.scoring.plain import plain_scores
from svdicl_lite.scoring.prompts import Prompts, draw_demonstrations, encode
from svdicl_lite.stats import wilson_interval
from svdicl_lite.tasks.loading import load_task


def queries(tokenizer, evaluator):
    """The last line of each prompt, without its frame, in the order they are judged."""
    lines = [
        tokenizer.decode(tokens).split("\n")[-1]
        for prompts in evaluator.groups
        for tokens in prompts.contexts
    ]
    return [line.removeprefix("text: ").rpartition(" ")[0] for line in lines]


def test_scores_differ_enough_for_the_comparisons_below_to_fail(
    pristine_model, tokenizer, sentiment
):
    scores = ICLEvaluator(
        pristine_model, tokenizer, sentiment, n=30, n_shots=4, seeds=(0, 1)
    )().scores
    assert (
        scores.std(axis=0).min() > 1000 * ATOL and np.abs(scores[:, 0] - scores[:, 1]).min() > ATOL
    )


@pytest.mark.parametrize("name", ["sentiment", "topic"])
@pytest.mark.parametrize(
    "n, n_shots, seeds, batch_size",
    [
        (20, 4, (0,), 128),
        (17, 0, (0, 1), 3),
        (19, 5, (7, 1, 4), 4),
        (10, 16, (0, 1), 1),
        (5, 1, (0, 1, 2, 3, 4), 8),
        (1, 0, (0,), 1),
    ],
)
def test_fast_scores_are_plain_scores(
    pristine_model, tokenizer, sentiment, topic, name, n, n_shots, seeds, batch_size
):
    task = {"sentiment": sentiment, "topic": topic}[name]
    evaluator = ICLEvaluator(pristine_model, tokenizer, task, "test", n, n_shots, seeds, batch_size)
    fast, plain = evaluator(), evaluator.plain()
    lengths = {len(tokens) for prompts in evaluator.groups for tokens in prompts.contexts}
    assert n < 5 or len(lengths) > 1  # the prompts are of unequal length
    assert fast.scores.shape == (n, len(task.classes)) and fast.scores.dtype == np.float32
    np.testing.assert_allclose(fast.scores, plain.scores, rtol=0, atol=ATOL)
    assert np.array_equal(fast.labels, plain.labels)


@settings(max_examples=40)
@given(
    prefix=st.lists(st.integers(0, 40), max_size=12),
    tails=st.lists(st.lists(st.integers(0, 2), max_size=6), min_size=1, max_size=7),
    batch_size=st.integers(1, 4),
)
def test_fast_scores_are_plain_scores_whatever_the_prompts_share(
    pristine_model, prefix, tails, batch_size
):
    # tails from three tokens: equal prompts, prompts that begin others, none shared at all, all
    # come up
    tokens = [prefix + tail or [5] for tail in tails]
    rng = random.Random(0)
    words = [[[word] for word in rng.sample(range(100), 3)] for _ in tokens]
    prompts = Prompts(tokens, words, [0] * len(tokens))
    fast, plain = (
        fast_scores(pristine_model, [Plan(prompts, batch_size)])[0],
        plain_scores(pristine_model, prompts),
    )
    np.testing.assert_allclose(fast, plain, rtol=0, atol=ATOL)


@torch.no_grad()
def test_scores_are_the_logits_of_the_label_words_after_the_prompt(
    pristine_model, tokenizer, sentiment
):
    flipped = load_task("sentiment", "flipped")
    evaluation = ICLEvaluator(
        pristine_model, tokenizer, flipped, "test", n=3, n_shots=2, seeds=(5,)
    )()
    shots = draw_demonstrations(sentiment, 2, seed=5)
    word = ("pos", "neg")  # flipped
    shown = "".join(f"text: {shot['text']} sentiment: {word[shot['label']]}\n" for shot in shots)
    for i in range(3):
        example = sentiment.splits["test"][i]
        tokens = tokenizer(f"{shown}text: {example['text']} sentiment:", return_tensors="pt")[
            "input_ids"
        ]
        logits = pristine_model(tokens).logits[0, -1]
        expected = [logits[tokenizer.convert_tokens_to_ids(f"Ġ{w}")].item() for w in word]
        np.testing.assert_allclose(evaluation.scores[i], expected, rtol=0, atol=ATOL)
        assert evaluation.labels[i] == example["label"]


@pytest.mark.parametrize(
    "n, seeds", [(12, (0, 1, 2, 3)), (13, (0, 1, 2, 3)), (7, (9, 8, 7)), (3, (0, 1, 2)), (10, (0,))]
)
def test_the_first_n_examples_are_each_judged_once_across_all_seeds(
    pristine_model, tokenizer, sentiment, n, seeds
):
    evaluator = ICLEvaluator(
        pristine_model, tokenizer, sentiment, "test", n, n_shots=2, seeds=seeds
    )
    assert queries(tokenizer, evaluator) == sentiment.splits["test"]["text"][:n]
    sizes = [len(prompts.contexts) for prompts in evaluator.groups]
    assert len(sizes) == len(seeds) and max(sizes) - min(sizes) <= 1
    assert list(evaluator().labels) == sentiment.splits["test"]["label"][:n]


def test_each_seed_has_its_own_demonstrations_and_they_are_from_training(
    pristine_model, tokenizer, sentiment
):
    evaluator = ICLEvaluator(
        pristine_model, tokenizer, sentiment, "validation", n=9, n_shots=4, seeds=(0, 1, 2)
    )
    training, shown = {*sentiment.splits["train"]["text"]}, []
    for prompts in evaluator.groups:
        fronts = {tuple(tokenizer.decode(tokens).split("\n")[:-1]) for tokens in prompts.contexts}
        assert len(fronts) == 1  # one set before every query of the seed
        shown += fronts
        assert all(
            line.removeprefix("text: ").rpartition(" sentiment: ")[0] in training
            for line in fronts.pop()
        )
    assert len({*shown}) == 3


def test_arbitrary_words_are_drawn_anew_by_each_seed(pristine_model, tokenizer):
    task = load_task("topic", "arbitrary")
    evaluator = ICLEvaluator(pristine_model, tokenizer, task, n=8, n_shots=4, seeds=(3, 4))
    for seed, prompts in zip((3, 4), evaluator.groups):
        words = [tokenizer.decode([token]).strip() for token in prompts.label_tokens[0]]
        assert words == list(task.words(seed=seed))
        assert all(
            word in tokenizer.decode(prompts.contexts[0]) for word in words
        )  # 4 shots show each class once


def test_an_evaluation_can_be_repeated_bit_for_bit(pristine_model, tokenizer, sentiment):
    def once():
        return ICLEvaluator(pristine_model, tokenizer, sentiment, n=20, n_shots=4, seeds=(0, 1))

    evaluator = once()
    first = evaluator()
    assert np.array_equal(first.scores, evaluator().scores) and np.array_equal(
        first.scores, once()().scores
    )


def test_the_batch_size_changes_nothing(pristine_model, tokenizer, topic):
    scores = [
        ICLEvaluator(
            pristine_model, tokenizer, topic, n=20, n_shots=4, seeds=(0,), batch_size=size
        )().scores
        for size in (1, 7, 128)
    ]
    np.testing.assert_allclose(scores[0], scores[1], rtol=0, atol=ATOL)
    np.testing.assert_allclose(scores[0], scores[2], rtol=0, atol=ATOL)


def test_the_model_is_judged_as_it_is_at_the_moment(model, fingerprint, tokenizer, sentiment):
    evaluator, before = (
        ICLEvaluator(model, tokenizer, sentiment, n=10, n_shots=2, seeds=(0,)),
        fingerprint(model),
    )
    whole = evaluator()
    with clipped(model, 0, "all", 0.9):
        cut = evaluator()
        np.testing.assert_allclose(cut.scores, evaluator.plain().scores, rtol=0, atol=ATOL)
    assert np.abs(cut.scores - whole.scores).max() > 100 * ATOL
    assert np.array_equal(evaluator().scores, whole.scores) and fingerprint(model) == before
    assert not model.training


def test_evaluating_leaves_no_gradient_behind(model, tokenizer, sentiment):
    ICLEvaluator(model, tokenizer, sentiment, n=4, n_shots=2, seeds=(0,))()
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def evaluation(predictions, labels, n_classes=2):
    return Evaluation(np.eye(n_classes, dtype=np.float32)[predictions], np.array(labels))


def test_accuracy_counts_right_answers():
    outcome = evaluation([0, 1, 1, 0], [0, 1, 0, 0])
    assert outcome.correct.tolist() == [
        True,
        True,
        False,
        True,
    ] and outcome.predictions.tolist() == [0, 1, 1, 0]
    assert (outcome.accuracy, outcome.n) == (0.75, 4)
    assert outcome.interval == wilson_interval(3, 4)
    assert str(outcome) == "0.750 [0.301, 0.954], n = 4"  # Wilson at 3 of 4


def test_balanced_accuracy_is_chance_for_one_answer_to_all():
    assert evaluation([0] * 10, [0] * 9 + [1]).accuracy == 0.9
    assert evaluation([0] * 10, [0] * 9 + [1]).balanced_accuracy == 0.5
    assert evaluation([2] * 8, [0, 0, 0, 0, 1, 2, 2, 3], 4).balanced_accuracy == 0.25
    assert evaluation([0, 0, 1], [0, 1, 1]).balanced_accuracy == 0.75


def test_the_first_class_wins_a_tie():
    assert Evaluation(
        np.zeros((3, 4), dtype=np.float32), np.array([0, 1, 2])
    ).predictions.tolist() == [0, 0, 0]


def test_queries_of_one_prompt_set_keep_their_order(pristine_model, tokenizer, sentiment):
    # Batches are made by length, so the order in which scores are computed is not the order of the
    # examples.
    examples = sorted(
        sentiment.splits["test"].select(range(12)), key=lambda example: -len(example["text"])
    )
    forward = encode(tokenizer, sentiment, ("neg", "pos"), [], examples)
    backward = encode(tokenizer, sentiment, ("neg", "pos"), [], examples[::-1])
    np.testing.assert_allclose(
        fast_scores(pristine_model, [Plan(forward, 5)])[0],
        fast_scores(pristine_model, [Plan(backward, 5)])[0][::-1],
        rtol=0,
        atol=ATOL,
    )
