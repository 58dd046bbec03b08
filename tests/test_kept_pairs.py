"""Clips of a kept experiment against the model as it is."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.search.kept_pairs import against_whole, p_of_sets

SETS = np.repeat(range(4), 10)
LABELS = np.tile([0, 1], 20)


def outcome(shift, seed):
    """Scores that tell the classes apart, and lean to label 0 by `shift`."""
    noise = np.random.default_rng(seed).normal(size=(40, 2))
    return Evaluation(noise + np.eye(2)[LABELS] + [shift, 0], LABELS, SETS)


def rows(task, *outcomes):
    place = {"task": task, "labels": "canonical", "split": "test", "n_shots": 8}
    return [
        {**place, "layer": 1, "module": "mlp", "clip_rate": rate, "evaluation": one}
        for rate, one in zip((0, 0.5, 0.9), outcomes)
    ]


def test_each_clip_meets_the_whole_model_of_its_own_run():
    first = [outcome(2, 0), outcome(0, 0), outcome(1, 1)]
    second = [outcome(0, 2), outcome(3, 2)]
    found = against_whole(pd.DataFrame(rows("a", *first) + rows("b", *second)))
    assert list(found["clip_rate"]) == [0.5, 0.9, 0.5]
    assert [pair.test_before for pair in found["compared"]] == [first[0], first[0], second[0]]
    assert [pair.test_after for pair in found["compared"]] == [*first[1:], second[1]]
    lean_alone = found["compared"].iloc[0]
    assert lean_alone.reading == 0 and lean_alone.lean == lean_alone.test_gain > 0


def test_a_run_without_the_whole_model_is_refused():
    table = pd.DataFrame(rows("a", outcome(0, 0), outcome(1, 0))).iloc[1:]
    with pytest.raises(ValueError, match="'a', 'canonical'.* no row with clip_rate 0"):
        against_whole(table)


def test_p_is_that_of_the_sets_means():
    values = np.random.default_rng(3).normal(0.4, 1, 40)
    means = [values[number == SETS].mean() for number in range(4)]
    assert p_of_sets(values, SETS) == pytest.approx(stats.ttest_1samp(means, 0).pvalue)
    assert p_of_sets(np.zeros(40), SETS) == 1
