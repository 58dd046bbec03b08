"""Classification tasks: sentences with labels, a template, and the words that name the classes in a
prompt.

Each task comes in three label settings. *canonical*: the words mean what they say. *flipped*: the
same words, each class taking the next one's, so that what words mean (the prior) speaks against the
demonstrations (Wei et al. 2023). *arbitrary*: words such as `apple`, so that only the
demonstrations can tell. `loading.load_task` takes a task by its name: our own (`grammar_tasks`,
`suite`, `registers`), the paper's data sets (`paper`), data of yours (`own`). Taught in chapter 03.
"""

import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from string import Formatter
from typing import Any, TypeVar

T = TypeVar("T")
LABEL_SETTINGS = ("canonical", "flipped", "arbitrary")
ARBITRARY_WORDS = tuple(
    "apple stone river paper chair window candle bottle garden mirror button carpet pillow ladder"
    " hammer bucket basket blanket pencil curtain spoon kettle wagon feather".split()
)


@dataclass(frozen=True)
class Task:
    """A classification task and how it is put to a model.

    `template` holds the columns of `splits` in braces and `{label}` at its end. `splits` maps
    train, validation and test to `datasets.Dataset`s, whose `label` column is a `ClassLabel`: an
    index into `classes` and `label_words`.

    A task with `options` has no label words: each example brings its own answers, in the columns
    that `options` names, and `label` says which of them is right. They are scored by mean
    log-likelihood (`prompts.encode`).
    """

    name: str
    template: str
    classes: tuple[str, ...]
    label_words: tuple[str, ...]  # the canonical ones
    label_setting: str = "canonical"
    splits: dict = field(default_factory=dict, repr=False)
    options: tuple[str, ...] = ()
    dropped: dict[str, int] = field(default_factory=dict)  # reason → rows left out for it

    def said_of_dropped(self) -> str:
        """One line on the rows that were left out, by reason; empty if there are none."""
        if not self.dropped:
            return ""
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in self.dropped.items())
        return f"{sum(self.dropped.values()):,} rows left out of {self.name}: {reasons}"

    def words(self, label_setting: str | None = None, seed: int = 0) -> tuple[str, ...]:
        """The word for each class in a label setting, the task's own if None; arbitrary ones are
        drawn by `seed`.
        """
        if self.options:
            raise ValueError(
                f"task {self.name!r} chooses between options ({', '.join(self.options)}) and has no"
                " label words"
            )
        setting = self.label_setting if label_setting is None else label_setting
        check_label_setting(setting)
        if setting == "canonical":
            return self.label_words
        if setting == "flipped":
            return self.label_words[1:] + self.label_words[:1]
        if len(self.classes) > len(ARBITRARY_WORDS):
            raise ValueError(
                f"task {self.name!r} has {len(self.classes)} classes, but there are only"
                f" {len(ARBITRARY_WORDS)} arbitrary words"
            )
        return tuple(random.Random(f"words {seed}").sample(ARBITRARY_WORDS, len(self.classes)))


def distinct(draw: Callable[[], T], key: Callable[[T], Hashable], size: int, what: str) -> list[T]:
    """`size` examples with different keys, in the order drawn. ValueError if `what` is too poor for
    that: 10,000 draws in a row bring nothing new.
    """
    found: dict[Hashable, T] = {}
    idle = 0
    while len(found) < size:
        if idle == 10_000:
            raise ValueError(
                f"{what} has about {len(found):,} different examples in a split that needs"
                f" {size:,}; name more kinds"
            )
        example = draw()
        idle = idle + 1 if key(example) in found else 0
        found.setdefault(key(example), example)
    return list(found.values())


def template_fields(template: str) -> list[str]:
    """The names in braces, in order. Raises ValueError for braces that do not pair."""
    return [name for _, name, _, _ in Formatter().parse(template) if name is not None]


def as_splits(parts: dict[str, list[dict]], columns: list[str], classes: tuple[str, ...]):
    """Rows by split as a `DatasetDict` of text columns and a `label`."""
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    features = Features(
        {
            **{column: Value("string") for column in columns},
            "label": ClassLabel(names=list(classes)),
        }
    )
    splits = DatasetDict()
    for split, rows in parts.items():
        by_column = {name: [row[name] for row in rows] for name in features}
        splits[split] = Dataset.from_dict(by_column, features=features)  # takes an empty one too
    return splits


def check_classes(
    name: str, classes: tuple[str, ...], parts: Mapping[str, Sequence[Mapping[str, Any]]]
) -> None:
    """Raises ValueError for a validation or test set without one of the classes: a model that never
    says that class would be right on all of it. An empty set passes, as a sweep needs no test.
    """
    for split in ("validation", "test"):
        there = {row["label"] for row in parts[split]}
        lacking = [word for index, word in enumerate(classes) if index not in there]
        if there and lacking:
            raise ValueError(
                f"{name} leaves no example of class {lacking[0]!r} for {split}; give more examples"
                " of it, or leave it out of the label words"
            )


def check_label_setting(label_setting: str) -> None:
    """Raises ValueError for a label setting that does not exist."""
    if label_setting not in LABEL_SETTINGS:
        raise ValueError(
            f"label_setting is {label_setting!r}, but must be one of {', '.join(LABEL_SETTINGS)}"
        )
