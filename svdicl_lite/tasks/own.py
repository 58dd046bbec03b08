"""A task of your own: a csv, json or jsonl file, a template, and a word for each label.

    tasks.load("reviews.csv", template="review: {text} verdict: {label}", label_words={"1": "bad", "5": "good"}, label_column="stars")

or, so that a command line needs one name only, a toml file that says the same, its paths being
relative to itself:

    template = "review: {text} verdict: {label}"
    label_column = "stars"                    # `label` if left out
    data = "reviews.csv"                      # or three files: data = {train = "a.csv", validation = "b.csv", test = "c.csv"}
    [label_words]                             # label = word, in the order of the classes
    1 = "bad"
    5 = "good"

A sweep, which only looks, can do without a file for test. Taught in chapter 03.
"""

import csv
import hashlib
import io
import json
import tomllib
from itertools import combinations
from pathlib import Path

from svdicl_lite.tasks.task import Task, as_splits, template_fields

DATA_SUFFIXES = (".csv", ".json", ".jsonl")
SUFFIXES = (*DATA_SUFFIXES, ".toml")
SPLITS = ("train", "validation", "test")
EXAMPLE = "text: {text} label: {label}"
KEYS = ("template", "label_words", "label_column", "data")


def load(
    path: str,
    label_setting: str = "canonical",
    seed: int = 0,
    template: str | None = None,
    label_words: dict[str, str] | None = None,
    label_column: str = "label",
) -> Task:
    """The data at `path` as a `Task`, which takes its name from the file.

    One file is split by a hash of `seed` and each text: 70 % train, 15 % validation, 15 % test, so
    that a text keeps its split when others are added. The columns in the template are read, others
    ignored; labels are compared as text ("1", "True"). A text that occurs twice in a file stays
    once, with its first label (`Task.dropped`); in two of three files it is refused. A text is all
    columns of an example together: two pairs that share one sentence may fall into different
    splits.

    Raises FileNotFoundError for a file that is not there; ValueError for a template, label words or
    data that do not fit together.
    """
    path = Path(path)
    files = {"": path}
    if path.suffix == ".toml":
        if template is not None or label_words is not None or label_column != "label":
            raise ValueError(
                f"{path.name} holds the template and the label words itself; give either them or a"
                " .toml, not both"
            )
        template, label_words, label_column, files = _read_toml(path)
    if template is None or label_words is None:
        raise ValueError(
            f"data of your own need a template and label words, but {path.name} came without; say"
            " template=… and label_words=…, or name a .toml"
        )
    columns = _check_template(template, label_column)
    label_words = _check_label_words(label_words)
    rows, dropped = {}, {}
    for split, file in files.items():
        read = _read(file, [*columns, label_column])
        first: dict[tuple[str, ...], str] = {}  # texts → label
        for where, row in read:
            key, label = _check_row(file, where, row, columns, label_column, label_words)
            first.setdefault(key, label)
        rows[split], dropped[split or "all"] = first, len(read) - len(first)
    if len(files) == 1:
        rows = {
            split: {key: label for key, label in rows[""].items() if _split_of(key, seed) == split}
            for split in SPLITS
        }
    _check_splits(path, rows)
    rows.setdefault("test", {})
    classes = tuple(label_words)
    parts = {
        split: [
            {**dict(zip(columns, key)), "label": classes.index(label)}
            for key, label in rows[split].items()
        ]
        for split in SPLITS
    }
    splits = as_splits(parts, columns, classes)
    return Task(
        path.stem,
        template,
        classes,
        tuple(label_words.values()),
        label_setting,
        splits,
        dropped=dropped,
    )


def _read_toml(path: Path):
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path.name} is not TOML ({error})") from None
    unknown, missing = (
        [key for key in said if key not in KEYS],
        [key for key in KEYS if key != "label_column" and key not in said],
    )
    if unknown or missing:
        what = (
            f"says {unknown[0]!r}, which means nothing here"
            if unknown
            else f"does not say {missing[0]!r}"
        )
        raise ValueError(
            f"{path.name} {what}; it needs template, label_words and data, and may say label_column"
        )
    data = {"": said["data"]} if isinstance(said["data"], str) else said["data"]
    named = isinstance(data, dict) and all(isinstance(file, str) for file in data.values())
    if not named or set(data) not in ({""}, set(SPLITS[:2]), set(SPLITS)):
        raise ValueError(
            f"{path.name} says data = {said['data']!r}, but it must be one file or one each for"
            f" {', '.join(SPLITS)}; only test may be left out"
        )
    files = {split: path.parent / file for split, file in data.items()}
    return said["template"], said["label_words"], said.get("label_column", "label"), files


def _check_template(template: str, label_column: str) -> list[str]:
    """The columns of the template."""
    try:
        columns = template_fields(template)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"the template {template!r} cannot be read ({error}); columns stand in braces, as in"
            f" {EXAMPLE!r}"
        ) from None
    if (
        columns.count("label") != 1
        or template.count("{label}") != 1
        or not template.rstrip().endswith("{label}")
    ):
        raise ValueError(
            f"the template {template!r} must hold {{label}} once, at its end, as in {EXAMPLE!r}"
        )
    columns = [column for column in columns if column != "label"]
    if not columns:
        raise ValueError(
            f"the template {template!r} holds no column of the data, as in {EXAMPLE!r}"
        )
    bad = [column for column in columns if column == label_column or "." in column or "[" in column]
    if bad:
        why = (
            "which is the answer"
            if bad[0] == label_column
            else "whose name has a dot or a bracket; rename it"
        )
        raise ValueError(f"the template {template!r} holds the column {bad[0]!r}, {why}")
    try:
        template.format(label="", **dict.fromkeys(columns, ""))
    except (ValueError, IndexError, KeyError) as error:
        raise ValueError(
            f"the template {template!r} cannot be filled in ({error}); columns stand in braces by"
            f" name alone, as in {EXAMPLE!r}"
        ) from None
    return list(dict.fromkeys(columns))


def _check_label_words(label_words) -> dict[str, str]:
    if not hasattr(label_words, "items"):
        raise ValueError(
            f"label_words is {label_words!r}, but must say a word for each label, as in {{'0':"
            " 'no', '1': 'yes'}"
        )
    label_words = {str(label): word for label, word in label_words.items()}
    if len(label_words) < 2:
        raise ValueError(
            f"label_words names {len(label_words)} class, but a choice needs at least two"
        )
    bad = [word for word in label_words.values() if not isinstance(word, str) or not word.strip()]
    if bad:
        raise ValueError(f"the label word {bad[0]!r} is no word")
    label_words = {label: word.strip() for label, word in label_words.items()}
    twice = [word for word in label_words.values() if list(label_words.values()).count(word) > 1]
    if twice:
        raise ValueError(f"the label word {twice[0]!r} stands for two classes")
    return label_words


def _read(path: Path, columns: list[str]) -> list[tuple[str, dict]]:
    """(where, row) of every row, after a look at its columns; `where` is for error messages."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    if path.suffix not in DATA_SUFFIXES:
        raise ValueError(f"{path.name} cannot be read; data end in {', '.join(DATA_SUFFIXES)}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path.name} is not UTF-8 text ({error.reason} at byte {error.start}); save it as"
            " UTF-8"
        ) from None
    rows = _csv_rows(path, text) if path.suffix == ".csv" else _json_rows(path, text)
    if not rows:
        raise ValueError(f"{path.name} holds no rows")
    for where, row in rows:
        lacking = [column for column in columns if column not in row]
        if lacking:
            raise ValueError(
                f"{path.name}, {where}, has no column {lacking[0]!r}; it has"
                f" {', '.join(map(str, row))}"
            )
    return rows


def _csv_rows(path: Path, text: str) -> list[tuple[str, dict]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [(f"line {reader.line_num}", row) for row in reader]
    except csv.Error as error:
        raise ValueError(f"{path.name} is not csv at line {reader.line_num} ({error})") from None
    for where, row in rows:
        if None in row or None in row.values():
            raise ValueError(
                f"{path.name}, {where}, has not the {len(reader.fieldnames)} cells of its first"
                " line; put texts with commas in quotes"
            )
    return rows


def _json_rows(path: Path, text: str) -> list[tuple[str, dict]]:
    try:
        if path.suffix == ".jsonl":
            rows = [
                (f"line {n}", json.loads(line))
                for n, line in enumerate(text.split("\n"), 1)
                if line.strip()
            ]
        else:
            rows = [(f"entry {n}", row) for n, row in enumerate(json.loads(text), 1)]
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path.name} is not {path.suffix[1:]} ({error})") from None
    for where, row in rows:
        if not isinstance(row, dict):
            raise ValueError(
                f"{path.name}, {where}, is {row!r}, but must be an object with its columns by name"
            )
    return rows


def _check_row(
    path: Path, where: str, row: dict, columns: list[str], label_column: str, label_words: dict
) -> tuple[tuple[str, ...], str]:
    """(texts, label) of a row."""
    texts = tuple("" if row[column] is None else str(row[column]).strip() for column in columns)
    if not all(texts):
        raise ValueError(
            f"{path.name}, {where}, has an empty {columns[texts.index('')]!r}; every example needs"
            " a text"
        )
    label = str(row[label_column]).strip()
    if label not in label_words:
        raise ValueError(
            f"{path.name}, {where}, has the label {label!r}, but label_words names"
            f" {', '.join(label_words)}"
        )
    return texts, label


def _split_of(texts: tuple[str, ...], seed: int) -> str:
    """The split of a text, decided by the text and the seed alone."""
    bucket = int.from_bytes(hashlib.sha256(json.dumps([seed, *texts]).encode()).digest()[:8]) % 100
    return "train" if bucket < 70 else "validation" if bucket < 85 else "test"


def _check_splits(path: Path, rows: dict[str, dict]) -> None:
    empty = [split for split, part in rows.items() if not part]
    if empty:
        n, lacking = sum(map(len, rows.values())), " and ".join(empty)
        raise ValueError(
            f"{path.name} has {n} different texts, of which none falls to {lacking}; give more, or"
            " name three files in a .toml"
        )
    for one, other in combinations(rows, 2):
        shared = rows[one].keys() & rows[other].keys()
        if shared:
            text = min(shared)[0][:60]
            raise ValueError(
                f"{path.name}: {len(shared)} texts stand in both {one} and {other}, {text!r} for"
                " one; leave each in one file"
            )
