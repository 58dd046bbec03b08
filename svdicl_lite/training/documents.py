"""The corpus of the shipped language models: documents of labelled sentences.

A document is a row of labelled sentences of one task. The words that name its classes are drawn per
document: *canonical* (pos, neg), *flipped* (the same words, exchanged) or *arbitrary* (apple,
stone). A model that only knows what words mean is right in the first kind and wrong in the second;
only reading the demonstrations serves all three. Labels weigh far more than words in the loss.
Taught in chapter 03.
"""

import random
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from svdicl_lite.scoring.prompts import render
from svdicl_lite.tasks.grammar_tasks import TASKS
from svdicl_lite.tasks.task import ARBITRARY_WORDS, Task
from svdicl_lite.tasks.worlds import grammar
from svdicl_lite.tasks.worlds.sentences import Sentence
from svdicl_lite.training.recipes import Mix

LABEL_WEIGHT = 50.0  # how much more a label weighs in the loss than a word of a sentence
TOKENS_PER_STEP = 6400
TOKENS_OF_A_PAIR = 12  # about, of a sentence with its frame and label

Document = list[tuple[str, str]]
"""Pairs of a context, which ends where a label is due, and the label word."""


def draw_document(rng: random.Random, phase: Mix, n_pairs: int) -> Document:
    """One document of `n_pairs` on sentiment or topic."""
    return document_of(rng, phase, n_pairs, TASKS[rng.choice(list(TASKS))], grammar.draw)


def document_of(
    rng: random.Random,
    phase: Mix,
    n_pairs: int,
    task: Task,
    draw: Callable[[random.Random, str, tuple[str, ...]], Sentence],
) -> Document:
    """One document of this task, of sentences by `draw(rng, split, kinds)`."""
    words = draw_words(rng, phase, task)
    pairs = []
    for _ in range(n_pairs):
        sentence = draw(rng, "train", phase.kinds)
        index = task.classes.index(
            sentence.topic if task.classes == grammar.TOPICS else sentence.polarity
        )
        if rng.random() < phase.label_noise:
            index = rng.randrange(len(words))
        pairs.append((render(task, {"text": sentence.text}), words[index]))
    return pairs


def draw_words(rng: random.Random, phase: Mix, task: Task) -> Sequence[str]:
    """The words that name the classes in one document."""
    kind = rng.random()
    if kind < phase.canonical:
        return task.words("canonical")
    if kind < phase.canonical + phase.flipped:
        return task.words("flipped")
    return rng.sample(ARBITRARY_WORDS, len(task.classes))


def draw_batch(
    rng: random.Random,
    phase: Mix,
    tokenizer: PreTrainedTokenizerFast,
    draw: Callable[[random.Random, Mix, int], Document] = draw_document,
    n_tokens: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Tokens (B, T), about `n_tokens` (None: TOKENS_PER_STEP) of documents by `draw`, and loss
    weights (B, T): labels weigh 1, words 1/50, padding 0.
    """
    n_pairs = rng.choice(phase.shots) + 1
    n_documents = (n_tokens or TOKENS_PER_STEP) // (TOKENS_OF_A_PAIR * n_pairs)
    documents = [draw(rng, phase, n_pairs) for _ in range(n_documents)]
    texts = []
    for pairs in documents:
        for context, word in pairs:
            texts += [context, f" {word}", "\n"]
    pieces = iter(tokenizer(texts)["input_ids"])  # one call, which is faster than many
    rows, weights = [], []
    for _ in documents:
        row: list[int] = []
        weight: list[float] = []
        for _ in range(n_pairs):
            for worth in (1 / LABEL_WEIGHT, 1.0, 1 / LABEL_WEIGHT):  # context, label, line end
                piece = next(pieces)
                row += piece
                weight += [worth] * len(piece)
        rows.append(row)
        weights.append(weight)
    return padded(rows, weights, tokenizer)


def padded(
    rows: Sequence[Sequence[int]],
    weights: Sequence[Sequence[float]],
    tokenizer: PreTrainedTokenizerFast,
) -> tuple[Tensor, Tensor]:
    """Tokens (B, T) and loss weights (B, T) of documents of unlike length; padding weighs 0."""
    pad = nn.utils.rnn.pad_sequence
    tokens = [torch.tensor(row) for row in rows]
    worths = [torch.tensor(weight) for weight in weights]
    return (
        pad(tokens, batch_first=True, padding_value=tokenizer.pad_token_id),
        pad(worths, batch_first=True),
    )
