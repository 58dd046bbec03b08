"""A task of your own: a csv, json or jsonl file, a template, and a word for each label.

    load_task(
        "reviews.csv",
        template="review: {text} verdict: {label}",
        label_words={"1": "bad", "5": "good"},
        label_column="stars",
    )

or, so that a command line needs one name only, a toml file that says the same, its paths being
relative to itself:

    template = "review: {text} verdict: {label}"
    label_column = "stars"      # `label` if left out
    data = "reviews.csv"        # or three: {train = "a.csv", validation = "b.csv", test = "c.csv"}
    [label_words]               # label = word, in the order of the classes
    1 = "bad"
    5 = "good"

A sweep, which only looks, can do without a file for test. Taught in chapter 03.
"""

import tomllib
from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from svdicl_lite.tasks.own_files import DATA_SUFFIXES, Row, read_rows
from svdicl_lite.tasks.own_words import checked_label_words, columns_of, other_form
from svdicl_lite.tasks.task import Task, as_splits, check_classes
from svdicl_lite.tasks.texts import (
    Key,
    chance,
    fault_of,
    in_random_order,
    key_of,
    reads_like_a_demonstration,
)

SUFFIXES = (*DATA_SUFFIXES, ".toml")
SPLITS = ("train", "validation", "test")
KEYS = ("template", "label_words", "label_column", "data")
UNSEEN = " \N{ZERO WIDTH SPACE}\N{ZERO WIDTH NO-BREAK SPACE}\N{WORD JOINER}\N{SOFT HYPHEN}"
"""Characters of which a text may consist and still show nothing."""


@dataclass(frozen=True)
class Example:
    """A row as it is asked: its texts, in the order of the columns, and its label."""

    texts: tuple[str, ...]
    label: str


@dataclass(frozen=True)
class Description:
    """What is said about the data."""

    template: str
    columns: list[str]
    label_words: dict[str, str]
    label_column: str
    files: dict[str, Path]  # by split; one file to be split stands under ""


def load(
    path: str | Path,
    label_setting: str = "canonical",
    seed: int = 0,
    template: str | None = None,
    label_words: dict[str, str] | None = None,
    label_column: str = "label",
) -> Task:
    """The data at `path` as a `Task`, which takes its name from the file.

    One file is split by a hash of `seed` and each text: 70 % train, 15 % validation, 15 % test, so
    that a text keeps its split when others are added. The columns in the template are read, others
    ignored; labels are compared as text ("1", "True"). A split's rows stand in an order drawn by
    `seed`, whatever order the file has, and its classes are interleaved, so that any number from
    the front is a fair sample.

    A text that occurs twice in a file, if only in other capitals, stays once, with its first label
    (`Task.dropped`); in two of three files it is refused. A text is all columns of an example
    together: two pairs that share one sentence may fall into different splits.

    Raises FileNotFoundError for a file that is not there; ValueError for a template, label words or
    data that do not fit together, and for a validation or test set without one of the classes.
    """
    path = Path(path)
    told = _described(path, template, label_words, label_column)
    words = told.label_words
    examples, dropped = _read_all(told)
    if "" in examples:
        examples = _split(examples[""], seed)
    _check_splits(path, examples)
    splits = _as_rows(examples, told, seed)
    check_classes(path.name, tuple(words), splits)
    return Task(
        path.stem,
        told.template,
        tuple(words),
        tuple(words.values()),
        label_setting,
        as_splits(splits, told.columns, tuple(words)),
        dropped=dropped,
    )


def _described(path: Path, template: Any, label_words: Any, label_column: str) -> Description:
    """What the arguments, or the toml at `path`, say of the data."""
    files = {"": path}
    if path.suffix.lower() == ".toml":
        if template is not None or label_words is not None or label_column != "label":
            raise ValueError(
                f"{path.name} holds the template and the label words itself; give either them or a"
                " .toml, not both"
            )
        said = _read_toml(path)
        template, label_words, files = said["template"], said["label_words"], said["files"]
        label_column = said.get("label_column", "label")
    if template is None or label_words is None:
        raise ValueError(
            f"data of your own need a template and label words, but {path.name} came without; say"
            " template=… and label_words=…, or name a .toml"
        )
    if not isinstance(label_column, str):
        raise ValueError(f"label_column is {label_column!r}, but must be the name of one column")
    columns = columns_of(template, label_column)
    return Description(template, columns, checked_label_words(label_words), label_column, files)


def _read_toml(path: Path) -> dict[str, Any]:
    """What a toml says, with `files` for its `data`."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not UTF-8 text ({error}); save it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is not TOML ({error})") from None
    _check_keys(path, said)
    data = {"": said["data"]} if isinstance(said["data"], str) else said["data"]
    named = isinstance(data, dict) and all(isinstance(file, str) for file in data.values())
    if not named or set(data) not in ({""}, set(SPLITS[:2]), set(SPLITS)):
        raise ValueError(
            f"{path.name} says data = {said['data']!r}, but it must be one file or one each for"
            f" {', '.join(SPLITS)}; only test may be left out"
        )
    said["files"] = {split: path.parent / file for split, file in data.items()}
    return said


def _check_keys(path: Path, said: dict[str, Any]) -> None:
    unknown = [key for key in said if key not in KEYS]
    missing = [key for key in KEYS if key != "label_column" and key not in said]
    if not unknown and not missing:
        return
    what = f"does not say {missing[0]!r}" if missing else ""
    if unknown:
        what = f"says {unknown[0]!r}, which means nothing here"
    words = said.get("label_words")
    if missing and isinstance(words, dict) and missing[0] in words:
        what = f"says {missing[0]!r} below [label_words], which makes it one of them; put it above"
    raise ValueError(
        f"{path.name} {what}; it needs template, label_words and data, and may say label_column"
    )


def _read_all(told: Description) -> tuple[dict[str, dict[Key, Example]], dict[str, int]]:
    """The different examples of each file, by what makes their texts the same, and how many rows
    were left out, by reason.
    """
    found: dict[str, dict[Key, Example]] = {}
    dropped: Counter[str] = Counter()
    for split, file in told.files.items():
        rows = read_rows(file, [*told.columns, told.label_column])
        found[split] = {}
        faults = []
        for where, row in rows:
            example = _example(file, (where, row), told)
            fault = _fault(example, told.template)
            if fault:
                faults.append((where, fault))
            first = found[split].setdefault(key_of(example.texts), example)
            if first is not example:
                dropped[_reason(first, example)] += 1
        if faults:
            where, fault = faults[0]
            raise ValueError(
                f"{file.name} holds {len(faults)} texts that a prompt cannot hold, the first in"
                f" {where} with {fault}; take them out, or put a space in its place"
            )
    return found, dict(dropped)


def _fault(example: Example, template: str) -> str | None:
    """What keeps an example out of a prompt, if anything does."""
    for text in example.texts:
        fault = fault_of(text)
        if fault:
            return fault
        if reads_like_a_demonstration(text, template):
            return "a line that ends as a demonstration does"
    return None


def _reason(first: Example, again: Example) -> str:
    if again.label != first.label:
        return "met before under another label"
    return "met before" if again.texts == first.texts else "met before in other capitals or form"


def _example(path: Path, placed: Row, told: Description) -> Example:
    where, row = placed
    texts = tuple("" if row[name] is None else str(row[name]).strip() for name in told.columns)
    for name, text in zip(told.columns, texts):
        if not text.strip(UNSEEN):
            raise ValueError(
                f"{path.name}, {where}, has an empty {name!r}; every example needs a text"
            )
    label = _label_of(row[told.label_column], told.label_words)
    if label not in told.label_words:
        meant = other_form(label, told.label_words)
        why = (
            f"writes the same as {meant!r}; write the labels in the form that the file has"
            if meant
            else f"names {', '.join(told.label_words)}"
        )
        raise ValueError(f"{path.name}, {where}, has the label {label!r}, but label_words {why}")
    return Example(texts, label)


def _label_of(value: Any, label_words: dict[str, str]) -> str:
    """A label as text: what json writes as true may be called "true" as well as "True"; null is
    none.
    """
    label = "" if value is None else str(value).strip()
    as_json = label.lower()
    return as_json if isinstance(value, bool) and as_json in label_words else label


def _split(examples: dict[Key, Example], seed: int) -> dict[str, dict[Key, Example]]:
    """One file in three parts."""
    parts: dict[str, dict[Key, Example]] = {split: {} for split in SPLITS}
    for key, example in examples.items():
        parts[_split_of(example.texts, seed)][key] = example
    return parts


def _split_of(texts: tuple[str, ...], seed: int) -> str:
    """The split of a text, decided by the folded text and the seed alone."""
    bucket, _ = chance(texts, seed)
    return "train" if bucket < 70 else "validation" if bucket < 85 else "test"


def _as_rows(
    examples: dict[str, dict[Key, Example]], told: Description, seed: int
) -> dict[str, list[Any]]:
    """Each split's rows as columns and class number, in random order."""
    classes = list(told.label_words)
    splits = {}
    for split in SPLITS:
        rows = [
            {**dict(zip(told.columns, one.texts)), "label": classes.index(one.label)}
            for one in examples.get(split, {}).values()
        ]
        splits[split] = in_random_order(rows, told.columns, seed)
    return splits


def _check_splits(path: Path, examples: dict[str, dict[Key, Example]]) -> None:
    empty = [split for split, part in examples.items() if not part]
    if empty:
        n, lacking = sum(map(len, examples.values())), " and ".join(empty)
        raise ValueError(
            f"{path.name} has {n} different texts, of which none falls to {lacking}; give more, or"
            " name three files in a .toml"
        )
    for one, other in combinations(examples, 2):
        shared = examples[one].keys() & examples[other].keys()
        if shared:
            text = examples[one][min(shared)].texts[0][:60]
            raise ValueError(
                f"{path.name}: {len(shared)} texts stand in both {one} and {other}, {text!r} for"
                " one; leave each in one file"
            )
