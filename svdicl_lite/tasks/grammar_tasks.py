"""Two tasks on the small world of the grammar: sentiment and topic, offline twins of the paper's
SST-2 and AGNews. Taught in chapter 03.
"""

import random
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from svdicl_lite.tasks.task import Task, as_splits, distinct
from svdicl_lite.tasks.worlds import grammar
from svdicl_lite.tasks.worlds.sentences import World

if TYPE_CHECKING:  # `datasets` takes a second to import
    from datasets import DatasetDict

SIZES = {"train": 1000, "validation": 2000, "test": 4000}


TASKS = {
    task.name: task
    for task in (
        Task("sentiment", "text: {text} sentiment: {label}", grammar.POLARITIES, ("neg", "pos")),
        Task("topic", "text: {text} classification: {label}", grammar.TOPICS, grammar.TOPICS),
    )
}


ATTRIBUTE = {"sentiment": "polarity", "topic": "topic"}  # the field of a Sentence that is the class


def load(
    name: str, label_setting: str = "canonical", kinds: tuple[str, ...] | None = None, seed: int = 0
) -> Task:
    """The task of this name with its splits; `load_task` comes here."""
    kinds = ("plain", "hard") if kinds is None else kinds
    if not kinds or isinstance(kinds, str) or not set(kinds) <= set(grammar.FORMS):
        raise ValueError(
            f"kinds is {kinds!r}, but must be a tuple of some of {', '.join(grammar.FORMS)}"
        )
    return replace(
        TASKS[name], label_setting=label_setting, splits=_splits(name, tuple(kinds), seed)
    )


@lru_cache(maxsize=8)
def _splits(name: str, kinds: tuple[str, ...], seed: int) -> "DatasetDict":
    return splits_of(TASKS[name], name, grammar.WORLD, kinds, seed)


def splits_of(
    task: Task, question: str, world: World, kinds: tuple[str, ...], seed: int
) -> "DatasetDict":
    """The splits of a task on single sentences of a world; `question` is sentiment or topic."""
    what = f"task {task.name!r} of kinds {', '.join(kinds)}"
    parts = {}
    for split, size in SIZES.items():
        draw = partial(world.draw, random.Random(f"{seed} {split}"), split, kinds)
        sentences = distinct(draw, lambda sentence: sentence.text, size, what)
        parts[split] = [
            {"text": one.text, "label": task.classes.index(getattr(one, ATTRIBUTE[question]))}
            for one in sentences
        ]
    return as_splits(parts, ["text"], task.classes)
