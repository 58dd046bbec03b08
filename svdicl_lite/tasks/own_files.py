"""Reading csv, json and jsonl files of yours, with a place to name for whatever is wrong in them.

Taught in chapter 03.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

DATA_SUFFIXES = (".csv", ".json", ".jsonl")

Row = tuple[str, dict[str, Any]]
"""Where a row stands, for messages, and its columns."""


def read_rows(path: Path, columns: list[str]) -> list[Row]:
    """Every row of a file, after a look at whether it has these columns.

    Raises FileNotFoundError for a file that is not there, ValueError for one that cannot be read.
    """
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a folder; name a file in it")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    suffix = path.suffix.lower()
    if suffix not in DATA_SUFFIXES:
        raise ValueError(f"{path.name} cannot be read; data end in {', '.join(DATA_SUFFIXES)}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path.name} is not UTF-8 text ({error.reason} at byte {error.start}); save it as"
            " UTF-8"
        ) from None
    if "\0" in text[:100]:
        raise ValueError(
            f"{path.name} is not UTF-8 text (it begins with characters U+0000, as UTF-16 does);"
            " save it as UTF-8"
        )
    if suffix == ".csv":
        rows = list(_csv_rows(path, text, columns))
    else:
        rows = list({".json": _json_rows, ".jsonl": _jsonl_rows}[suffix](path, text))
    if not rows:
        raise ValueError(f"{path.name} holds no rows")
    for where, row in rows:
        lacking = [column for column in columns if column not in row]
        if lacking:
            raise ValueError(
                f"{path.name}, {where}, has no column {lacking[0]!r}; it has {_names(row)}"
            )
        for column in columns:
            if isinstance(row[column], dict | list):
                raise ValueError(
                    f"{path.name}, {where}, holds {_shortly(row[column])} in {column!r}, but must"
                    " hold a text or a number; take the part that is meant into a column of its own"
                )
    return rows


def _csv_rows(path: Path, text: str, columns: list[str]) -> Iterator[Row]:
    """Rows are named by the line that they begin in; a quoted text may go over several."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names: list[str] = []
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            if "field limit" in str(error):
                raise ValueError(
                    f"{path.name}, line {line}, holds a text of more than"
                    f" {csv.field_size_limit():,} characters; close its quotation mark, or shorten"
                    " it"
                ) from None
            raise ValueError(f"{path.name}, line {line}, is not csv ({error})") from None
        if cells is None:
            return
        if not cells:  # an empty line
            continue
        if not names:
            names = [name.strip() for name in cells]  # "text, label" is meant without the space
            doubled = [name for name in names if names.count(name) > 1]
            if doubled:
                raise ValueError(
                    f"{path.name}, line {line}, names the column {doubled[0]!r} twice; rename one"
                )
            if lacking := [column for column in columns if column not in names]:
                raise ValueError(
                    f"{path.name}, line {line}, which must name the columns, has no"
                    f" {lacking[0]!r}; it has {_names(names)}{_separated(names)}"
                )
            continue
        if len(cells) != len(names):
            raise ValueError(
                f"{path.name}, line {line}, has not the {len(names)} cells of its first"
                f" line, but {len(cells)}; put texts with commas in quotes"
            )
        yield f"line {line}", dict(zip(names, cells))


def _jsonl_rows(path: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            where = f"line {number}"
            yield where, _object(path, where, _parsed(path, where, line))


def _json_rows(path: Path, text: str) -> Iterator[Row]:
    entries = _parsed(path, "", text)
    if not isinstance(entries, list):
        raise ValueError(
            f"{path.name} is not json of a list of objects, but {_shortly(entries)}; put [ ] around"
            " its rows"
        )
    for number, entry in enumerate(entries, 1):
        where = f"entry {number}"
        yield where, _object(path, where, entry)


def _parsed(path: Path, where: str, text: str) -> Any:
    """JSON, or one sentence that says where it ends to be JSON."""
    kind = path.suffix.lower()[1:]
    place = f"{path.name}, {where}," if where else path.name
    try:
        return json.loads(text, object_pairs_hook=_distinct)
    except json.JSONDecodeError as error:
        at = f"column {error.colno}" if where else f"line {error.lineno} column {error.colno}"
        raise ValueError(f"{place} is not {kind} ({error.msg} at {at})") from None
    except RecursionError:
        raise ValueError(f"{place} is not {kind} that can be read: it nests too deep") from None
    except ValueError as error:  # a number of thousands of digits, a key that stands twice
        raise ValueError(f"{place} is not {kind} ({error})") from None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object names {twice!r} twice")
    return found


def _object(path: Path, where: str, entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        whole = path.suffix.lower() == ".jsonl" and isinstance(entry, list)
        way = "; a list of all rows is called .json" if whole else ""
        raise ValueError(
            f"{path.name}, {where}, is {_shortly(entry)}, but must be an object with its columns by"
            f" name{way}"
        )
    return entry


def _names(columns: Iterable[str]) -> str:
    """Names as they are, in quotes where a space would not be seen."""
    names = [name if name == name.strip() and name else repr(name) for name in columns]
    return ", ".join(names)


def _separated(names: list[str]) -> str:
    """What else to do where one column holds a whole line."""
    (whole,) = names if len(names) == 1 else ("",)
    if whole.startswith(("sep=", "#")):
        return "; take that line out"
    sign = next((sign for sign in (";", "\t", "|") if sign in whole), None)
    if sign is None:
        return ""
    said = "tabs" if sign == "\t" else f"{sign!r}"
    return f", its cells being separated by {said}; save it with commas"


def _shortly(value: Any) -> str:
    said = json.dumps(value, ensure_ascii=True)
    return said if len(said) <= 60 else said[:57] + "…"
