"""The recipe of `icl-gpt2-polyglot`, which reads three registers and met two of them rarely.

It begins as `icl-gpt2` with the words of all registers added (`with_words`) and goes on with a mix
of documents, each of one register and one task: 88 % common, 10 % second, 2 % jargon (`registers`).
`python -m svdicl_lite.training icl-gpt2-polyglot` trains it. Taught in chapter 12.
"""

import random
from dataclasses import asdict, dataclass
from functools import partial

import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel

from svdicl_lite.models import loading
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.tasks import grammar_tasks
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.registers import REGISTERS, TASKS, draw, task_name
from svdicl_lite.tasks.task import LABEL_SETTINGS
from svdicl_lite.training import loop, pretrain
from svdicl_lite.training.recipes import Mix

NAME = "icl-gpt2-polyglot"
PROBE_EVERY, PROBE_N = 100, 60  # steps; validation prompts of each register, task and label setting


@dataclass(frozen=True)
class Recipe:
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


RECIPE = Recipe()


def train_tokenizer():
    """The common tokenizer with the words of all registers, each one token behind a space."""
    words = {word for register in REGISTERS.values() for word in register.vocabulary()} | {
        word for task in TASKS.values() for word in task.label_words
    }
    return pretrain.train_tokenizer(sorted(words))


def with_words(small: GPT2LMHeadModel, small_tokenizer, tokenizer) -> GPT2LMHeadModel:
    """`small` with the vocabulary of `tokenizer`: words that it knew keep their embeddings, new
    ones get random ones; drawn by torch's global seed.
    """
    kernel = {"activation_function": "gelu_pytorch_tanh"}  # the same function in one operation
    model = GPT2LMHeadModel(
        GPT2Config(**{**small.config.to_dict(), "vocab_size": len(tokenizer), **kernel})
    )
    words, old = model.transformer.wte.weight, small_tokenizer.get_vocab()
    rows, old_rows = map(
        list,
        zip(*((row, old[token]) for token, row in tokenizer.get_vocab().items() if token in old)),
    )
    with torch.no_grad():
        for ours, theirs in zip(model.parameters(), small.parameters()):
            if ours is not words:
                ours.copy_(theirs)
        words[rows] = small.transformer.wte.weight[old_rows]
    return model.eval()


def draw_document(rng: random.Random, phase: Mix, n_pairs: int) -> list[tuple[str, str]]:
    """One document of one register and one task: `n_pairs` of a context, which ends where a label
    is due, and the label word.
    """
    (register,) = rng.choices(list(REGISTERS), [register.share for register in REGISTERS.values()])
    name = task_name(rng.choice(list(grammar_tasks.TASKS)), register)
    task = TASKS[name] if name in TASKS else grammar_tasks.TASKS[name]
    return pretrain.document_of(rng, phase, n_pairs, task, partial(draw, REGISTERS[register]))


def train(recipe: Recipe = RECIPE):
    """The trained model, its tokenizer, and what the card says of its training; on a GPU if there
    is one.
    """
    torch.manual_seed(recipe.seed)
    rng, tokenizer = random.Random(recipe.seed), train_tokenizer()
    model = with_words(*load_model(recipe.start_from), tokenizer).to(loop.device())
    evaluators = {
        task_name(question, register): [
            ICLEvaluator(
                model, tokenizer, load_task(task_name(question, register), setting), n=PROBE_N
            )
            for setting in LABEL_SETTINGS
        ]
        for register in REGISTERS
        for question in grammar_tasks.TASKS
    }

    schedule = [phase for phase in recipe.phases for _ in range(phase.steps)]

    def loss(step: int) -> Tensor:
        tokens, weights = (
            tensor.to(model.device)
            for tensor in pretrain.draw_batch(
                rng, schedule[step - 1], tokenizer, draw_document, recipe.tokens_per_step
            )
        )
        due = (
            weights[:, 1:] == 1
            # labels alone: a logit for every word would cost a third of the step, and blur what the
            # few
            # rare words are taught
        )
        hidden = model.transformer(tokens, use_cache=False).last_hidden_state[:, :-1][due]
        return nn.functional.cross_entropy(model.lm_head(hidden), tokens[:, 1:][due])

    def probe() -> dict:  # the mean over the label settings
        return {
            name: round(sum(evaluate().accuracy for evaluate in three) / len(three), 4)
            for name, three in evaluators.items()
        }

    made = loop.fit(
        model, loss, len(schedule), recipe.learning_rate, recipe.cool_down, probe, every=PROBE_EVERY
    )
    return model.to("cpu"), tokenizer, made


def figures(
    model, tokenizer, n: int = 1000, shots: tuple[int, ...] = (0, 8), seeds=range(20)
) -> list[dict]:
    """Test accuracy with n and interval on both tasks in every register and label setting."""
    rows = []
    for register in REGISTERS:
        for question in grammar_tasks.TASKS:
            for setting in LABEL_SETTINGS:
                for n_shots in shots:
                    outcome = ICLEvaluator(
                        model,
                        tokenizer,
                        load_task(task_name(question, register), setting),
                        "test",
                        n,
                        n_shots,
                        seeds,
                    )()
                    measured = {
                        "accuracy": outcome.accuracy,
                        "low": outcome.interval.low,
                        "high": outcome.interval.high,
                    }
                    case = {
                        "task": task_name(question, register),
                        "labels": setting,
                        "shots": n_shots,
                        "n": outcome.n,
                    }
                    rows.append(case | {key: round(value, 4) for key, value in measured.items()})
    return rows


def make() -> None:
    """Trains the model and writes weights, tokenizer and card beside the shipped ones."""
    torch.set_num_threads(RECIPE.threads)
    (model, tokenizer, made), folder = train(), loading.CHECKPOINTS / NAME
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    card = {"name": NAME, "parameters": model.num_parameters(), "recipe": asdict(RECIPE), **made}
    loop.write_card(
        folder, card | {"curve_n": PROBE_N * len(LABEL_SETTINGS), "test": figures(model, tokenizer)}
    )
