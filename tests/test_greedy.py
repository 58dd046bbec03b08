"""Greedy search says what clipping by hand and judging one prompt at a time says."""

import copy
from itertools import count

import numpy as np
import pytest

from svdicl_lite.clipping.clip import clip_
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.cells import Cell, judged
from svdicl_lite.search.experiment import Experiment
from svdicl_lite.search.greedy import greedy_search
from svdicl_lite.search.journal import Journal

RATES = (0.0, 0.75, 0.95, 0.99)
ATOL = 1e-4  # logits of order 10 in float32, of two orders of computing them


@pytest.fixture(scope="module")
def judges():
    """Validation, test and a guard for a model that gains by clips (chapter 08), so that there is
    something to keep.
    """
    experiment = Experiment(
        "icl-gpt2-noisy", "sentiment", "flipped", n_shots=2, n_validation=40, n_test=24
    )
    guard = Experiment(
        "icl-gpt2-noisy", "sentiment", "canonical", n_shots=2, n_validation=30, n_test=12
    )
    return (
        experiment.evaluator("validation"),
        experiment.evaluator("test"),
        guard.evaluator("validation"),
    )


def plainly(evaluator, model):
    """What the evaluator says of another model, one prompt at a time."""
    other = copy.copy(evaluator)
    other.model = model
    return other.plain()


def by_hand(model, validation, guard, modules, layers, max_loss):
    """The steps, a fresh copy of the model for every clip."""
    model, steps = copy.deepcopy(model), []
    best, floor = (
        plainly(validation, model).accuracy,
        (plainly(guard, model).accuracy - max_loss if guard else None),
    )
    for layer in sorted(layers, reverse=True):
        for module in modules:
            kept = None
            for rate in RATES[1:]:
                clipped = clip_(copy.deepcopy(model), layer, module, rate)
                outcome = plainly(validation, clipped)
                if outcome.accuracy > best and (
                    guard is None or plainly(guard, clipped).accuracy >= floor
                ):
                    best, kept = outcome.accuracy, (clipped, (layer, module, rate), outcome)
            if kept:
                model = kept[0]
                steps.append(kept[1:])
    return steps, model


@pytest.mark.parametrize("max_loss", [None, 0.1, -1.0], ids=["no guard", "guard", "veto of all"])
@pytest.mark.parametrize("modules, layers", [(("attn", "mlp"), (2, 3))], ids=str)
def test_greedy_search_is_what_clipping_by_hand_finds(
    judges, fingerprint, modules, layers, max_loss
):
    validation, test, guard = judges
    model, guard = validation.model, guard if max_loss is not None else None
    before = fingerprint(model)
    result = greedy_search(model, validation, test, modules, layers, RATES, guard, max_loss)
    steps, clipped = by_hand(model, validation, guard, modules, layers, max_loss)
    assert [(step.cell.layer, step.cell.module, step.cell.clip_rate) for step in result.steps] == [
        place for place, _ in steps
    ]
    for step, (_, outcome) in zip(result.steps, steps):
        np.testing.assert_allclose(step.validation.scores, outcome.scores, rtol=0, atol=ATOL)
    np.testing.assert_allclose(result.test_before.scores, test.plain().scores, rtol=0, atol=ATOL)
    np.testing.assert_allclose(
        result.test_after.scores, plainly(test, clipped).scores, rtol=0, atol=ATOL
    )
    assert result.n_tried == len(layers) * len(modules) * 3 and fingerprint(model) == before
    assert guard or not result.n_refused
    if max_loss == -1.0:  # nothing rises by a point in one, so all that is better is refused
        first = [Cell(layer, m, rate) for layer in (3, 2) for m in modules for rate in RATES[1:]]
        better = sum(o.accuracy > validation().accuracy for _, o in judged(validation, first))
        assert result.n_refused == better > 0 and f"{better} refused by the guard" in str(result)


def test_modules_that_share_a_matrix_are_refused(judges):
    validation, test, _ = judges
    for modules, shared in ((("mlp", "fc_in"), "fc_in"), (("q", "all"), "q"), (("v", "v"), "v")):
        with pytest.raises(
            ValueError,
            match=(
                f"modules {modules[0]!r} and {modules[1]!r} share {shared}, but a greedy search"
                " clips each matrix once"
            ),
        ):
            greedy_search(validation.model, validation, test, modules, (3,), RATES)


@pytest.mark.parametrize("nothing", [{"layers": ()}, {"modules": ()}])
def test_nothing_to_clip_is_refused(judges, nothing):
    validation, test, _ = judges
    with pytest.raises(ValueError, match="a greedy search needs one of each at least"):
        greedy_search(validation.model, validation, test, **nothing)


def test_every_clip_is_judged_behind_all_that_were_kept_before_it(
    model, tokenizer, topic, monkeypatch
):
    """Every clip is made to look better than what there was: what is known of attention must not
    serve the MLP's clips.
    """
    fewer = count(0, -1)  # the newcomer is asked first
    monkeypatch.setattr(Evaluation, "accuracy", property(lambda self: next(fewer)))
    validation, test = (
        ICLEvaluator(model, tokenizer, topic, split, n=6, n_shots=2, seeds=(0,))
        for split in ("validation", "test")
    )
    journal = Journal(None, {})
    greedy_search(model, validation, test, ("attn", "mlp"), (2, 1, 0), RATES, journal=journal)
    judged = [(key, scores) for key, scores in journal.entries() if key["judge"] == "validation"]
    assert any(
        step["layer"] == key["layer"] and step["module"] == "attn"
        for key, _ in judged
        for step in key["after"]
    )
    for key, scores in judged:
        clipped = copy.deepcopy(model)
        for step in (*key["after"], key):
            clip_(clipped, step["layer"], step["module"], step["clip_rate"])
        np.testing.assert_allclose(scores, plainly(validation, clipped).scores, rtol=0, atol=ATOL)
