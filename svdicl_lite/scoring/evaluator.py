"""How well a model classifies from its prompt.

A task's examples stand behind demonstrations; the class whose label word gets the highest logit
where the label is due is the answer. `ICLEvaluator` makes the prompts once and judges the model as
it is whenever it is called, by the fast path of `svdicl_lite.scoring.fast`; `from_layer` judges it
again and again while one layer changes (`svdicl_lite.scoring.resume`). Taught in chapter 03.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from svdicl_lite.scoring.batches import Plan
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.fast import fast_scores
from svdicl_lite.scoring.plain import plain_scores
from svdicl_lite.scoring.prompts import Prompts, draw_demonstrations, encode, render
from svdicl_lite.scoring.resume import Replay
from svdicl_lite.tasks.task import Task


class ICLEvaluator:
    """Judges a model on `n` examples of a task's `split`, each behind `n_shots` demonstrations.

    The examples are dealt out evenly to the demonstration `seeds`; each seed draws its own
    demonstrations from the training split (and its own words, when they are arbitrary), so no
    example is used twice. One seed is the paper's setting. Prompts are tokenised once; calling the
    evaluator judges the model as it is at that moment, clipped or not.

    Raises ValueError if the split is too small, a prompt exceeds the model's positions, a label is
    not one token, or the model is in float16 on a CPU.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: Any,
        task: Task,
        split: str = "validation",
        n: int = 1000,
        n_shots: int = 8,
        seeds: Sequence[int] = (0, 1, 2, 3),
        batch_size: int = 128,
    ):
        _check_size(task, split, n, seeds)
        if model.dtype == torch.float16 and model.device.type == "cpu":
            raise ValueError(
                "the model is in float16, which a CPU has no fast arithmetic for; take"
                " model.float() or model.bfloat16(), or a CUDA device"
            )
        self.model, self.split, self.seeds = model, split, tuple(seeds)
        self.groups: list[Prompts] = []  # one for each seed
        self.examples: frozenset[str] = frozenset()  # as they stand in the prompt
        # the recipe by which workers make the same evaluator, if there is one
        self.experiment: Any = None
        for i, seed in enumerate(seeds):
            rows = range(i * n // len(seeds), (i + 1) * n // len(seeds))
            examples = list(task.splits[split].select(rows))
            self.examples |= {render(task, example) for example in examples}
            demonstrations = draw_demonstrations(task, n_shots, seed)
            words = () if task.options else task.words(seed=seed)
            prompts = encode(tokenizer, task, words, demonstrations, examples)
            _check_length(model, prompts, n_shots)
            self.groups.append(prompts)
        self.plans = [Plan(prompts, batch_size) for prompts in self.groups]
        self.demonstration_sets = np.repeat(
            np.arange(len(seeds)), [len(prompts.labels) for prompts in self.groups]
        )

    @cached_property
    def digest(self) -> str:
        """Of every prompt, with its label tokens and its answer: two evaluators that share it ask
        the same.
        """
        groups = ", ".join(_told(prompts) for prompts in self.groups)
        return hashlib.sha256(f"[{groups}]".encode()).hexdigest()[:16]

    def __call__(self) -> Evaluation:
        """Runs the model on every prompt."""
        return self.outcome(np.concatenate(fast_scores(self.model, self.plans)))

    def plain(self) -> Evaluation:
        """The same by the plain path: one prompt at a time, nothing shared. Slow; for checking and
        for timing.
        """
        return self.outcome(
            np.concatenate([plain_scores(self.model, prompts) for prompts in self.groups])
        )

    def from_layer(self, layer: int, below: "FromLayer | None" = None) -> "FromLayer":
        """A judge for a model of which only `layer`, and what lies above it, changes: what comes
        before is computed here, once.

        `below`, such a judge for a shallower layer, saves the way up to that one.
        """
        replay_below = None if below is None else below.replay
        return FromLayer(self, Replay.record(self.model, self.plans, layer, replay_below))

    def outcome(self, scores: NDArray[np.float32]) -> Evaluation:
        """Scores (N, C) of its prompts, in order, with the right classes beside them."""
        return Evaluation(
            scores,
            np.concatenate([prompts.labels for prompts in self.groups]),
            self.demonstration_sets,
        )


@dataclass(frozen=True)
class FromLayer:
    """Judges as its `evaluator` does, from one layer on."""

    evaluator: ICLEvaluator
    replay: Replay

    def __call__(self, module: str = "all") -> Evaluation:
        """Runs the model, of which nothing below the layer has changed, and in the layer itself
        only `module`.
        """
        return self.evaluator.outcome(np.concatenate(self.replay.scores(module)))


def _check_size(task: Task, split: str, n: int, seeds: Sequence[int]) -> None:
    if not seeds:
        raise ValueError(
            "seeds is empty, but the evaluator needs at least one seed to draw demonstrations by"
        )
    size = len(task.splits[split])
    if len(seeds) <= n <= size:
        return
    if size == 0:
        raise ValueError(
            f"task {task.name!r} has no {split} examples, so nothing can be judged on them; a sweep"
            " needs validation's alone"
        )
    raise ValueError(
        f"n is {n}, but must be between {len(seeds)} (one per seed) and {size}, the size of"
        f" {task.name}'s {split} split"
    )


def _check_length(model: PreTrainedModel, prompts: Prompts, n_shots: int) -> None:
    # BLOOM and MPT have no limit
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if positions is not None and prompts.longest > positions:
        raise ValueError(
            f"a prompt of {n_shots} shots has {prompts.longest} tokens, but the model has"
            f" {positions} positions; use fewer shots"
        )


def _told(prompts: Prompts) -> str:
    """The prompts as a text, written as it was when journals were first named by its digest: whole
    option prompts, and how many of their tokens are the option.
    """
    labels = prompts.labels
    if not prompts.of_options:
        return (
            f"Prompts(tokens={prompts.contexts}, label_tokens={prompts.label_tokens},"
            f" labels={labels})"
        )
    tokens = []
    n_tokens = []
    for context, options in zip(prompts.contexts, prompts.continuations):
        tokens.append([context + option for option in options])
        n_tokens.append([len(option) for option in options])
    return f"OptionPrompts(tokens={tokens}, n_option_tokens={n_tokens}, labels={labels})"
