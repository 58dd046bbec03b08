"""Checks of what you say about your data: the template of a prompt, and a word for each label.

Taught in chapter 03.
"""

from string import Formatter
from typing import Any
from unicodedata import normalize

from svdicl_lite.tasks.task import template_fields
from svdicl_lite.tasks.texts import fault_of

EXAMPLE = "text: {text} label: {label}"


def columns_of(template: Any, label_column: str) -> list[str]:
    """The columns of the data that a template reads, each once. Raises ValueError, one sentence,
    for a template that no prompt can be made with.
    """
    try:
        columns = template_fields(template)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"the template {template!r} cannot be read ({error}); columns stand in braces, as in"
            f" {EXAMPLE!r}"
        ) from None
    once = columns.count("label") == 1 and template.count("{label}") == 1
    if not once or not template.rstrip().endswith("{label}"):
        raise ValueError(
            f"the template {template!r} must hold {{label}} once, at its end, as in {EXAMPLE!r}"
        )
    columns = [column for column in columns if column != "label"]
    if not columns:
        raise ValueError(
            f"the template {template!r} holds no column of the data, as in {EXAMPLE!r}"
        )
    for column in columns:
        if column == label_column:
            why = "which is the answer"
        elif "." in column or "[" in column:
            why = "whose name has a dot or a bracket; rename it"
        else:
            continue
        raise ValueError(f"the template {template!r} holds the column {column!r}, {why}")
    if fault := fault_of(template):
        raise ValueError(f"the template {template!r} holds {fault}; take it out")
    _check_by_name_alone(template, columns)
    return list(dict.fromkeys(columns))


def _check_by_name_alone(template: str, columns: list[str]) -> None:
    """A format such as `{text:>100000000000}` would fill the memory, so there are none."""
    why = None
    for _, name, form, conversion in Formatter().parse(template):
        if form or conversion:
            said = f"!{conversion}" if conversion else f":{form}"
            why = f"{name!r} has the format {said!r}"
    if why is None:
        try:
            template.format(label="", **dict.fromkeys(columns, ""))
        except (ValueError, IndexError, KeyError) as error:
            why = str(error)
    if why is not None:
        raise ValueError(
            f"the template {template!r} cannot be filled in ({why}); columns stand in braces by"
            f" name alone, as in {EXAMPLE!r}"
        )


def checked_label_words(label_words: Any) -> dict[str, str]:
    """The word for each label, both as text. Raises ValueError, one sentence, for words that no
    choice can be made with.
    """
    if not hasattr(label_words, "items"):
        raise ValueError(
            f"label_words is {label_words!r}, but must say a word for each label, as in {{'0':"
            " 'no', '1': 'yes'}"
        )
    found: dict[str, str] = {}
    for label, word in label_words.items():
        if isinstance(word, dict):  # toml reads 0.0 = "no" as a table 0 with a key 0
            raise ValueError(
                f"label_words holds {word!r} under {str(label)!r}; put a label with a dot in"
                " quotes, as in \"0.0\" = 'no'"
            )
        if not isinstance(word, str) or not word.strip():
            raise ValueError(f"the label word {word!r} is no word")
        if fault_of(word) or len(word.strip().splitlines()) > 1:
            raise ValueError(
                f"the label word {word!r} holds a line break or a control character; take a plain"
                " word"
            )
        if normalize("NFC", word.strip()) in {normalize("NFC", known) for known in found.values()}:
            raise ValueError(f"the label word {word.strip()!r} stands for two classes")
        found[str(label)] = word.strip()
    if len(found) < 2:
        raise ValueError(f"label_words names {len(found)} class, but a choice needs at least two")
    return found


def other_form(label: str, label_words: dict[str, str]) -> str | None:
    """The label in `label_words` that is written in another form: 0 for 0.0, Yes for yes."""
    number = _number(label)
    for known in label_words:
        same_number = number is not None and _number(known) == number
        if same_number or known.strip().casefold() == label.casefold():
            return known
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
