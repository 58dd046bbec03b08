"""Lines up the estimates and intervals of a column: points below points, brackets below brackets.

A cell stands on the right, so that its last bracket has its place. Before an end that is shorter
than the longest of its column room is left, counted in digits, which are of one width as the signs
are (`book/assets/tables.css`); and a number without an interval stands where the others do.
"""

import re

from bs4 import BeautifulSoup, Tag
from table_numbers import is_number
from table_widths import width

ENDS = re.compile(r"([\[(])([^\s\[\],]\S*)(, | to |–)(\S+)([\])])")
MISSING = "–—-"


def line_up(cells: list[Tag]) -> None:
    """Lines up the cells of one column; one with less than two intervals stays as it is."""
    found = {i: ENDS.fullmatch(_interval(cell)) for i, cell in enumerate(cells)}
    found = {i: ends for i, ends in found.items() if ends}
    if len(found) < 2:
        return
    lows, highs = ([width(ends[part]) for ends in found.values()] for part in (2, 4))
    for i, cell in enumerate(cells):
        if ends := found.get(i):
            before = (max(lows) - width(ends[2]), max(highs) - width(ends[4]))
            _with_room(cell.find(class_="interval"), ends, before)
        elif _alone(cell):
            around = next(iter(found.values()))
            signs = width(" " + around[1] + around[3] + around[5])
            cell.append(_room(signs + max(lows) + max(highs), "interval none"))


def _interval(cell: Tag) -> str:
    """The interval that stands last in a cell of numbers, as text; else nothing."""
    marked = cell.find_all(class_="interval")
    text = cell.get_text().strip()
    said = marked[0].get_text() if len(marked) == 1 and is_number(text) else ""
    return said if said and text.endswith(said) and text != said else ""


def _alone(cell: Tag) -> bool:
    text = cell.get_text().strip()
    return not cell.find(class_="interval") and (is_number(text) or text in tuple(MISSING))


def _room(em: float, kind: str) -> Tag:
    """Room as wide as some digits."""
    made = BeautifulSoup("", "html.parser").new_tag("span")
    made["class"], made["style"] = kind, f"--digits: {em / width('0'):.3g}"
    return made


def _with_room(interval: Tag, ends: re.Match, before: tuple[float, float]) -> None:
    interval.clear()
    for part, room in ((1, 0.0), (2, before[0]), (3, 0.0), (4, before[1]), (5, 0.0)):
        if room > 0.01:
            interval.append(_room(room, "room"))
        interval.append(ends[part])
