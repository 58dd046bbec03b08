"""How well a model classifies from its prompt.

A task's examples stand behind demonstrations; the class whose label word gets the highest logit
where the label is due is the answer. `ICLEvaluator` makes the prompts once and judges the model as
it is whenever it is called, by the fast path of `svdicl_lite.scoring.fast`; `from_layer` judges it
again and again while one layer changes (`svdicl_lite.scoring.resume`). Taught in chapter 03.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from svdicl_lite.scoring.batches import Plan
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.fast import fast_scores
from svdicl_lite.scoring.plain import plain_scores
from svdicl_lite.scoring.prompts import draw_demonstrations, encode, encode_options, render
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
        model,
        tokenizer,
        task: Task,
        split="validation",
        n=1000,
        n_shots=8,
        seeds=(0, 1, 2, 3),
        batch_size=128,
    ):
        if not seeds:
            raise ValueError(
                "seeds is empty, but the evaluator needs at least one seed to draw"
                " demonstrations by"
            )
        if not len(seeds) <= n <= len(task.splits[split]):
            size = len(task.splits[split])
            if size == 0:
                raise ValueError(
                    f"task {task.name!r} has no {split} examples, so nothing can be judged on them;"
                    " a sweep needs validation's alone"
                )
            raise ValueError(
                f"n is {n}, but must be between {len(seeds)} (one per seed) and {size}, the size of"
                f" {task.name}'s {split} split"
            )
        if model.dtype == torch.float16 and model.device.type == "cpu":
            raise ValueError(
                "the model is in float16, which a CPU has no fast arithmetic for; take"
                " model.float() or model.bfloat16(), or a CUDA device"
            )
        self.model, self.split, self.seeds, self.groups = model, split, tuple(seeds), []
        self.examples: frozenset[str] = frozenset()  # as they stand in the prompt
        self.experiment = (
            None  # the recipe by which workers make the same evaluator, if there is one
        )
        for i, seed in enumerate(seeds):
            examples = list(
                task.splits[split].select(range(i * n // len(seeds), (i + 1) * n // len(seeds)))
            )
            self.examples |= {render(task, example) for example in examples}
            demonstrations = draw_demonstrations(task, n_shots, seed)
            if task.options:
                prompts = encode_options(tokenizer, task, demonstrations, examples)
                longest = max(len(prompt) for options in prompts.tokens for prompt in options)
            else:
                prompts = encode(tokenizer, task, task.words(seed=seed), demonstrations, examples)
                longest = max(map(len, prompts.tokens))
            positions = getattr(
                model.config.get_text_config(), "max_position_embeddings", None
            )  # BLOOM and MPT have no limit
            if positions is not None and longest > positions:
                raise ValueError(
                    f"a prompt of {n_shots} shots has {longest} tokens, but the model has"
                    f" {positions} positions; use fewer shots"
                )
            self.groups.append(prompts)
        self.plans = [Plan(prompts, batch_size) for prompts in self.groups]
        self.demonstration_sets = np.repeat(
            np.arange(len(seeds)), [len(prompts.tokens) for prompts in self.groups]
        )

    @cached_property
    def digest(self) -> str:
        """Of every prompt, with its label tokens and its answer: two evaluators that share it ask
        the same.
        """
        return hashlib.sha256(repr(self.groups).encode()).hexdigest()[:16]

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
        return FromLayer(self, Replay(self.model, self.plans, layer, below and below.replay))

    def outcome(self, scores: np.ndarray) -> Evaluation:
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
