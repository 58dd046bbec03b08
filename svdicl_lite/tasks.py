"""Classification tasks: sentences with labels, a template, and the words that name the classes in a prompt.

The tasks here are the offline twins of two of the paper's: `sentiment` (its SST-2) and `topic` (its AGNews), with its
templates and label words, on sentences of our own grammar. Each comes in three label settings. *canonical*: the words
mean what they say. *flipped*: the same words, each moved to the next class, so that what the words mean (the prior) speaks
against the demonstrations (Wei et al. 2023). *arbitrary*: words such as `apple`, so that only the demonstrations can
tell. Taught in chapter 03.
"""

import random
from dataclasses import dataclass, field, replace

from svdicl_lite import grammar

LABEL_SETTINGS = ("canonical", "flipped", "arbitrary")
ARBITRARY_WORDS = tuple(
    "apple stone river paper chair window candle bottle garden mirror button carpet pillow ladder hammer bucket basket "
    "blanket pencil curtain spoon kettle wagon feather".split()
)
SIZES = {"train": 1000, "validation": 2000, "test": 4000}


@dataclass(frozen=True)
class Task:
    """A classification task and how it is put to a model.

    `template` holds the columns of `splits` in braces and `{label}` at its end. `splits` maps train, validation and test
    to `datasets.Dataset`s, whose `label` column is a `ClassLabel`: an index into `classes` and `label_words`.
    """

    name: str
    template: str
    classes: tuple[str, ...]
    label_words: tuple[str, ...]  # the canonical ones
    label_setting: str = "canonical"
    splits: dict = field(default_factory=dict, repr=False)

    def words(self, label_setting: str | None = None, seed: int = 0) -> tuple[str, ...]:
        """The word for each class in a label setting, the task's own if None; arbitrary ones are drawn by `seed`."""
        setting = self.label_setting if label_setting is None else label_setting
        _check_label_setting(setting)
        if setting == "canonical":
            return self.label_words
        if setting == "flipped":
            return self.label_words[1:] + self.label_words[:1]
        return tuple(random.Random(f"words {seed}").sample(ARBITRARY_WORDS, len(self.classes)))


TASKS = {
    task.name: task
    for task in (
        Task("sentiment", "text: {text} sentiment: {label}", grammar.POLARITIES, ("neg", "pos")),
        Task("topic", "text: {text} classification: {label}", grammar.TOPICS, grammar.TOPICS),
    )
}
ATTRIBUTE = {"sentiment": "polarity", "topic": "topic"}  # the field of a Sentence that is the class


def load(name: str, label_setting: str = "canonical", kinds: tuple[str, ...] = ("plain", "hard"), seed: int = 0) -> Task:
    """The task of this name, with its splits: 1,000 training, 2,000 validation and 4,000 test sentences.

    `kinds` are the kinds of sentence, mixed evenly: short, plain, hard (see `grammar`). Raises ValueError for a name or a label setting
    that does not exist.
    """
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    if name not in TASKS:
        raise ValueError(f"there is no task {name!r}; the tasks are {', '.join(TASKS)}")
    _check_label_setting(label_setting)
    if not kinds or isinstance(kinds, str) or not set(kinds) <= set(grammar.FORMS):
        raise ValueError(f"kinds is {kinds!r}, but must be a tuple of some of {', '.join(grammar.FORMS)}")
    task = TASKS[name]
    features = Features({"text": Value("string"), "label": ClassLabel(names=list(task.classes))})
    splits = {}
    for split, size in SIZES.items():
        rng = random.Random(f"{seed} {split}")
        sentences: dict[str, grammar.Sentence] = {}
        while len(sentences) < size:
            sentence = grammar.draw(rng, split, kinds)
            sentences[sentence.text] = sentence
        labels = [getattr(sentence, ATTRIBUTE[name]) for sentence in sentences.values()]
        splits[split] = Dataset.from_dict({"text": list(sentences), "label": labels}, features=features)
    return replace(task, label_setting=label_setting, splits=DatasetDict(splits))


def _check_label_setting(label_setting: str) -> None:
    if label_setting not in LABEL_SETTINGS:
        raise ValueError(f"label_setting is {label_setting!r}, but must be one of {', '.join(LABEL_SETTINGS)}")
