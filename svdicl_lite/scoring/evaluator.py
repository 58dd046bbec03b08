"""How well a model classifies from its prompt.

A task's examples follow demonstrations; the class whose label word gets the highest logit
where the label is due is the answer. `ICLEvaluator` makes the prompts once and judges the model as
it is whenever it is called, by the fast path of `svdicl_lite.scoring.fast`; `from_layer` judges it
again and again while one layer changes (`svdicl_lite.scoring.resume`). Taught in chapter 03.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from svdicl_lite.scoring.batches import Plan
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.fast import fast_scores
from svdicl_lite.scoring.faults import check_scores
from svdicl_lite.scoring.lengths import Place, fitting
from svdicl_lite.scoring.plain import plain_scores
from svdicl_lite.scoring.prompts import Example, Prompts, draw_demonstrations, encode, render
from svdicl_lite.scoring.resume import Replay
from svdicl_lite.scoring.rotary import rule_of
from svdicl_lite.scoring.tokens import tokenise
from svdicl_lite.tasks.task import Task


class ICLEvaluator:
    """Judges a model on `n` examples of a task's `split`, each after `n_shots` demonstrations.

    The examples are dealt out evenly to the demonstration `seeds`; each seed draws its own
    demonstrations from the training split (and its own words, when they are arbitrary), so no
    example is used twice. One seed is the paper's setting. Prompts are tokenised once; calling the
    evaluator judges the model as it is at that moment, clipped or not.

    With `drop_long`, examples whose prompts exceed the model's positions are left out, `n_too_long`
    in all. Prompts that the fast path would read wrongly (`scoring.rotary`) are read by the plain
    one.

    Raises ValueError if the split is too small, a prompt exceeds the model's positions, a label is
    not one token, or the model is in float16 on a CPU; when called, for scores that are NaN or
    infinite.
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
        drop_long: bool = False,
    ):
        _check_size(task, split, n, seeds)
        if model.dtype == torch.float16 and model.device.type == "cpu":
            raise ValueError(
                "the model is in float16, which a CPU has no fast arithmetic for; take"
                " model.float() or model.bfloat16(), or a CUDA device"
            )
        self.model, self.split, self.seeds = model, split, tuple(seeds)
        self.examples: frozenset[str] = frozenset()  # as they stand in the prompt
        # the recipe by which workers make the same evaluator, if there is one
        self.experiment: Any = None
        self.n_too_long = 0
        groups: list[Prompts] = []  # one for each seed
        for i, seed in enumerate(seeds):
            rows = range(i * n // len(seeds), (i + 1) * n // len(seeds))
            examples = list(task.splits[split].select(rows))
            self.examples |= {render(task, example) for example in examples}
            demonstrations = draw_demonstrations(task, n_shots, seed)
            words = () if task.options else task.words(seed=seed)
            prompts = encode(tokenizer, task, words, demonstrations, examples)
            own = partial(_own_length, tokenizer, task, examples)
            place = Place(split, rows.start, n_shots, own)
            prompts, n_too_long = fitting(model, prompts, place, drop_long)
            groups.append(prompts)
            self.n_too_long += n_too_long
        if self.n_too_long:
            _check_classes(task, split, groups)
        self.take(groups, batch_size)

    def take(self, groups: list[Prompts], batch_size: int) -> None:
        """Judges these prompts from now on, a group for each set of demonstrations."""
        self.groups = groups
        self.plans = [Plan(prompts, batch_size) for prompts in groups]
        rule = rule_of(self.model)
        sides = [plan.side(rule) for plan in self.plans]
        self.together = [_numbers(sides, side) for side in ("below", "above") if side in sides]
        self.alone = _numbers(sides, None)  # groups that only the plain path reads rightly
        self.demonstration_sets = np.repeat(
            np.arange(len(groups)), [len(prompts.labels) for prompts in groups]
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
        found = [
            fast_scores(self.model, [self.plans[number] for number in part])
            for part in self.together
        ]
        return self.joined(found)

    def joined(self, found: Sequence[list[NDArray[np.float32]]]) -> Evaluation:
        """The outcome of what was `found` for the groups of each part of `together`, and of the
        others by the plain path.
        """
        scores = {number: plain_scores(self.model, self.groups[number]) for number in self.alone}
        for part, of_part in zip(self.together, found):
            scores.update(zip(part, of_part))
        return self.outcome(np.concatenate([scores[number] for number in sorted(scores)]))

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
        replays = []
        for k, part in enumerate(self.together):
            plans = [self.plans[number] for number in part]
            replay_below = None if below is None else below.replays[k]
            replays.append(Replay.record(self.model, plans, layer, replay_below))
        return FromLayer(self, replays)

    def outcome(self, scores: NDArray[np.float32]) -> Evaluation:
        """Scores (N, C) of its prompts, in order, with the right classes beside them.

        Raises ValueError if one of them is NaN or infinite.
        """
        check_scores(self.model, self.groups, scores)
        return Evaluation(
            scores,
            np.concatenate([prompts.labels for prompts in self.groups]),
            self.demonstration_sets,
        )


@dataclass(frozen=True)
class FromLayer:
    """Judges as its `evaluator` does, from one layer on."""

    evaluator: ICLEvaluator
    replays: list[Replay]  # one for each part of the prompts that is read together

    @property
    def replay(self) -> Replay:
        """The first; of nearly all models there is one."""
        return self.replays[0]

    def __call__(self, module: str = "all") -> Evaluation:
        """Runs the model, of which nothing below the layer has changed, and in the layer itself
        only `module`.
        """
        return self.evaluator.joined([replay.scores(module) for replay in self.replays])


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
    if size < len(seeds):
        raise ValueError(
            f"task {task.name!r} has {size} {split} examples, fewer than the {len(seeds)} sets of"
            f" demonstrations; take --sets {size} or fewer"
        )
    fewer = f"; or take --sets {n} or fewer" if 0 < n < len(seeds) else ""
    raise ValueError(
        f"n is {n}, but must be between {len(seeds)} (one per seed) and {size}, the size of"
        f" {task.name}'s {split} split{fewer}"
    )


def _own_length(tokenizer: Any, task: Task, examples: Sequence[Example], i: int) -> int:
    """The tokens of an example without demonstrations."""
    return len(tokenise(tokenizer, [render(task, examples[i])])[0])


def _numbers(sides: Sequence[str | None], side: str | None) -> list[int]:
    """Which plans lie on that side."""
    return [number for number, found in enumerate(sides) if found == side]


def _check_classes(task: Task, split: str, groups: Sequence[Prompts]) -> None:
    """Raises ValueError if no example of a class is left."""
    left = {label for prompts in groups for label in prompts.labels}
    for label, name in enumerate(task.classes):
        if label not in left:
            raise ValueError(
                f"without the rows that are too long no example of class {name!r} is left in"
                f" {split}; use fewer shots, or take a model with more positions"
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
