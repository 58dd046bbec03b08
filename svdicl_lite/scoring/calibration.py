"""Calibration: a model's preference for a label word, measured without labels and subtracted.

A way to gain without damage. If a clip helps because it shifts that preference, then subtracting it
should do as well. Taught in chapter 09.
"""

from collections.abc import Callable
from dataclasses import replace
from string import Formatter
from typing import Any

import numpy as np
from scipy.special import softmax
from transformers import PreTrainedTokenizerBase

from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.prompts import Prompts, encode
from svdicl_lite.scoring.reading import batch_bias
from svdicl_lite.tasks.task import Task

__all__ = ["CONTENT_FREE", "batch_bias", "calibrate", "contextual_bias"]


CONTENT_FREE = ("N/A", "", "[MASK]")


def contextual_bias(
    tokenizer: PreTrainedTokenizerBase,
    task: Task,
    words: tuple[str, ...],
    demonstrations: list[dict[str, Any]],
    score: Callable[[Prompts], np.ndarray],
) -> np.ndarray:
    """(C,) the log of the mean probability of each label word where there is nothing to judge
    (contextual calibration, Zhao et al. 2021).

    Every column of the task is filled in turn with `N/A`, nothing and `[MASK]`; `score` takes the
    prompts to label-word logits (3, C), as `plain_scores` does with a model.
    """
    columns = {name for _, name, _, _ in Formatter().parse(task.template) if name} - {"label"}
    blanks = [
        {**dict.fromkeys(columns, text), "label": 0} for text in CONTENT_FREE
    ]  # a label that nobody reads
    scores = score(encode(tokenizer, task, words, demonstrations, blanks))
    bias: np.ndarray = np.log(softmax(np.asarray(scores, dtype=float), axis=1).mean(0))
    return bias


def calibrate(evaluation: Evaluation, bias: np.ndarray) -> Evaluation:
    """The same evaluation with `bias` subtracted from its scores: one (C,), or (N, C) where sets of
    demonstrations have their own.
    """
    bias = np.asarray(bias, dtype=float)
    if bias.shape not in (evaluation.scores.shape, evaluation.scores.shape[1:]):
        N, C = evaluation.scores.shape
        raise ValueError(
            f"the bias has shape {bias.shape}, but must have ({C},) or ({N}, {C}), a number for"
            " each class"
        )
    return replace(evaluation, scores=evaluation.scores - bias)
