"""Classification tasks: sentences with labels, a template, and the words that name the classes in a prompt.

The tasks here are the offline twins of two of the paper's: `sentiment` (its SST-2) and `topic` (its AGNews), with its
templates and label words, on sentences of our own grammar. Each comes in three label settings. *canonical*: the words
mean what they say. *flipped*: the same words, each moved to the next class, so that what the words mean (the prior) speaks
against the demonstrations (Wei et al. 2023). *arbitrary*: words such as `apple`, so that only the demonstrations can
tell. The paper's own data sets are in `paper_tasks.py`, data of yours in `own_task.py`; `load` takes them all. Taught in
chapter 03.
"""

import random
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from string import Formatter

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

    A task with `options` has no label words: each example brings its own answers, in the columns that `options` names,
    and `label` says which of them is right. They are scored by mean log-likelihood (`prompts.encode_options`).
    """

    name: str
    template: str
    classes: tuple[str, ...]
    label_words: tuple[str, ...]  # the canonical ones
    label_setting: str = "canonical"
    splits: dict = field(default_factory=dict, repr=False)
    options: tuple[str, ...] = ()
    dropped: dict = field(default_factory=dict)  # split → rows left out, their text being empty or met before

    def words(self, label_setting: str | None = None, seed: int = 0) -> tuple[str, ...]:
        """The word for each class in a label setting, the task's own if None; arbitrary ones are drawn by `seed`."""
        if self.options:
            raise ValueError(f"task {self.name!r} chooses between options ({', '.join(self.options)}) and has no label words")
        setting = self.label_setting if label_setting is None else label_setting
        _check_label_setting(setting)
        if setting == "canonical":
            return self.label_words
        if setting == "flipped":
            return self.label_words[1:] + self.label_words[:1]
        if len(self.classes) > len(ARBITRARY_WORDS):
            raise ValueError(f"task {self.name!r} has {len(self.classes)} classes, but there are only {len(ARBITRARY_WORDS)} arbitrary words")
        return tuple(random.Random(f"words {seed}").sample(ARBITRARY_WORDS, len(self.classes)))


TASKS = {
    task.name: task
    for task in (
        Task("sentiment", "text: {text} sentiment: {label}", grammar.POLARITIES, ("neg", "pos")),
        Task("topic", "text: {text} classification: {label}", grammar.TOPICS, grammar.TOPICS),
    )
}
ATTRIBUTE = {"sentiment": "polarity", "topic": "topic"}  # the field of a Sentence that is the class


def load(name: str, label_setting: str = "canonical", kinds: tuple[str, ...] | None = None, seed: int = 0, **how) -> Task:
    """The task of this name, with its splits. A name is one of five kinds.

    - An offline task, `sentiment` or `topic`: 1,000 training, 2,000 validation and 4,000 test sentences. `kinds` are the kinds
      of sentence, mixed evenly: short, plain, hard (see `grammar`); plain and hard unless you say otherwise.
    - A task of the suite (`suite.py`), one for each of the paper's seven, in a wider world that the shipped models have not seen:
      `mixed-sentiment`, `mixed-topic`, `emotion`, `paraphrase`, `entailment`, `commitment`, `choice`. Their `kinds` may also be mixed, and
      are plain, hard and mixed unless you say otherwise; `suite.SIZES` has their sizes.
    - `sentiment` or `topic` in a rare register of the same world (`registers.py`): `sentiment-second`, `topic-second`, in a language of their own,
      and `sentiment-jargon`, `topic-jargon`, with a specialists' vocabulary. Kinds and sizes are those of the first.
    - A data set of the paper, fetched from the Hugging Face hub: `sst2`, `agnews`, `emoc`, `mrpc`, `rte`, `cb`, `copa`. `how`
      may hold `paper_sizes` and `source`: see `paper_tasks.load`.
    - The path of your own .csv, .json or .jsonl, `how` holding `template`, `label_words` and, if it is not `label`,
      `label_column`; or the path of a .toml that says all of that: see `own_task.load`.

    Raises ValueError for a name or a label setting that does not exist and for data that are not what they should be, OSError for
    a file that is not there and for a hub that cannot be reached.
    """
    from svdicl_lite import own_task, paper_tasks, registers, suite

    name = str(name)
    _check_label_setting(label_setting)
    if name in TASKS:
        if how:
            raise ValueError(f"task {name!r} is made by the grammar and takes no {', '.join(how)}")
        return _from_grammar(TASKS[name], label_setting, ("plain", "hard") if kinds is None else kinds, seed)
    for world, made in ((suite, suite.SUITE), (registers, registers.TASKS)):
        if name in made:
            if how:
                raise ValueError(f"task {name!r} is made by the grammar and takes no {', '.join(how)}")
            return world.load(name, label_setting, kinds, seed)
    offline = ", ".join([*TASKS, *suite.SUITE, *registers.TASKS])
    if kinds is not None:
        raise ValueError(f"kinds of sentence exist for {offline} alone, not for task {name!r}")
    if name in paper_tasks.PAPER_TASKS:
        return paper_tasks.load(name, label_setting, seed, **how)
    if name.endswith(own_task.SUFFIXES):
        return own_task.load(name, label_setting, seed, **how)
    raise ValueError(
        f"there is no task {name!r}; the tasks are {offline} (offline), {', '.join(paper_tasks.PAPER_TASKS)} (the paper's, from the hub) "
        f"and the path of your own data, ending in {', '.join(own_task.SUFFIXES)}"
    )


def _from_grammar(task: Task, label_setting: str, kinds: tuple[str, ...], seed: int) -> Task:
    if not kinds or isinstance(kinds, str) or not set(kinds) <= set(grammar.FORMS):
        raise ValueError(f"kinds is {kinds!r}, but must be a tuple of some of {', '.join(grammar.FORMS)}")
    return replace(task, label_setting=label_setting, splits=_drawn(task.name, tuple(kinds), seed))


@lru_cache(maxsize=8)
def _drawn(name: str, kinds: tuple[str, ...], seed: int):
    task, parts = TASKS[name], {}
    for split, size in SIZES.items():
        rng = random.Random(f"{seed} {split}")
        sentences = distinct(lambda: grammar.draw(rng, split, kinds), lambda sentence: sentence.text, size, f"task {name!r} of kinds {', '.join(kinds)}")
        parts[split] = [{"text": sentence.text, "label": task.classes.index(getattr(sentence, ATTRIBUTE[name]))} for sentence in sentences]
    return as_splits(parts, ["text"], task.classes)


def distinct(draw: Callable[[], object], key: Callable[[object], Hashable], size: int, what: str) -> list:
    """`size` examples with different keys, in the order drawn. ValueError if `what` is too poor for that: 10,000 draws in a row bring nothing new."""
    found, idle = {}, 0
    while len(found) < size:
        if idle == 10_000:
            raise ValueError(f"{what} has about {len(found):,} different examples in a split that needs {size:,}; name more kinds")
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

    features = Features({**{column: Value("string") for column in columns}, "label": ClassLabel(names=list(classes))})
    by_column = lambda rows: {name: [row[name] for row in rows] for name in features}  # from_list knows no empty list
    return DatasetDict({split: Dataset.from_dict(by_column(rows), features=features) for split, rows in parts.items()})


def _check_label_setting(label_setting: str) -> None:
    if label_setting not in LABEL_SETTINGS:
        raise ValueError(f"label_setting is {label_setting!r}, but must be one of {', '.join(LABEL_SETTINGS)}")
