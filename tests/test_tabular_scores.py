"""The scores of the shipped model of tables: the same answers, and what they tell apart."""

import numpy as np
import pytest

from svdicl_lite.clipping.clip import clipped
from svdicl_lite.tasks.worlds.tables import SETS, prompts
from svdicl_lite.training import tabular


@pytest.mark.parametrize("name", SETS)
def test_scores_answer_as_the_predictions_do_and_tell_the_classes_apart(name):
    model, asked = tabular.load(), prompts(name, "validation")
    outcome = tabular.evaluate(model, asked)
    judged = tabular.judge(tabular.in_context(model), asked)
    assert (outcome.predictions == judged.predictions).all()
    assert (outcome.labels == judged.labels).all()
    assert len(outcome.discrimination_by_set) == len(asked)
    assert outcome.discrimination > 0.8


def test_a_model_whose_first_mlp_is_dropped_tells_less_apart():
    model, asked = tabular.load(), prompts("iris", "validation")
    before = tabular.evaluate(model, asked)
    with clipped(model, 0, "mlp", 1.0):
        after = tabular.evaluate(model, asked)
    assert after.discrimination < before.discrimination
    assert not np.array_equal(before.scores, after.scores)
