"""Noisy in-context recall: a world in which one thing is right after the trigger here, and another
comes after it everywhere.

A sequence is drawn from a bigram source of 62 symbols. One more symbol, the trigger `?`, is
different: after it comes the sequence's own *answer*, drawn once per sequence, but with
probability α the *noise* `_` comes instead, the same in every sequence. Reading the sequence tells
the answer; having read many tells the noise. A model that has learned both must weigh them after
the next trigger, and the question is which of its matrices speak for which. After Chen, Bruna and
Bietti, "Distributional Associations vs In-Context Reasoning" (ICLR 2025, arXiv 2406.03068). The
model that learned this world is in `recall_recipe`. Taught in chapter 14.
"""

import string
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from svdicl_lite.scoring.evaluation import Evaluation

SYMBOLS = (*string.ascii_letters, *string.digits, "?", "_")
N_ORDINARY = len(SYMBOLS) - 2
TRIGGER, NOISE = N_ORDINARY, N_ORDINARY + 1
SEEDS = {"validation": (10, 11, 12, 13), "test": (20, 21, 22, 23)}
"""Of the sequences on which a model is judged; training draws from the recipe's seed."""


@dataclass(frozen=True)
class RecallRecipe:
    """The source and what makes the shipped model."""

    alpha: float = 0.6  # probability that noise comes after a trigger, and not the answer
    trigger_share: float = 0.12  # of the symbols after an ordinary one
    # of the Dirichlet distributions that the bigrams are drawn from: small is predictable
    concentration: float = 0.05
    length: int = 64
    layers: int = 2
    width: int = 128
    heads: int = 4
    batch: int = 64
    steps: int = 900
    learning_rate: float = 1e-3
    cool_down: float = 0.3
    seed: int = 0  # of weights and training sequences; the bigrams are the same for every seed
    threads: int = 1


RECIPE = RecallRecipe()


def bigrams(recipe: RecallRecipe = RECIPE) -> Tensor:
    """(64, 64) float64: the probability of the next symbol given this one; the row of the trigger,
    which the sequence decides, is 0.
    """
    table = np.zeros((len(SYMBOLS), len(SYMBOLS)))
    rows = np.random.default_rng(0).dirichlet(
        np.full(N_ORDINARY, recipe.concentration), len(SYMBOLS)
    )
    table[:, :N_ORDINARY] = (1 - recipe.trigger_share) * rows
    table[:, TRIGGER] = recipe.trigger_share
    table[TRIGGER] = 0
    return torch.from_numpy(table)


def draw(
    n: int, generator: torch.Generator, alpha: float = RECIPE.alpha, recipe: RecallRecipe = RECIPE
) -> tuple[Tensor, Tensor]:
    """Sequences (n, length) of symbol numbers and their answers (n,)."""
    cumulated = bigrams(recipe).cumsum(1)
    answers = torch.randint(N_ORDINARY, (n,), generator=generator)
    sequences = torch.empty(n, recipe.length, dtype=torch.long)
    sequences[:, 0] = torch.randint(N_ORDINARY, (n,), generator=generator)
    for t in range(1, recipe.length):
        last, u = sequences[:, t - 1], torch.rand(n, generator=generator, dtype=torch.float64)
        ordinary = torch.searchsorted(cumulated[last], u[:, None]).squeeze(1).clamp(max=TRIGGER)
        sequences[:, t] = torch.where(
            last == TRIGGER, torch.where(u < alpha, NOISE, answers), ordinary
        )
    return sequences, answers


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a symbol; a text is the symbols with spaces between them."""
    tokens = Tokenizer(
        models.WordLevel({symbol: i for i, symbol in enumerate(SYMBOLS)}, unk_token="_")
    )
    tokens.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokens)


class Recall(Evaluation):
    """What a model said after the last trigger, sequence by sequence: logits (N, 64), and the
    answers (N,) as labels.
    """

    @property
    def noise_share(self) -> float:
        """How often the noise was said."""
        return float((self.predictions == NOISE).mean())

    def probabilities(self) -> tuple[float, float]:
        """The mean probability of the answer, and of the noise."""
        p = torch.from_numpy(self.scores).softmax(1).numpy()
        return float(p[np.arange(self.n), self.labels].mean()), float(p[:, NOISE].mean())


class RecallEvaluator:
    """Judges a model on `n` sequences of a split, dealt out to its four seeds; like `ICLEvaluator`,
    it is called.

    A sequence counts only if its answer came after an earlier trigger: others cannot be known.
    `alpha` = 0 asks with contexts without noise.
    """

    def __init__(
        self,
        model: GPT2LMHeadModel,
        split: str = "validation",
        n: int = 1000,
        alpha: float = RECIPE.alpha,
    ):
        if split not in SEEDS:
            raise ValueError(f"split is {split!r}, but must be validation or test")
        if n < len(SEEDS[split]):
            raise ValueError(
                f"n is {n}, but must be at least {len(SEEDS[split])}, one for each seed"
            )
        self.model, kept = model, []
        for i, seed in enumerate(SEEDS[split]):
            share = (i + 1) * n // len(SEEDS[split]) - i * n // len(SEEDS[split])
            kept.append(_answerable(share, seed, alpha))
        self.sequences, self.answers, self.asked = (torch.cat(parts) for parts in zip(*kept))

    @torch.inference_mode()
    def __call__(self) -> Recall:
        """What the model says after the last trigger of each sequence."""
        scores = []
        for sequences, asked in zip(self.sequences.split(128), self.asked.split(128)):
            hidden = self.model.transformer(
                sequences.to(self.model.device), use_cache=False
            ).last_hidden_state
            scores.append(self.model.lm_head(hidden[torch.arange(len(asked)), asked]).cpu())
        return Recall(torch.cat(scores).numpy(), self.answers.numpy())


def _answerable(n: int, seed: int, alpha: float) -> tuple[Tensor, Tensor, Tensor]:
    """`n` sequences that show their answer before their last trigger, the answers, and where that
    trigger stands.
    """
    sequences, answers = draw(2 * n + 100, torch.Generator().manual_seed(seed), alpha)
    asked = _last_trigger(sequences)
    before = torch.arange(sequences.shape[1] - 1) < asked[:, None]
    shown = (sequences[:, :-1] == TRIGGER) & (sequences[:, 1:] == answers[:, None]) & before
    known = shown.any(1).nonzero().squeeze(1)[:n]
    if len(known) < n:
        raise ValueError(
            f"alpha is {alpha}, so only {len(known)} of {len(sequences)} sequences show"
            " their answer before the last trigger; take a smaller alpha"
        )
    return sequences[known], answers[known], asked[known]


def _last_trigger(sequences: Tensor) -> Tensor:
    """(n,) where the last trigger stands, or 0, before which nothing can have come."""
    return ((sequences == TRIGGER) * torch.arange(sequences.shape[1])).amax(1)
