"""Rules side by side: scores against what was measured, choices on test, and what they cost."""

import numpy as np
import pandas as pd
import pytest

from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.search import rivals
from svdicl_lite.search.rivals import Asked, agreement, as_predicted, blind, chosen, oracle
from svdicl_lite.search.side_by_side import choice_table, side_by_side
from svdicl_lite.training.recall import RecallEvaluator
from svdicl_lite.training.recall_prompts import RecallPrompts

N = 40
LABELS = np.arange(N) % 2
SETS = np.arange(N) // 2 % 5
RATES = (0.5, 0.9)


def outcome(wrong, lean=0.0):
    """Of a model that takes the first `wrong` examples for the other class, and leans to 1."""
    says = np.where(np.arange(N) < wrong, 1 - LABELS, LABELS)
    scores = np.zeros((N, 2), dtype=np.float32)
    scores[np.arange(N), says] = 1
    scores[:, 1] += lean
    return Evaluation(scores, LABELS, SETS)


def table(wrong):
    """Outcomes of two layers of an MLP at two rates; `wrong` of (no clip, then the four clips)."""
    places = [(0, 0.0), (0, 0.5), (0, 0.9), (1, 0.5), (1, 0.9)]
    rows = [
        {
            "layer": layer,
            "module": "mlp",
            "clip_rate": rate,
            "seconds": 1.0,
            "evaluation": outcome(w),
        }
        for (layer, rate), w in zip(places, wrong)
    ]
    return rivals.with_forwards(pd.DataFrame(rows), 2)


def rule(scores, layer, tells_rates=True):
    rows = [(0, 0.5), (0, 0.9), (1, 0.5), (1, 0.9)]
    scored = pd.DataFrame(rows, columns=["layer", "clip_rate"]).assign(module="mlp", score=scores)
    return Asked("gradient", scored, layer, tells_rates, 0.5, 30.0)


VALIDATION = table([10, 12, 20, 4, 6])
TEST = table([10, 11, 20, 8, 2])


def test_a_clip_of_the_upper_of_two_layers_costs_half_a_forward_a_prompt():
    assert VALIDATION["forwards"].tolist() == [40, 40, 40, 20, 20]


def test_a_rule_that_orders_the_clips_as_test_does_agrees_fully_and_its_opposite_not_at_all():
    assert agreement(rule([2, 1, 3, 4], 1), TEST, "accuracy") == pytest.approx(1)
    assert agreement(rule([-2, -1, -3, -4], 1), TEST, "accuracy") == pytest.approx(-1)
    assert np.isnan(agreement(rule([1, 1, 1, 1], 1), TEST, "accuracy"))


def test_the_rate_is_what_validation_prefers_and_the_gain_is_tests():
    choice = chosen(rule([0, 0, 1, 0], 1), VALIDATION, TEST, "mlp", "accuracy")
    assert (choice.layer, choice.clip_rate) == (1, 0.5)
    assert choice.reading + choice.lean == pytest.approx((10 - 8) / N)
    assert choice.forwards == 30 + 20 + 20 and choice.seconds == 2.5


def test_no_clip_is_chosen_where_every_rate_is_worse_on_validation():
    choice = chosen(rule([0, 0, 1, 0], 0), VALIDATION, TEST, "mlp", "accuracy")
    assert choice.clip_rate == 0 and choice.reading == choice.lean == 0


def test_the_oracle_takes_the_best_of_validation_and_pays_for_all():
    best = oracle(VALIDATION, "mlp", "accuracy")
    choice = chosen(best, VALIDATION, TEST, "mlp", "accuracy")
    assert (choice.layer, choice.clip_rate, choice.forwards) == (1, 0.5, 120)
    assert agreement(best, TEST, "accuracy") == pytest.approx(0.8)


def test_chance_is_the_mean_over_layers_and_not_a_draw():
    choice = blind(VALIDATION, TEST, "mlp", "accuracy")
    assert choice.reading + choice.lean == pytest.approx((0 + 2) / 2 / N)
    assert choice.forwards == (80 + 40) / 2


def test_a_rule_at_its_word_looks_at_no_validation_and_leaves_alone_what_promises_nothing():
    choice = as_predicted(rule([0, 3, 1, 2], 0), TEST, "mlp")
    assert (choice.layer, choice.clip_rate, choice.forwards) == (0, 0.9, 30)
    assert choice.reading + choice.lean == pytest.approx(-10 / N)
    assert as_predicted(rule([-1, -2, -1, -1], 0), TEST, "mlp").clip_rate == 0
    with pytest.raises(ValueError, match="does not tell rates apart"):
        as_predicted(rule([0, 0, 0, 0], 0, tells_rates=False), TEST, "mlp")


def test_a_lean_alone_is_no_reading():
    leaning = TEST.copy()
    leaning["evaluation"] = [outcome(2, 1.5), *(outcome(2) for _ in range(4))]
    choice = as_predicted(rule([1, 0, 0, 0], 0), leaning, "mlp")
    assert choice.reading == 0 and choice.lean > 0.2
    low, high = choice.lean_interval
    assert low <= choice.lean <= high


def test_recall_as_prompts_is_judged_as_the_recall_evaluator_judges():
    model, _ = load_model("recall-gpt2")
    plain, prompts = RecallEvaluator(model, "test", 12)(), RecallPrompts(model, "test", 12)
    outcome = prompts()
    assert np.abs(outcome.scores - plain.scores).max() < 1e-4
    assert outcome.labels.tolist() == plain.labels.tolist()
    again = prompts.from_layer(1)("mlp")
    assert np.abs(outcome.scores - again.scores).max() < 1e-4


def test_all_rules_side_by_side_on_recall_the_last_row_being_calibration():
    model, _ = load_model("recall-gpt2")
    pair = RecallPrompts(model, "validation", 60), RecallPrompts(model, "test", 60)
    both = side_by_side(*pair, modules=("mlp",), clip_rates=(0, 0.99))
    assert both.rankings("accuracy", "accuracy").index.tolist() == [
        "condition",
        "stable-rank",
        "last",
        "block-influence",
        "gradient",
        "oracle",
        "random",
        "calibration",
    ]
    found = choice_table(both.choices("mlp", "accuracy"), 90).set_index("rule")
    assert found.index[-1] == "calibration" and found.loc["calibration", "lean"] > 80
    assert found.loc["oracle", "share"] == 1 and found.loc["last", "share"] == pytest.approx(1 / 3)
    assert found.loc["oracle", "lean"] > 50 and (found["reading"].abs() < 5).all()
    # a sampled prompt costs the gradient three forwards, and the search of its layer comes on top
    assert found.loc["gradient, unsearched", "forwards"] == 3 * 60
    assert found.loc["condition", "times_seconds"] == 1 and (found["seconds"] > 0).all()
