"""The offline suite: one task of our own for each of the paper's seven, and how an example of it is
drawn.

`SUITE` says how each is put to a model, in the paper's words (appendix C.1); `draw` makes one
example of a split. No two splits share a sentence, neither alone nor as a part of a pair, because
each sentence's own text says which split it is in. Every task has four kinds of example: short,
plain, hard and mixed (see `wider_grammar`). The shipped `icl-gpt2` models know the smaller world
of `grammar_tasks` only; the model that learned this one is `suite-llama`. Taught in chapter 03.
"""

import random
from dataclasses import replace
from functools import lru_cache, partial

from svdicl_lite.tasks.task import Task, as_splits, distinct, template_fields
from svdicl_lite.tasks.worlds import causes, emotions, sentence_pairs, wider_grammar
from svdicl_lite.tasks.worlds.sentences import POLARITIES, TOPICS, split_of

KINDS = ("short", "plain", "hard", "mixed")
MIX = ("plain", "hard", "mixed")  # what the splits are made of, unless you say otherwise

SUITE = {
    task.name: task
    for task in (
        # SST-2
        Task("mixed-sentiment", "text: {text} sentiment: {label}", POLARITIES, ("neg", "pos")),
        Task("mixed-topic", "text: {text} classification: {label}", TOPICS, TOPICS),  # AGNews
        # EmoC
        Task("emotion", "text: {text} sentiment: {label}", ("not happy", "happy"), ("neg", "pos")),
        # MRPC
        Task(
            "paraphrase",
            "sentence1: {sentence1} sentence2: {sentence2} label : {label}",
            ("not equivalent", "equivalent"),
            ("false", "true"),
        ),
        Task(
            "entailment",
            "{premise} Does this mean that {hypothesis} is true? select Yes or No? {label}",
            ("entailment", "not entailment"),
            ("Yes", "No"),
        ),
        Task(  # CB
            "commitment",
            "Suppose {premise} Can we infer that {hypothesis}? Yes, No, or Maybe? {label}",
            ("entailment", "contradiction", "neutral"),
            ("Yes", "No", "Maybe"),
        ),
        # COPA
        Task(
            "choice",
            "{premise} {question} {label}",
            ("choice1", "choice2"),
            (),
            options=("choice1", "choice2"),
        ),
    )
}
SIZES = {  # as in the paper, some are small
    name: {"train": 1000, "validation": 2000, "test": 4000}
    for name in ("mixed-sentiment", "mixed-topic")
} | {
    "emotion": {"train": 1000, "validation": 1500, "test": 3000},
    "paraphrase": {"train": 500, "validation": 800, "test": 1600},
    "entailment": {"train": 500, "validation": 800, "test": 1600},
    "commitment": {"train": 200, "validation": 235, "test": 56},
    "choice": {"train": 300, "validation": 600, "test": 1200},
}
PAIRS = {
    "paraphrase": sentence_pairs.paraphrase,
    "entailment": sentence_pairs.entailment,
    "commitment": sentence_pairs.commitment,
}


def draw(
    name: str, rng: random.Random, split: str, kinds: tuple[str, ...] = MIX, balanced: bool = False
) -> dict:
    """One example of the task `name`: its columns, and `label`, an index into its classes.

    Classes are equally likely, except that in `emotion` one in five is happy, unless `balanced`.
    """
    if name in ("mixed-sentiment", "mixed-topic"):
        sentence = wider_grammar.draw(rng, split, kinds)
        found = sentence.polarity if name == "mixed-sentiment" else sentence.topic
        return {"text": sentence.text, "label": SUITE[name].classes.index(found)}
    kind, label = rng.choice(kinds), rng.randrange(len(SUITE[name].classes))
    if name == "emotion" and not balanced:
        label = int(rng.random() < emotions.HAPPY_SHARE)
    if name == "choice":
        return {**dict(zip(columns(name), causes.choice(rng, split, kind, label))), "label": label}
    while True:
        texts = (
            (emotions.utterance(rng, kind, label),)
            if name == "emotion"
            else PAIRS[name](rng, kind, label)
        )
        if all(split_of(text) == split for text in texts):
            return {**dict(zip(columns(name), texts)), "label": label}


def columns(name: str) -> list[str]:
    """The text columns of a task, in the order of its template."""
    return [field for field in template_fields(SUITE[name].template) if field != "label"] + list(
        SUITE[name].options
    )


def rows(name: str, split: str, kinds: tuple[str, ...], seed: int) -> list[dict]:
    """The examples of one split, none twice; ValueError if the kinds cannot say so many."""
    what = f"task {name!r} of kinds {', '.join(kinds)}"
    texts = columns(name)

    def key(example: dict) -> tuple[str, ...]:
        return tuple(example[column] for column in texts)

    one = partial(draw, name, random.Random(f"{seed} {split}"), split, kinds)
    return distinct(one, key, SIZES[name][split], what)


def load(
    name: str, label_setting: str = "canonical", kinds: tuple[str, ...] | None = None, seed: int = 0
) -> Task:
    """The task of this name with its splits; `load_task` comes here."""
    kinds, task = MIX if kinds is None else kinds, SUITE[name]
    if not kinds or isinstance(kinds, str) or not set(kinds) <= set(KINDS):
        raise ValueError(f"kinds is {kinds!r}, but must be a tuple of some of {', '.join(KINDS)}")
    if task.options and label_setting != "canonical":
        task.words(label_setting)  # says that there are none
    return replace(task, label_setting=label_setting, splits=_splits(name, tuple(kinds), seed))


@lru_cache(maxsize=16)
def _splits(name: str, kinds: tuple[str, ...], seed: int):
    return as_splits(
        {split: rows(name, split, kinds, seed) for split in SIZES[name]},
        columns(name),
        SUITE[name].classes,
    )


def vocabulary() -> list[str]:
    """Every word that the suite can say outside its templates and label words, sorted."""
    return sorted(
        {
            *wider_grammar.vocabulary(),
            *sentence_pairs.vocabulary(),
            *emotions.vocabulary(),
            *causes.vocabulary(),
        }
    )
