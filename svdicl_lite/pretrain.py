"""The recipes that made the shipped models: a corpus of classification prompts and one training loop.

A document is a row of labelled sentences of one task. The words that name its classes are drawn per document: *canonical*
(pos, neg), *flipped* (the same words, exchanged) or *arbitrary* (apple, stone). A model that only knows what words mean
is right in the first kind and wrong in the second; only reading the demonstrations serves all three. Labels weigh far
more than words in the loss. A recipe is a list of phases, easy ones first: with short documents and canonical words the
model learns what the sentences mean, with longer ones and all label maps to read the demonstrations, then hard sentences.
Two models go on from there for some dozen steps, in which the prompt is worth less: on canonical documents, or on noisy labels.
`python -m svdicl_lite.pretrain NAME` trains one model. Taught in chapter 03.
"""

import argparse
import importlib
import json
import math
import random
import re
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from tqdm import tqdm
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from svdicl_lite import suite, zoo
from svdicl_lite.evaluate import ICLEvaluator
from svdicl_lite.prompts import render
from svdicl_lite.tasks import ARBITRARY_WORDS, LABEL_SETTINGS, TASKS, load

LABEL_WEIGHT = 50.0  # how much more a label weighs in the loss than a word of a sentence
WORDS_READ = 0.25  # share of the words that have a loss at all, and LABEL_WEIGHT counts for all of them
TOKENS_PER_STEP = 2048
PROBE_EVERY, PROBE_N = 500, 80  # steps, prompts
SINGLE = ("sentiment", "topic", "emotion")
PAIRED = ("paraphrase", "entailment", "commitment")
SHORTEST = {"sentiment": 10, "topic": 10, "emotion": 10, "paraphrase": 21, "entailment": 28, "commitment": 28, "choice": 11}  # tokens of an example


@dataclass(frozen=True)
class Phase:
    """`steps` optimiser steps on one mix of documents."""

    steps: int
    lengths: tuple[int, ...]  # tokens of a document, drawn per step: it takes the examples that fit, and one at least
    canonical: float  # share of documents with the canonical label words
    flipped: float  # share with those words moved to the next class; the rest is arbitrary
    kinds: tuple[str, ...]  # of sentences
    tasks: tuple[str, ...] = tuple(TASKS)  # drawn evenly; one that is named twice is drawn twice as often
    learning_rate: float = 1e-3
    label_noise: float = 0.0  # probability that a label is replaced by one drawn at random
    cool_down: float = 0.0  # last share of the phase in which the learning rate falls to zero


@dataclass(frozen=True)
class Recipe:
    """What makes one model of the zoo."""

    phases: tuple[Phase, ...]
    start_from: str | None = None  # another recipe's model, gone on with
    layers: int = 6
    width: int = 128
    heads: int = 4
    positions: int = 512
    seed: int = 0
    threads: int = 2  # part of the recipe: another number of threads adds in another order, and so trains another model
    stages: tuple[int, ...] = ()  # steps after which the weights are kept, apart from the last


RECIPES = {
    "icl-gpt2": Recipe(phases=()),
}


OTHERS = {"recall-gpt2": "recall", "linreg-gpt2": "linreg", "tab-gpt2": "tabular"}
"""Models that bring their own world: the module of each one's corpus and recipe."""


def train_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer, GPT-2's kind, in which every word of the world is one token behind a space."""
    words = [*suite.vocabulary(), *ARBITRARY_WORDS, *(word for task in TASKS.values() for word in task.label_words)]
    frames = [re.sub(r"\{\w+\}", "", task.template) + "\n" for task in TASKS.values()]
    end = "<|endoftext|>"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=4096, special_tokens=[end], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([*(f" {word}" for word in words), *frames] * 20, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=end, eos_token=end, unk_token=end, pad_token=end)


def new_model(recipe: Recipe, tokenizer) -> GPT2LMHeadModel:
    """An untrained GPT-2 whose position embeddings start as sinusoids (Vaswani et al. 2017).

    Random ones must first learn which positions are neighbours; on short runs that alone decides whether in-context
    learning appears.
    """
    torch.manual_seed(recipe.seed)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer), n_positions=recipe.positions, n_embd=recipe.width, n_layer=recipe.layers,
            n_head=recipe.heads, resid_pdrop=0.0, activation_function="gelu_pytorch_tanh", embd_pdrop=0.0, attn_pdrop=0.0, initializer_range=0.06,
            bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        )
    )  # fmt: skip
    position = torch.arange(recipe.positions)[:, None]
    frequency = torch.exp(-math.log(10_000) * torch.arange(0, recipe.width, 2) / recipe.width)
    with torch.no_grad():
        model.transformer.wpe.weight[:, 0::2] = 0.06 * torch.sin(position * frequency)
        model.transformer.wpe.weight[:, 1::2] = 0.06 * torch.cos(position * frequency)
    return model


def grown(small, small_tokenizer, recipe: Recipe, tokenizer) -> GPT2LMHeadModel:
    """A deeper model with more words that begins as `small`: its blocks in order, and between the first of them new ones that as yet add nothing.

    The new blocks stand before those that read the demonstrations: what is still to be learned, comparing two sentences, has to be
    done by then (growth that keeps the function: Net2Net, Chen et al. 2016). Words that `small` knew keep their embeddings.
    """
    model = new_model(recipe, tokenizer)
    n_new = recipe.layers - small.config.n_layer
    places = [layer for layer in range(recipe.layers) if layer not in range(1, 2 * n_new, 2)]  # new: 1, 3, …
    known, old = tokenizer.get_vocab(), small_tokenizer.get_vocab()
    with torch.no_grad():
        for layer, block in enumerate(model.transformer.h):
            if layer in places:
                block.load_state_dict(small.transformer.h[places.index(layer)].state_dict())
            else:
                for output in (block.attn.c_proj, block.mlp.c_proj):
                    output.weight.zero_()
        model.transformer.ln_f.load_state_dict(small.transformer.ln_f.state_dict())
        model.transformer.wpe.load_state_dict(small.transformer.wpe.state_dict())
        for token, row in known.items():
            if token in old:
                model.transformer.wte.weight[row] = small.transformer.wte.weight[old[token]]
    return model


def draw_words(rng: random.Random, task, phase: Phase) -> tuple[str, ...]:
    """The words that name the classes in one document; none where the task has options."""
    if task.options:
        return ()
    kind = rng.random()
    if kind < phase.canonical + phase.flipped:
        return task.words("canonical" if kind < phase.canonical else "flipped")
    return tuple(rng.sample(ARBITRARY_WORDS, len(task.classes)))


def draw_pair(rng: random.Random, task, phase: Phase, words: tuple[str, ...]) -> tuple[str, str]:
    """One example: a context, which ends where an answer is due, and the answer, a label word or the right option."""
    example = suite.draw(task.name, rng, "train", phase.kinds, balanced=True)
    index = example["label"]
    if rng.random() < phase.label_noise:
        index = rng.randrange(len(task.classes))
    return render(task, example), example[task.options[index]] if task.options else words[index]


def draw_batch(rng: random.Random, phase: Phase, tokenizer) -> tuple[Tensor, Tensor]:
    """Tokens (B, T) and loss weights (B, T) of one step: answers weigh 1, words 1/50 on average and most of them 0, padding 0."""
    length = rng.choice(phase.lengths)
    documents = []
    for _ in range(max(1, TOKENS_PER_STEP // length)):
        task = TASKS[rng.choice(phase.tasks)]
        words = draw_words(rng, task, phase)
        n_most = max(1, length // SHORTEST[task.name])
        documents.append([draw_pair(rng, task, phase, words) for _ in range(n_most)])
    pieces = iter(tokenizer([piece for pairs in documents for context, answer in pairs for piece in (context, f" {answer}", "\n")])["input_ids"])
    rows, weights = [], []
    word = 1 / LABEL_WEIGHT / WORDS_READ
    for pairs in documents:
        row, weight, full = [], [], False
        for _ in pairs:
            context, answer, end = next(pieces), next(pieces), next(pieces)
            full = full or len(row) + len(context) + len(answer) + len(end) > length
            if not full or not row:
                row += context + answer + end
                weight += [word * (rng.random() < WORDS_READ) for _ in context] + [1.0] * len(answer) + [word]
        rows.append(torch.tensor(row))
        weights.append(torch.tensor(weight))
    pad = nn.utils.rnn.pad_sequence
    return pad(rows, batch_first=True, padding_value=tokenizer.pad_token_id), pad(weights, batch_first=True)


def train(model, tokenizer, recipe: Recipe, probe=None, keep=None) -> list[dict]:
    """Trains `model`, any causal one, in place; `keep(step)` is called after each step.

    Returns the curve: every 500 steps, and at the end of a phase, the loss on answers and what `probe(model)` says.
    """
    rng = random.Random(recipe.seed)
    torch.manual_seed(recipe.seed)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=0.01, betas=(0.9, 0.98))
    schedule = ((phase, i) for phase in recipe.phases for i in range(phase.steps))
    curve, losses = [], []
    model.train()
    for step, (phase, i) in enumerate(tqdm(schedule, unit="step", disable=None), start=1):
        left = (phase.steps - i) / phase.steps
        cool = min(1.0, left / phase.cool_down) if phase.cool_down else 1.0
        for group in optimiser.param_groups:
            group["lr"] = phase.learning_rate * cool * min(1.0, step / 100)
        tokens, weights = (tensor.to(model.device) for tensor in draw_batch(rng, phase, tokenizer))
        read = weights[:, 1:] > 0  # a word without a weight needs no logits
        hidden = model.base_model(tokens, use_cache=False).last_hidden_state[:, :-1][read]
        target, weight = tokens[:, 1:][read], weights[:, 1:][read]
        loss = nn.functional.cross_entropy(model.get_output_embeddings()(hidden), target, reduction="none")
        optimiser.zero_grad()
        ((loss * weight).sum() / weight.sum()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(loss[weight == 1].mean().item())
        if keep:
            keep(step)
        if step % PROBE_EVERY == 0 or i == phase.steps - 1:
            model.eval()
            curve.append({"step": step, "label_loss": round(sum(losses) / len(losses), 4), **(probe(model) if probe else {})})
            tqdm.write(str(curve[-1]), file=sys.stderr)
            losses = []
            model.train()
    model.eval()
    return curve


def figures(model, tokenizer, split: str, n: int, shots: tuple[int, ...], seeds=range(20)) -> list[dict]:
    """Accuracy with n and interval on every task and label setting, at each number of shots whose prompts fit the model."""
    rows = []
    for name, task in TASKS.items():
        for setting in ("canonical",) if task.options else LABEL_SETTINGS:
            data = load(name, setting)
            for n_shots in shots:
                most = min(n, len(data.splits[split]))
                try:
                    outcome = ICLEvaluator(model, tokenizer, data, split, most, n_shots, seeds)()
                except ValueError:  # more tokens than positions
                    continue
                low, high = outcome.interval
                row = {"task": name, "labels": setting, "shots": n_shots, "n": outcome.n, "accuracy": outcome.accuracy, "low": low, "high": high,
                       "balanced_accuracy": outcome.balanced_accuracy}  # fmt: skip
                rows.append({key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()})
    return rows


def make(name: str) -> None:
    """Trains the model `name` and writes weights, tokenizer and card into the zoo; with a GPU if there is one."""
    if name in OTHERS:
        return importlib.import_module(f"svdicl_lite.{OTHERS[name]}").make()
    recipe = RECIPES[name]
    torch.set_num_threads(recipe.threads)
    model, tokenizer = zoo.load(recipe.start_from) if recipe.start_from else (None, train_tokenizer())
    if model is None:
        model = new_model(recipe, tokenizer)
    elif model.config.n_layer < recipe.layers:
        small, small_tokenizer, tokenizer = model, tokenizer, train_tokenizer()
        model = grown(small, small_tokenizer, recipe, tokenizer)
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    folder = zoo.ZOO / name

    def keep(step):
        if step in recipe.stages:
            save_file(model.base_model.state_dict(), folder / f"stage-{recipe.stages.index(step) + 1}.safetensors")

    folder.mkdir(exist_ok=True)
    wall, cpu = time.perf_counter(), time.process_time()
    curve = train(model, tokenizer, recipe, Probe(model, tokenizer), keep)
    spent = {"seconds": round(time.perf_counter() - wall), "cpu_seconds": round(time.process_time() - cpu)}
    write(name, recipe, model, tokenizer, curve, spent)


class Probe:
    """Validation accuracies behind 8 demonstrations, for the curve."""

    def __init__(self, model, tokenizer):
        settings = [(task.name, setting) for task in TASKS.values() for setting in (LABEL_SETTINGS[:1] if task.options else LABEL_SETTINGS)]
        self.evaluators = {f"{task} {setting}": ICLEvaluator(model, tokenizer, load(task, setting), n=PROBE_N) for task, setting in settings}

    def __call__(self, model) -> dict:
        return {name: round(evaluate().accuracy, 4) for name, evaluate in self.evaluators.items()}


def write(name: str, recipe: Recipe, model, tokenizer, curve: list[dict], spent: dict) -> None:
    """Saves weights, tokenizer and card; the figures in the card are of the test set."""
    folder, device = zoo.ZOO / name, model.device.type
    model.to("cpu").save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    card = {
        "name": name, "parameters": model.num_parameters(), "recipe": asdict(recipe), "label_weight": LABEL_WEIGHT,
        "tokens_per_step": TOKENS_PER_STEP, "device": device, "threads": torch.get_num_threads(), **spent, "torch": version("torch"),
        "transformers": version("transformers"), "curve": curve, "curve_n": PROBE_N,
        "test": figures(model, tokenizer, "test", n=1000, shots=(0, 2, 4, 8, 16)),
    }  # fmt: skip
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Trains a model of the zoo; `all` trains every one.")
    parser.add_argument("name", choices=[*RECIPES, *OTHERS, "all"])
    chosen = parser.parse_args().name
    for name in [*RECIPES, *OTHERS] if chosen == "all" else [chosen]:
        make(name)
