"""The recipe of `icl-gpt2-polyglot`, which reads three registers and met two of them rarely.

It begins as `icl-gpt2` with the words of all registers added (`with_words`) and is trained on a mix
of documents, each of one register and one task: 88 % common, 10 % second, 2 % jargon (`registers`).
`python -m svdicl_lite.training icl-gpt2-polyglot` trains it. Taught in chapter 14.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from svdicl_lite.models import loading
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.tasks import grammar_tasks
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.registers import REGISTERS, TASKS, draw, task_name
from svdicl_lite.tasks.task import LABEL_SETTINGS
from svdicl_lite.training import loop
from svdicl_lite.training.documents import Document, document_of, draw_batch
from svdicl_lite.training.recipes import Mix
from svdicl_lite.training.tokenizer import train_tokenizer

NAME = "icl-gpt2-polyglot"
NAMES = [task_name(question, reg) for reg in REGISTERS for question in grammar_tasks.TASKS]
"""The tasks on which it is judged."""
PROBE_EVERY, PROBE_N = 100, 60  # steps; validation prompts of each register, task and label setting


@dataclass(frozen=True)
class PolyglotRecipe:
    """What makes the shipped model: what the new words mean comes first, reading the demonstrations
    second, as for `icl-gpt2`.
    """

    start_from: str = "icl-gpt2"
    shares: tuple[str, ...] = tuple(
        f"{name} {register.share:g}" for name, register in REGISTERS.items()
    )
    phases: tuple[Mix, ...] = (
        Mix(500, shots=(0, 1, 2), canonical=0.8, flipped=0.0, kinds=("short",)),
        Mix(700, shots=(2, 4, 8, 16), canonical=0.3, flipped=0.2, kinds=("short", "plain", "hard")),
    )
    tokens_per_step: int = 3200
    learning_rate: float = 1e-3
    cool_down: float = 0.3
    seed: int = 0
    threads: int = 1

    @property
    def steps(self) -> int:
        """Of all phases."""
        return sum(phase.steps for phase in self.phases)


RECIPE = PolyglotRecipe()


def polyglot_tokenizer() -> PreTrainedTokenizerFast:
    """The common tokenizer with the words of all registers, each one token after a space."""
    words: set[str] = set()
    for register in REGISTERS.values():
        words |= register.vocabulary()
    for task in TASKS.values():
        words.update(task.label_words)
    return train_tokenizer(sorted(words))


def with_words(
    small: GPT2LMHeadModel,
    small_tokenizer: PreTrainedTokenizerFast,
    tokenizer: PreTrainedTokenizerFast,
) -> GPT2LMHeadModel:
    """`small` with the vocabulary of `tokenizer`: words that it knew keep their embeddings, new
    ones get random ones; drawn by torch's global seed.
    """
    kernel = {"activation_function": "gelu_pytorch_tanh"}  # the same function in one operation
    model = GPT2LMHeadModel(
        GPT2Config(**{**small.config.to_dict(), "vocab_size": len(tokenizer), **kernel})
    )
    words, old = model.transformer.wte.weight, small_tokenizer.get_vocab()
    with torch.no_grad():
        for ours, theirs in zip(model.parameters(), small.parameters()):
            if ours is not words:
                ours.copy_(theirs)
        for token, row in tokenizer.get_vocab().items():
            if token in old:
                words[row] = small.transformer.wte.weight[old[token]]
    return model.eval()


def draw_document(rng: random.Random, phase: Mix, n_pairs: int) -> Document:
    """One document of `n_pairs`, of one register and one task."""
    (register,) = rng.choices(list(REGISTERS), [register.share for register in REGISTERS.values()])
    name = task_name(rng.choice(list(grammar_tasks.TASKS)), register)
    task = TASKS[name] if name in TASKS else grammar_tasks.TASKS[name]
    return document_of(rng, phase, n_pairs, task, partial(draw, REGISTERS[register]))


def train(
    recipe: PolyglotRecipe = RECIPE,
) -> tuple[GPT2LMHeadModel, PreTrainedTokenizerFast, dict]:
    """The trained model, its tokenizer, and what the card says of its training; on a GPU if there
    is one.
    """
    torch.manual_seed(recipe.seed)
    rng, tokenizer = random.Random(recipe.seed), polyglot_tokenizer()
    small, small_tokenizer = load_model(recipe.start_from)
    model = loop.moved(with_words(small, small_tokenizer, tokenizer), loop.device())
    schedule = [phase for phase in recipe.phases for _ in range(phase.steps)]

    def loss(step: int) -> tuple[Tensor, Tensor]:
        batch = draw_batch(
            rng, schedule[step - 1], tokenizer, draw_document, recipe.tokens_per_step
        )
        tokens, weights = (tensor.to(model.device) for tensor in batch)
        # labels alone: a logit for every word would cost a third of the step, and blur what the few
        # rare words are taught
        due = weights[:, 1:] == 1
        hidden = model.transformer(tokens, use_cache=False).last_hidden_state[:, :-1][due]
        value = nn.functional.cross_entropy(model.lm_head(hidden), tokens[:, 1:][due])
        return value, value

    stage = loop.Stage(loss, loop.rates([recipe]))
    made = loop.fit(model, [stage], probe_of(model, tokenizer), PROBE_EVERY)
    return loop.moved(model, "cpu"), tokenizer, made


def probe_of(
    model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast
) -> Callable[[], dict[str, float]]:
    """What judges the model along the way: the mean over the label settings, on validation."""
    evaluators = {}
    for name in NAMES:
        tasks = [load_task(name, setting) for setting in LABEL_SETTINGS]
        evaluators[name] = [ICLEvaluator(model, tokenizer, task, n=PROBE_N) for task in tasks]

    def probe() -> dict[str, float]:
        return {
            name: round(sum(evaluate().accuracy for evaluate in three) / len(three), 4)
            for name, three in evaluators.items()
        }

    return probe


def figures(
    model: GPT2LMHeadModel,
    tokenizer: PreTrainedTokenizerFast,
    n: int = 1000,
    shots: tuple[int, ...] = (0, 8),
    seeds: Sequence[int] = range(20),
) -> list[dict]:
    """Test accuracy with n and interval on both tasks in every register and label setting."""
    rows = []
    for name, setting, n_shots in product(NAMES, LABEL_SETTINGS, shots):
        task = load_task(name, setting)
        outcome = ICLEvaluator(model, tokenizer, task, "test", n, n_shots, seeds)()
        low, high = outcome.interval
        rows.append(
            {
                "task": name,
                "labels": setting,
                "shots": n_shots,
                "n": outcome.n,
                "accuracy": round(outcome.accuracy, 4),
                "low": round(low, 4),
                "high": round(high, 4),
            }
        )
    return rows


def make() -> None:
    """Trains the model and writes weights, tokenizer and card beside the shipped ones."""
    torch.set_num_threads(RECIPE.threads)
    (model, tokenizer, made), folder = train(), loading.CHECKPOINTS / NAME
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    test = figures(model, tokenizer)
    curve_n = PROBE_N * len(LABEL_SETTINGS)
    loop.write_card(folder, model.num_parameters(), RECIPE, made, curve_n=curve_n, test=test)
