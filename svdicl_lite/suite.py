"""The offline suite: one task of our own for each of the paper's seven, and how an example of it is drawn.

`tasks.TASKS` says how each is put to a model, in the paper's words (appendix C.1); here, `draw` makes one example of a split. No two splits share a
sentence, neither alone nor as a part of a pair, because each sentence's own text says which split it is in. Every task has the four
kinds of `grammar`: short, plain, hard and mixed. Taught in chapter 03.
"""

import random

from svdicl_lite import choices, grammar, pairs, utterances
from svdicl_lite.grammar import split_of
from svdicl_lite.tasks import TASKS, template_fields

KINDS = ("short", "plain", "hard", "mixed")
MIX = ("plain", "hard", "mixed")  # what the splits are made of, unless you say otherwise

SIZES = {  # as in the paper, some are small
    name: {"train": 1000, "validation": 2000, "test": 4000} for name in ("sentiment", "topic")
} | {
    "emotion": {"train": 1000, "validation": 1500, "test": 3000},
    "paraphrase": {"train": 500, "validation": 800, "test": 1600},
    "entailment": {"train": 500, "validation": 800, "test": 1600},
    "commitment": {"train": 200, "validation": 235, "test": 56},
    "choice": {"train": 300, "validation": 600, "test": 1200},
}  # fmt: skip
PAIRS = {"paraphrase": pairs.paraphrase, "entailment": pairs.entailment, "commitment": pairs.commitment}


def draw(name: str, rng: random.Random, split: str, kinds: tuple[str, ...] = MIX, balanced: bool = False) -> dict:
    """One example of the task `name`: its columns, and `label`, an index into its classes.

    Classes are equally likely, except that in `emotion` one in five is happy, unless `balanced`.
    """
    if name in ("sentiment", "topic"):
        sentence = grammar.draw(rng, split, kinds)
        found = sentence.polarity if name == "sentiment" else sentence.topic
        return {"text": sentence.text, "label": TASKS[name].classes.index(found)}
    kind, label = rng.choice(kinds), rng.randrange(len(TASKS[name].classes))
    if name == "emotion" and not balanced:
        label = int(rng.random() < utterances.HAPPY_SHARE)
    if name == "choice":
        return {**dict(zip(columns(name), choices.choice(rng, split, kind, label))), "label": label}
    while True:
        texts = (utterances.utterance(rng, kind, label),) if name == "emotion" else PAIRS[name](rng, kind, label)
        if all(split_of(text) == split for text in texts):
            return {**dict(zip(columns(name), texts)), "label": label}


def columns(name: str) -> list[str]:
    """The text columns of a task, in the order of its template."""
    return [field for field in template_fields(TASKS[name].template) if field != "label"] + list(TASKS[name].options)


def rows(name: str, split: str, kinds: tuple[str, ...], seed: int) -> list[dict]:
    """The examples of one split, none twice."""
    rng, found = random.Random(f"{seed} {split}"), {}
    while len(found) < SIZES[name][split]:
        example = draw(name, rng, split, kinds)
        found.setdefault(tuple(example[column] for column in columns(name)), example)
    return list(found.values())


def vocabulary() -> list[str]:
    """Every word that the suite can say outside its templates and label words, sorted."""
    return sorted({*grammar.vocabulary(), *pairs.vocabulary(), *utterances.vocabulary(), *choices.vocabulary()})
