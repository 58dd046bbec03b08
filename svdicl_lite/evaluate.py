"""How well a model classifies from its prompt, fast and exactly.

Every query stands behind the same demonstrations, so their keys and values are computed once per call, not once per
query; queries of one length run as one batch, so nothing is padded and no mask can be wrong. `plain_scores` is the same
computation without any of that: one prompt, one forward. The two agree; a test says so. Taught in chapter 03.
"""

import copy
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import torch
from transformers import DynamicCache

from svdicl_lite.prompts import Prompts, draw_demonstrations, encode
from svdicl_lite.stats import Interval, wilson_interval
from svdicl_lite.tasks import Task


@dataclass(frozen=True)
class Evaluation:
    """What a model answered, example by example."""

    scores: np.ndarray  # (N, C) logits of the label words where the label is due
    labels: np.ndarray  # (N,) right classes

    @property
    def predictions(self) -> np.ndarray:
        """(N,) the class of the highest score; the first one wins a tie."""
        return self.scores.argmax(1)

    @property
    def correct(self) -> np.ndarray:
        """(N,) bool, example by example: what paired tests need."""
        return self.predictions == self.labels

    @property
    def n(self) -> int:
        return len(self.labels)

    @property
    def accuracy(self) -> float:
        return float(self.correct.mean())

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval of the accuracy."""
        return wilson_interval(self.correct.sum(), self.n)

    @property
    def balanced_accuracy(self) -> float:
        """Mean over the classes of the share that was found: 1/C for a model that always gives one answer."""
        return float(np.mean([self.correct[self.labels == label].mean() for label in np.unique(self.labels)]))

    def __str__(self) -> str:
        return f"{self.accuracy:.3f} [{self.interval.low:.3f}, {self.interval.high:.3f}], n = {self.n:,}"


class ICLEvaluator:
    """Judges a model on `n` examples of a task's `split`, each behind `n_shots` demonstrations.

    The examples are dealt out evenly to the demonstration `seeds`; each seed draws its own demonstrations from the training
    split (and its own words, when they are arbitrary), so no example is used twice. One seed is the paper's setting.
    Prompts are tokenised once; calling the evaluator judges the model as it is at that moment, clipped or not.

    Raises ValueError if the split is too small, a prompt exceeds the model's positions, or a label is not one token.
    """

    def __init__(self, model, tokenizer, task: Task, split="validation", n=1000, n_shots=8, seeds=(0, 1, 2, 3), batch_size=128):
        if not seeds:
            raise ValueError("seeds is empty, but the evaluator needs at least one seed to draw demonstrations by")
        if not len(seeds) <= n <= len(task.splits[split]):
            size = len(task.splits[split])
            raise ValueError(f"n is {n}, but must be between {len(seeds)} (one per seed) and {size}, the size of {task.name}'s {split} split")
        self.model, self.batch_size = model, batch_size
        self.groups = []
        for i, seed in enumerate(seeds):
            examples = list(task.splits[split].select(range(i * n // len(seeds), (i + 1) * n // len(seeds))))
            prompts = encode(tokenizer, task, task.words(seed=seed), draw_demonstrations(task, n_shots, seed), examples)
            longest, positions = max(map(len, prompts.tokens)), model.config.max_position_embeddings
            if longest > positions:
                raise ValueError(f"a prompt of {n_shots} shots has {longest} tokens, but the model has {positions} positions; use fewer shots")
            self.groups.append(prompts)

    def __call__(self) -> Evaluation:
        """Runs the model on every prompt."""
        return _evaluation(self.groups, [cached_scores(self.model, prompts, self.batch_size) for prompts in self.groups])

    def plain(self) -> Evaluation:
        """The same by the plain path: one prompt at a time, nothing shared. Slow; for checking and for timing."""
        return _evaluation(self.groups, [plain_scores(self.model, prompts) for prompts in self.groups])


def _evaluation(groups: list[Prompts], scores: list[np.ndarray]) -> Evaluation:
    return Evaluation(np.concatenate(scores), np.concatenate([prompts.labels for prompts in groups]))


@torch.inference_mode()
def plain_scores(model, prompts: Prompts) -> np.ndarray:
    """Label-word logits (N, C), one full forward a prompt."""
    rows = []
    for tokens, label_tokens in zip(prompts.tokens, prompts.label_tokens):
        logits = model(torch.tensor([tokens], device=model.device)).logits[0, -1]
        rows.append(logits[label_tokens].float().cpu().numpy())
    return np.stack(rows)


@torch.inference_mode()
def cached_scores(model, prompts: Prompts, batch_size: int) -> np.ndarray:
    """Label-word logits (N, C): the shared prefix runs once, then the rest of the prompts in batches of equal length."""
    first, last = min(prompts.tokens), max(prompts.tokens)  # what these two share, all share
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last)))
    shared = min(shared, min(map(len, prompts.tokens)) - 1)
    prefix = DynamicCache(config=model.config)
    if shared:
        model(torch.tensor([first[:shared]], device=model.device), past_key_values=prefix, use_cache=True, logits_to_keep=1)
    by_length: dict[int, list[int]] = {}
    for i, tokens in enumerate(prompts.tokens):
        by_length.setdefault(len(tokens), []).append(i)
    scores = np.empty((len(prompts.tokens), len(prompts.label_tokens[0])), dtype=np.float32)
    for same in by_length.values():
        for start in range(0, len(same), batch_size):
            index = same[start : start + batch_size]
            cache = copy.deepcopy(prefix)
            if shared:
                cache.batch_repeat_interleave(len(index))
            tokens = torch.tensor([prompts.tokens[i][shared:] for i in index], device=model.device)
            logits = model(tokens, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1]
            label_tokens = torch.tensor([prompts.label_tokens[i] for i in index], device=model.device)
            scores[index] = logits.gather(1, label_tokens).float().cpu().numpy()
    return scores
