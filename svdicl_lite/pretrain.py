"""The recipes that made the shipped models: a corpus of classification prompts and one training loop.

A document is k labelled sentences of one task. The words that name its classes are drawn per document: *canonical*
(pos, neg), *flipped* (the same words, exchanged) or *arbitrary* (apple, stone). A model that only learns what words mean
is right in the first kind and wrong in the second; only reading the demonstrations serves all three. Labels weigh far
more than words in the loss. A recipe is a list of phases: clean sentences first, because the in-context circuit does not
form on noisy ones in a laptop's time, then hard ones; a last phase of mostly canonical documents builds a *prior* that
overrides the context. `python -m svdicl_lite.pretrain NAME` trains one model; taught in chapter 03.
"""

import argparse
import json
import random
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import nn
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from svdicl_lite import grammar
from svdicl_lite.prompts import render
from svdicl_lite.tasks import ARBITRARY_WORDS, ATTRIBUTE, TASKS

LABEL_WEIGHT = 50.0  # how much more a label token weighs in the loss than a word of a sentence
TOKENS_PER_STEP = 6400


@dataclass(frozen=True)
class Phase:
    """`steps` optimiser steps on one mix of documents."""

    steps: int
    canonical: float  # share of documents with the canonical label words
    flipped: float  # share with the canonical words exchanged; the rest is arbitrary
    hard: float = 0.0  # share of hard sentences
    label_noise: float = 0.0  # probability that a label is drawn at random
    learning_rate: float = 1e-3
    shots: tuple[int, ...] = (8,)  # demonstrations per document, drawn per step


@dataclass(frozen=True)
class Recipe:
    phases: tuple[Phase, ...]
    start_from: str | None = None  # another recipe's model, gone on with
    layers: int = 4
    width: int = 128
    heads: int = 4
    positions: int = 512
    seed: int = 0


RECIPES = {
    "icl-gpt2": Recipe(
        phases=(
            Phase(1200, canonical=0.4, flipped=0.2),
            Phase(400, canonical=0.4, flipped=0.2, hard=0.5, shots=(2, 4, 8, 16)),
        ),
    ),
    "icl-gpt2-prior": Recipe(
        phases=(Phase(120, canonical=0.9, flipped=0.0, hard=0.5, label_noise=0.2, learning_rate=5e-4),),
        start_from="icl-gpt2",
        seed=1,
    ),
}


def train_tokenizer(seed: int = 0) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer, GPT-2's kind, in which every word of the world is one token behind a space."""
    rng = random.Random(seed)
    words = grammar.vocabulary() + list(ARBITRARY_WORDS) + [w for task in TASKS.values() for w in task.label_words]
    prompts = [task.template for task in TASKS.values()]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2048, min_frequency=1, special_tokens=["<|endoftext|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    corpus = [" " + word for word in words for _ in range(20)] + [p.format_map(_Blank()) for p in prompts for _ in range(20)]
    rng.shuffle(corpus)
    tokenizer.train_from_iterator(corpus, trainer)
    end = "<|endoftext|>"
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end, bos_token=end, unk_token=end, pad_token=end)


class _Blank(dict):
    def __missing__(self, key):
        return ""


def draw_document(rng: random.Random, phase: Phase, n_pairs: int) -> tuple[list[str], list[str]]:
    """One document: `n_pairs` contexts that end where a label is due, and the labels."""
    task = TASKS[rng.choice(list(TASKS))]
    kind = rng.random()
    if kind < phase.canonical:
        words = task.label_words
    elif kind < phase.canonical + phase.flipped:
        words = task.label_words[1:] + task.label_words[:1]
    else:
        words = tuple(rng.sample(ARBITRARY_WORDS, len(task.label_words)))
    contexts, labels = [], []
    for _ in range(n_pairs):
        sentence = grammar.draw(rng, "train", phase.hard)
        index = task.classes.index(getattr(sentence, ATTRIBUTE[task.name]))
        if rng.random() < phase.label_noise:
            index = rng.randrange(len(words))
        contexts.append(render(task, {"text": sentence.text}))
        labels.append(words[index])
    return contexts, labels


def batch(rng: random.Random, phase: Phase, tokenizer, positions: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens (B, T) and loss weights (B, T) of one step: labels weigh 1, words 1/50, padding 0."""
    n_pairs = rng.choice(phase.shots) + 1
    documents = [draw_document(rng, phase, n_pairs) for _ in range(max(4, TOKENS_PER_STEP // (12 * n_pairs)))]
    newline = tokenizer.encode("\n", add_special_tokens=False)
    flat = [text for contexts, labels in documents for pair in zip(contexts, labels) for text in (pair[0], " " + pair[1])]
    ids = iter(tokenizer(flat, add_special_tokens=False)["input_ids"])
    rows, weights = [], []
    for contexts, _ in documents:
        row, weight = [], []
        for _ in contexts:
            context, label = next(ids), next(ids)
            row += context + label + newline
            weight += [1 / LABEL_WEIGHT] * len(context) + [1.0] * len(label) + [1 / LABEL_WEIGHT] * len(newline)
        rows.append(torch.tensor(row[:positions]))
        weights.append(torch.tensor(weight[:positions]))
    pad = nn.utils.rnn.pad_sequence
    return pad(rows, batch_first=True, padding_value=tokenizer.pad_token_id), pad(weights, batch_first=True)


def train(model: GPT2LMHeadModel, tokenizer, recipe: Recipe, log=print) -> list[dict]:
    """Trains `model` in place by `recipe`; returns the curve: step, loss on labels, accuracy of the labels' argmax."""
    device = next(model.parameters()).device
    rng = random.Random(recipe.seed)
    torch.manual_seed(recipe.seed)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=0.01, betas=(0.9, 0.98))
    curve, step, seen = [], 0, []
    model.train()
    for phase in recipe.phases:
        for i in range(phase.steps):
            warm = min(1.0, (step + 1) / 50)
            cool = min(1.0, (phase.steps - i) / (0.2 * phase.steps))
            for group in optimiser.param_groups:
                group["lr"] = phase.learning_rate * warm * cool
            tokens, weights = (t.to(device) for t in batch(rng, phase, tokenizer, model.config.n_positions))
            with torch.autocast(device.type, dtype=torch.bfloat16):
                logits = model(tokens, use_cache=False).logits[:, :-1]
            target, weight = tokens[:, 1:], weights[:, 1:]
            losses = nn.functional.cross_entropy(logits.float().flatten(0, 1), target.flatten(), reduction="none")
            loss = (losses * weight.flatten()).sum() / weight.sum()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            step += 1
            is_label = weight == 1
            right = (logits.argmax(-1) == target)[is_label].float().mean().item()
            seen.append((losses.view_as(target)[is_label].mean().item(), right))
            if step % 50 == 0:
                label_loss, accuracy = (sum(column) / len(seen) for column in zip(*seen))
                curve.append({"step": step, "label_loss": round(label_loss, 4), "label_accuracy": round(accuracy, 4)})
                log(f"step {step:5d}  label loss {label_loss:.3f}  label accuracy {accuracy:.3f}")
                seen = []
    model.eval()
    return curve
