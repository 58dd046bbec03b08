"""Noisy in-context recall: a world in which one thing is right behind the trigger here, and another
comes behind it everywhere.

A sequence is drawn from a bigram source of 62 symbols. One more symbol, the trigger `?`, is
different: behind it comes the sequence's own *answer*, drawn once per sequence, but with
probability α the *noise* `_` comes instead, the same in every sequence. Reading the sequence tells
the answer; having read many tells the noise. A model that has learned both must weigh them behind
the next trigger, and the question is which of its matrices speak for which. After Chen, Bruna and
Bietti, "Distributional Associations vs In-Context Reasoning" (ICLR 2025, arXiv 2406.03068); like
theirs, the model has two layers, embeddings and head stay random, and only what comes behind a
trigger is in the loss. Source, size and optimiser are ours. The effect is not everywhere: with α =
0.5, or with every symbol in the loss, no clip helped (`benchmarks/recall_settings.py`). `python -m
svdicl_lite.training recall-gpt2` trains this one. Taught in chapter 12.
"""

import string
from dataclasses import asdict, dataclass

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.models import loading
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.stats import mcnemar
from svdicl_lite.training import loop

NAME = "recall-gpt2"
SYMBOLS = (*string.ascii_letters, *string.digits, "?", "_")
N_ORDINARY = len(SYMBOLS) - 2
TRIGGER, NOISE = N_ORDINARY, N_ORDINARY + 1
CURVE_N = 400  # validation sequences behind each row of the training curve
SEEDS = {
    "validation": (10, 11, 12, 13),
    "test": (20, 21, 22, 23),
}  # training draws from the recipe's seed


@dataclass(frozen=True)
class Recipe:
    """The source and what makes the shipped model."""

    alpha: float = 0.6  # probability that noise comes behind a trigger, and not the answer
    trigger_share: float = 0.12  # of the symbols behind an ordinary one
    concentration: float = (
        0.05  # of the Dirichlet distributions that the bigrams are drawn from: small is predictable
    )
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


RECIPE = Recipe()


def bigrams(recipe: Recipe = RECIPE) -> Tensor:
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
    n: int, generator: torch.Generator, alpha: float = RECIPE.alpha, recipe: Recipe = RECIPE
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
    """What a model said behind the last trigger, sequence by sequence: logits (N, 64), and the
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

    A sequence counts only if its answer came behind an earlier trigger: others cannot be known.
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
            sequences, answers = draw(2 * share + 100, torch.Generator().manual_seed(seed), alpha)
            asked = _last_trigger(sequences)
            before = torch.arange(sequences.shape[1] - 1) < asked[:, None]
            known = (
                ((sequences[:, :-1] == TRIGGER) & (sequences[:, 1:] == answers[:, None]) & before)
                .any(1)
                .nonzero()
                .squeeze(1)[:share]
            )
            if len(known) < share:
                raise ValueError(
                    f"alpha is {alpha}, so only {len(known)} of {len(sequences)} sequences show"
                    " their answer before the last trigger; take a smaller alpha"
                )
            kept.append((sequences[known], answers[known], asked[known]))
        self.sequences, self.answers, self.asked = (torch.cat(parts) for parts in zip(*kept))

    @torch.inference_mode()
    def __call__(self) -> Recall:
        scores = []
        for sequences, asked in zip(self.sequences.split(128), self.asked.split(128)):
            hidden = self.model.transformer(
                sequences.to(self.model.device), use_cache=False
            ).last_hidden_state
            scores.append(self.model.lm_head(hidden[torch.arange(len(asked)), asked]).cpu())
        return Recall(torch.cat(scores).numpy(), self.answers.numpy())


def _last_trigger(sequences: Tensor) -> Tensor:
    """(n,) where the last trigger stands; 0 if there is none, where nothing can have come before."""
    return ((sequences == TRIGGER) * torch.arange(sequences.shape[1])).amax(1)


def best_clip(
    model: GPT2LMHeadModel, modules: tuple[str, ...] = ("mlp", "attn", "fc_in"), n: int = 1000
) -> tuple[int, str, float]:
    """(layer, module, clip rate) of the highest validation accuracy, the first one met on a tie;
    rate 0 if no clip does better than none.
    """
    validate = RecallEvaluator(model, "validation", n)
    best, found = validate().accuracy, (0, modules[0], 0.0)
    for layer in range(model.config.n_layer):
        for module in modules:
            clip = Clip(model, layer, module)
            for rate in CLIP_RATES[1:]:
                with clip.at(rate):
                    accuracy = validate().accuracy
                if accuracy > best:
                    best, found = accuracy, (layer, module, rate)
    return found


def figures(
    model: GPT2LMHeadModel, clips: list[tuple[int, str, float]], n: int = 2000
) -> list[dict]:
    """Test figures without a clip and with each of `clips`, behind contexts with noise and without."""
    rows = []
    for context, alpha in (("noisy", RECIPE.alpha), ("clean", 0.0)):
        test = RecallEvaluator(model, "test", n, alpha)
        plain = test()
        for clip in (None, *clips):
            outcome = plain
            if clip:
                with Clip(model, *clip[:2]).at(clip[2]):
                    outcome = test()
            (low, high), (answer, noise) = outcome.interval, outcome.probabilities()
            p_value = mcnemar(plain.correct, outcome.correct)
            row = {
                "context": context,
                "clip": clip,
                "n": outcome.n,
                "accuracy": outcome.accuracy,
                "low": low,
                "high": high,
            }
            row |= {
                "noise_share": outcome.noise_share,
                "p_answer": answer,
                "p_noise": noise,
                "mcnemar_p": p_value,
            }
            rows.append(
                {
                    key: float(f"{value:.4g}") if isinstance(value, float) else value
                    for key, value in row.items()
                }
            )
    return rows


def new_model(recipe: Recipe = RECIPE) -> GPT2LMHeadModel:
    """An untrained model whose token embeddings and head are random and stay so: what comes behind
    what must be learned elsewhere.
    """
    torch.manual_seed(recipe.seed)
    config = loop.config(recipe.layers, recipe.width, recipe.heads, recipe.length, len(SYMBOLS))
    config.tie_word_embeddings = False
    model = GPT2LMHeadModel(config)
    loop.sinusoids_(model.transformer)
    for frozen in (model.transformer.wte, model.lm_head):
        frozen.requires_grad_(False)
    return model


def train(recipe: Recipe = RECIPE) -> tuple[GPT2LMHeadModel, dict]:
    """The trained model, and what the card says of its training; on a GPU if there is one."""
    model, generator = (
        new_model(recipe).to(loop.device()),
        torch.Generator().manual_seed(recipe.seed),
    )
    validate = RecallEvaluator(model, "validation", CURVE_N)

    def loss(step: int) -> Tensor:
        sequences = draw(recipe.batch, generator, recipe.alpha, recipe)[0].to(model.device)
        behind = sequences[:, :-1] == TRIGGER
        hidden = model.transformer(sequences[:, :-1], use_cache=False).last_hidden_state
        return nn.functional.cross_entropy(model.lm_head(hidden[behind]), sequences[:, 1:][behind])

    def probe() -> dict:
        outcome = validate()
        measured = (outcome.accuracy, outcome.noise_share, *outcome.probabilities())
        return dict(
            zip(
                ("accuracy", "noise_share", "p_answer", "p_noise"),
                (round(value, 4) for value in measured),
            )
        )

    made = loop.fit(
        model, loss, recipe.steps, recipe.learning_rate, recipe.cool_down, probe, every=100
    )
    return model.to("cpu"), made


def make() -> None:
    """Trains the model and writes weights, tokenizer and card beside the shipped ones."""
    torch.set_num_threads(RECIPE.threads)
    (model, made), folder = train(), loading.CHECKPOINTS / NAME
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    card = {
        "name": NAME,
        "parameters": model.num_parameters(),
        "recipe": asdict(RECIPE),
        **made,
        "curve_n": CURVE_N,
    }
    loop.write_card(
        folder,
        card
        | {
            "other_settings": "benchmarks/recall_settings.py",
            "split_seeds": SEEDS,
            "test": figures(model, [best_clip(model)]),
        },
    )
