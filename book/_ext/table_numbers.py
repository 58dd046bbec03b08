"""Which cells of a table are numbers, with their intervals, units and signs for what is missing."""

import re

from bs4 import NavigableString, Tag

POWER = r"10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+"
NUMBER = re.compile(
    rf"(?<![\w.])[+−-]?(?:{POWER}|(?:\d+(?:,\d{{3}})*(?:\.\d+)?|\.\d+)"
    rf"(?:\s?×\s?{POWER}|e[+-]?\d+)?)(?![\w.:]|,\d)"
)
UNIT = r"%|h|s|min|seconds?|minutes?|hours?|days?|MB|GB|points?|billion|million"
BETWEEN = re.compile(rf"[\s\[\]()/→±×<>≤≥≈;*–]|(?<!\w)(?:{UNIT}|of|to|n =)(?!\w)|,(?=\s)")
LIST = re.compile(r"\d+(?:, \d+)+")
IN_TEXT = re.compile(r"(\[[+−]?\d[^\[\]]*, [^\[\]]*\])")
INTERVAL = re.compile(r"\s(\[[^\[\]]+\]|\([^()]+(?:\sto\s|–)[^()]+\)|[/→]\s\S+$)")


def is_number(text: str) -> bool:
    """Whether a cell says numbers only: 0.9, +1.4 [−1.6, +2.9], < .001, 3 of 12, 9 × 10⁻⁷."""
    text = text.replace("\xa0", " ").replace("\u202f", " ")
    if not NUMBER.search(text):
        return False
    outside = re.sub(r"\[[^\[\]]*\]|\([^()]*\)", "", text)
    if len(re.findall(r",\s", outside)) > outside.count("n ="):
        return False  # a list: 0, 1, 2
    return not BETWEEN.sub("", NUMBER.sub("", text)).strip()


def is_list(text: str) -> bool:
    """Whether a cell lists whole numbers: 2, 4, 8. These are read from the left, as words are."""
    return bool(LIST.fullmatch(text))


def mark_intervals(cells: list[Tag]) -> None:
    """Puts each interval, and the second of two values, into an element of its own, which may stand
    below the first; in a text, too, an interval is one.
    """
    for cell in cells:
        for text in [node for node in cell.find_all(string=True) if IN_TEXT.search(str(node))]:
            if not is_number(str(text)):
                parts = IN_TEXT.split(str(text))  # text, interval, text, …
                text.replace_with(
                    *(_apart(part) if i % 2 else part for i, part in enumerate(parts))
                )
        for text in [node for node in cell.find_all(string=True) if is_number(str(node))]:
            before, *rest = INTERVAL.split(str(text), maxsplit=1)
            if rest and before.strip():
                text.replace_with(NavigableString(before + " "), _apart(rest[0]), rest[1])


def _apart(text: str) -> Tag:
    """An interval as an element."""
    made = Tag(name="span", attrs={"class": "interval"})
    made.string = text
    return made
