"""What a clip costs elsewhere: the same weights on other tasks, and on plain text.

A clip for one task stays in the model for all others. Taught in chapter 10.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pandas as pd
from transformers import PreTrainedModel

from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.plain_text import PlainTexts
from svdicl_lite.search.results import Comparison
from svdicl_lite.stats import mean_interval


def price(
    elsewhere: Mapping[str, ICLEvaluator], change: Callable[[], AbstractContextManager[Any]]
) -> pd.DataFrame:
    """Before and after a change of the model on other tasks, a row each: task, n, before, after
    (accuracy), gain with gain_low and gain_high, reading, reading_low and reading_high (95 %, over
    sets of demonstrations where there are enough), collapsed.

    `change()` is a context in which the change is in force, such as `Clip(…).at(0.9)`.
    """
    before = {name: judge() for name, judge in elsewhere.items()}
    with change():
        after = {name: judge() for name, judge in elsewhere.items()}
    rows = []
    for name in elsewhere:
        both = Comparison(before[name], after[name], before[name], after[name])
        row = {"task": name, "n": before[name].n}
        row |= {"before": before[name].accuracy, "after": after[name].accuracy}
        intervals = {
            "gain": (both.test_gain, both.gain_over_sets or both.gain_interval),
            "reading": (both.reading, both.reading_over_sets or both.reading_interval),
        }
        for part, (value, (low, high)) in intervals.items():
            row |= {part: value, f"{part}_low": low, f"{part}_high": high}
        rows.append({**row, "collapsed": after[name].collapsed})
    return pd.DataFrame(rows)


def perplexity(model: PreTrainedModel, tokenizer: Any, texts: Iterable[str]) -> float:
    """The exponential of the mean negative log-likelihood a token, over all texts and all their
    tokens but the first of each. A text is read up to the model's positions.

    Raises ValueError if no text has two tokens.
    """
    read = PlainTexts(tokenizer, texts, getattr(model.config, "max_position_embeddings", None))
    return math.exp(read.losses(model).sum() / read.n_predicted.sum())


def times_perplexity(
    before: np.ndarray, after: np.ndarray, n_predicted: np.ndarray
) -> tuple[float, float, float]:
    """By what a change multiplies the perplexity of some texts, and the ends of a 95 % interval
    over new texts of their kind: each text is paired with itself. `before` and `after` (N,) are the
    losses of `PlainTexts`, in nats.

    >>> times_perplexity(np.array([2.0, 4.0]), np.array([2.0, 4.0]), np.array([1, 2]))
    (1.0, 1.0, 1.0)
    """
    change = after - before
    each = change.sum() / n_predicted.sum()  # nats a token
    # a text's share in the error of this ratio of two sums
    spread = (change - each * n_predicted) / n_predicted.mean()
    low, high = mean_interval(each + spread)
    return math.exp(each), math.exp(low), math.exp(high)
