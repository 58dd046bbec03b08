"""A task whose answers are options, COPA's kind, goes the whole way: evaluator, replay, search."""

import numpy as np
import pytest

from svdicl_lite.clipping.clip import clipped
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.algorithm1 import search_clip_rate
from svdicl_lite.tasks.task import Task, as_splits

# As in test_evaluate: two orders of computing logits of order 1 to 10 in float32 differ by some
# 1e-5.
ATOL = 1e-4


@pytest.fixture(scope="module")
def choices():
    """Twelve premises a split, two options of unequal length each, the right one now the first and
    now the second.
    """
    people, ends = (
        ("anna", "hugo", "karen", "simon"),
        (
            "was brilliant",
            "was dull and the match was awful",
            "praised the coach",
        ),
    )
    parts = {
        split: [
            {
                "premise": f"{person} said the {subject} {end}",
                "first": f"the {subject} {ends[i % 3]}",
                "second": f"{person} {ends[(i + 1) % 3]}",
                "label": i % 2,
            }
            for i, (person, end) in enumerate((person, end) for person in people for end in ends)
        ]
        for split, subject in (("train", "banker"), ("validation", "striker"), ("test", "chemist"))
    }
    classes = ("first", "second")
    return Task(
        "choices",
        "{premise} so {label}",
        classes,
        (),
        splits=as_splits(parts, ["premise", "first", "second"], classes),
        options=classes,
    )


@pytest.mark.parametrize("n_shots, seeds, batch_size", [(0, (0,), 3), (2, (0, 1), 64)])
def test_the_evaluator_scores_options_as_the_plain_path_does(
    pristine_model, tokenizer, choices, n_shots, seeds, batch_size
):
    evaluator = ICLEvaluator(
        pristine_model,
        tokenizer,
        choices,
        "test",
        n=12,
        n_shots=n_shots,
        seeds=seeds,
        batch_size=batch_size,
    )
    fast, plain = evaluator(), evaluator.plain()
    assert fast.scores.shape == (12, 2) and plain.scores.std() > 1000 * ATOL
    np.testing.assert_allclose(fast.scores, plain.scores, rtol=0, atol=ATOL)
    assert list(fast.labels) == [0, 1] * 6


def test_a_search_on_options_finds_what_clipping_by_hand_finds(model, tokenizer, choices):
    validation, test = (
        ICLEvaluator(model, tokenizer, choices, split, n=12, n_shots=2, seeds=(0,))
        for split in ("validation", "test")
    )
    rates = (0.0, 0.5, 0.9)
    result = search_clip_rate(model, validation, test, "mlp", layer=1, clip_rates=rates)
    for rate, outcome in zip(rates, result.validation):
        with clipped(model, 1, "mlp", rate):
            np.testing.assert_allclose(outcome.scores, validation.plain().scores, rtol=0, atol=ATOL)
    assert np.abs(result.validation[0].scores - result.validation[2].scores).max() > 100 * ATOL
