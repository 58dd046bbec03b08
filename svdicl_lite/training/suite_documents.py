"""The corpus of `suite-llama`: documents of the suite's seven tasks, and in which phases it reads
them.

A document takes as many examples of one task as fit its length, so there is next to no padding,
whatever the task. What the labels are called changes from document to document, for all tasks but
the two that ask for the relation of two sentences: a model that has to look for the words of a
relation in the prompt does not find the relation, or loses it again. Taught in chapter 03.
"""

import random
from dataclasses import dataclass

from torch import Tensor
from transformers import PreTrainedTokenizerFast

from svdicl_lite.scoring.prompts import render
from svdicl_lite.tasks import suite
from svdicl_lite.tasks.suite import MIX, SUITE
from svdicl_lite.tasks.task import ARBITRARY_WORDS, Task
from svdicl_lite.training.documents import LABEL_WEIGHT, padded

# share of the words that have a loss, and then LABEL_WEIGHT counts for all of them; logits cost a
# third of a step
WORDS_READ = 0.25
TOKENS_PER_STEP, ONE_PAIR = 2048, 26  # tokens of a step; of an example of a relation, about
RELATIONS = ("paraphrase", "entailment")  # the hard ones: two sentences have to be compared
OTHERS = ("mixed-sentiment", "mixed-topic", "emotion", "choice", "commitment")


@dataclass(frozen=True)
class SuitePhase:
    """`steps` optimiser steps on one mix of documents of the suite."""

    steps: int
    # tokens of a document, drawn per step: it takes the examples that fit, and one at least
    lengths: tuple[int, ...]
    canonical: float  # share of documents with the canonical label words
    flipped: float  # share with those words moved to the next class; the rest is arbitrary
    kinds: tuple[str, ...]  # of sentences
    relations: float = 0.4  # share of documents of the two tasks of relation
    # share of steps on one example a document, of those two, with canonical words
    single: float = 0.0
    # share of their examples that are easy, at the first step and, on a straight line, after the
    # last
    easy: tuple[float, float] = (0.0, 0.0)
    word: float = 1 / LABEL_WEIGHT  # what a word of a sentence weighs in the loss, on average
    learning_rate: float = 1e-3
    cool_down: float = 0.0  # last share of the phase in which the learning rate falls to zero
    # what the other documents are drawn from; a name that stands twice comes twice as often
    others: tuple[str, ...] = OTHERS


RELATING = (
    SuitePhase(
        700, (64, 96), 0.7, 0.1, ("short",), relations=0.55, single=0.7, easy=(0.8, 0.8), word=0.1
    ),
    SuitePhase(
        700,
        (64, 96, 128),
        0.6,
        0.1,
        ("short",),
        relations=0.55,
        single=0.6,
        easy=(0.8, 0.2),
        word=0.1,
    ),
    SuitePhase(600, (50, 75), 1.0, 0.0, ("short",), relations=0.55, single=0.25, easy=(0.3, 0.0)),
    SuitePhase(800, (75, 125, 200), 1.0, 0.0, ("short",), relations=0.55, single=0.12),
    SuitePhase(500, (125, 250), 0.7, 0.1, ("short", "plain"), relations=0.55, single=0.05),
    SuitePhase(600, (128, 256), 0.3, 0.2, ("short", "plain"), relations=0.5, single=0.03),
    SuitePhase(900, (128, 256, 400), 0.3, 0.2, MIX, relations=0.45, cool_down=0.5),
)
FOR_THE_PROMPT = (
    ("mixed-sentiment", "mixed-topic", "emotion") * 3 + ("commitment",) * 2 + ("choice",)
)  # most of what the prompt teaches the words of
READING = (
    SuitePhase(
        700,
        (128, 256),
        0.3,
        0.2,
        ("short", "plain"),
        relations=0.3,
        single=0.02,
        others=FOR_THE_PROMPT,
    ),
    SuitePhase(
        2000, (128, 256, 400), 0.3, 0.2, MIX, relations=0.3, cool_down=0.4, others=FOR_THE_PROMPT
    ),
)
STAGES = (RELATING, READING)  # each with an optimiser of its own


def draw_words(rng: random.Random, task: Task, phase: SuitePhase) -> tuple[str, ...]:
    """The words that name the classes in one document; none where the task has options."""
    if task.options:
        return ()
    if task.name in RELATIONS:
        return task.words("canonical")
    kind = rng.random()
    if kind < phase.canonical + phase.flipped:
        return task.words("canonical" if kind < phase.canonical else "flipped")
    return tuple(rng.sample(ARBITRARY_WORDS, len(task.classes)))


def draw_pair(
    rng: random.Random, task: Task, kinds: tuple[str, ...], words: tuple[str, ...]
) -> tuple[str, str]:
    """One example: a context, which ends where an answer is due, and the answer, a label word or
    the right option.
    """
    example = suite.draw(task.name, rng, "train", kinds, balanced=True)
    label = example["label"]
    return render(task, example), example[task.options[label]] if task.options else words[label]


def draw_document(
    rng: random.Random,
    phase: SuitePhase,
    tokenizer: PreTrainedTokenizerFast,
    length: int,
    easy: float = 0.0,
) -> tuple[list[int], list[float]]:
    """Tokens and loss weights of as many examples of one task as fit, one at least; answers weigh
    1, words `phase.word` on average and most of them 0, line ends four times that.

    A length of 0 asks for one example of a relation, with canonical words.
    """
    relation = not length or rng.random() < phase.relations
    task = SUITE[rng.choice(RELATIONS if relation else phase.others)]
    words = draw_words(rng, task, phase) if length else task.words("canonical")
    word = phase.word / WORDS_READ
    row: list[int] = []
    weight: list[float] = []
    while True:
        kinds = ("easy",) if relation and rng.random() < easy else phase.kinds
        pair = draw_pair(rng, task, kinds, words)
        context, answer, end = tokenizer([pair[0], f" {pair[1]}", "\n"])["input_ids"]
        if row and len(row) + len(context) + len(answer) + len(end) > length:
            return row, weight
        row += context + answer + end
        weight += [word * (rng.random() < WORDS_READ) for _ in context]
        weight += [1.0] * len(answer) + [word]


def draw_batch(
    rng: random.Random,
    phase: SuitePhase,
    tokenizer: PreTrainedTokenizerFast,
    i: int = 0,
    n_tokens: int = TOKENS_PER_STEP,
) -> tuple[Tensor, Tensor]:
    """Tokens (B, T), about `n_tokens`, and loss weights (B, T) of step `i` of a phase; padding
    weighs 0.
    """
    length = 0 if rng.random() < phase.single else rng.choice(phase.lengths)
    easy = phase.easy[0] + (phase.easy[1] - phase.easy[0]) * i / phase.steps
    n_documents = max(1, n_tokens // (length or ONE_PAIR))
    rows, weights = [], []
    for _ in range(n_documents):
        row, weight = draw_document(rng, phase, tokenizer, length, easy)
        rows.append(row)
        weights.append(weight)
    return padded(rows, weights, tokenizer)
