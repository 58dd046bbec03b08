"""What a clip costs elsewhere: the same weights on other tasks, and on plain text.

A clip for one task stays in the model for all others. Taught in chapter 10.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import pandas as pd
import torch
from torch import nn
from transformers import PreTrainedModel

from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.rotary import as_never_read
from svdicl_lite.search.results import Comparison


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


@torch.inference_mode()
def perplexity(model: PreTrainedModel, tokenizer: Any, texts: Iterable[str]) -> float:
    """The exponential of the mean negative log-likelihood a token, over all texts and all their
    tokens but the first of each. A text is read up to the model's positions.

    Raises ValueError if no text has two tokens.
    """
    positions = getattr(model.config, "max_position_embeddings", None)
    total, n = 0.0, 0
    for text in texts:
        tokens = tokenizer(text, add_special_tokens=False)["input_ids"][:positions]
        if len(tokens) > 1:
            as_never_read(model)
            total += _surprise(model, tokens)
            n += len(tokens) - 1
    if n == 0:
        raise ValueError("no text has two tokens or more, so there is nothing to predict")
    return math.exp(total / n)


def _surprise(model: PreTrainedModel, tokens: Sequence[int]) -> float:
    """The sum of −log p of each token after the first, in nats."""
    ids = torch.tensor([list(tokens)], device=model.device)
    logits = model(ids).logits[0, :-1].float()
    return float(nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum"))
