"""What the tests of the journal share: who it is of, evaluators, and a count of their calls."""

import numpy as np
import pytest

from svdicl_lite.scoring import evaluator
from svdicl_lite.scoring.evaluator import ICLEvaluator

IDENTITY = {"model": "m", "seeds": [0, 1]}
RATES = (0.0, 0.5, 0.9)


@pytest.fixture
def evaluators(model, tokenizer, sentiment):
    return [
        ICLEvaluator(model, tokenizer, sentiment, split, n=12, n_shots=2, seeds=(0,))
        for split in ("validation", "test")
    ]


@pytest.fixture
def count(monkeypatch):
    """How often one layer's change has been judged by running the model."""
    runs, judge = [], evaluator.FromLayer.__call__

    def counted(self, module="all"):
        runs.append(module)
        return judge(self, module)

    monkeypatch.setattr(evaluator.FromLayer, "__call__", counted)
    return runs


def same(first, second):
    return all(np.array_equal(a.scores, b.scores) for a, b in zip(first, second, strict=True))
