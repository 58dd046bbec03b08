"""How wide a table will be, in the letters it is set in, so that it is decided when a page is built
what a narrow screen does with it: texts wrap as long as that helps, then intervals stand below
their values, then letters and gaps are smaller and long words of the heads are divided, and only
then the table scrolls, and in that case nothing in it wraps.
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from bs4 import BeautifulSoup, NavigableString, Tag
from fontTools.ttLib import TTFont
from table_grid import Grid
from table_numbers import IN_TEXT, is_number

FONTS = Path(__file__).parents[2] / "svdicl_lite/fonts"  # the sans, as figures have it


class Room(NamedTuple):
    """Where a table stands: pixels across, those of a letter, between two columns, and in which a
    text is not squeezed further; whether intervals are set smaller and long words of the heads
    divided.
    """

    across: float
    letter: float
    gap: float
    text: float
    tight: bool = False


DESK, PAPER = Room(724, 14, 17, 98), Room(670, 12.2, 15, 86)
PHONE, TIGHT = Room(328, 13, 12, 78), Room(356, 12, 6, 54, True)  # of 360 pixels, and of 390
SMALL = 0.92  # of the letters' size: intervals in a tight table
FULL = 0.8  # of the room: from here on a table takes all of it
PARTS = {  # where a long word of a head may be divided
    part.replace("-", ""): part.split("-")
    for part in """accu-racy arbi-trary assign-ment atten-tion cali-brated cali-bration canon-ical
    condi-tion demon-stra-tions differ-ence dis-crimi-nation dis-tance docu-ments exam-ples
    far-thest fea-tures for-wards imbal-ance indepen-dent infor-mation lan-guage logis-tic
    major-ity matri-ces neigh-bour neigh-bours normal-ised opti-mism perplex-ity photo-graph
    posi-tive regis-ter regres-sion re-leased round-ing searches sen-tence singu-lar soft-ware
    un-trained valida-tion""".split()
}
WORD = re.compile(r"[a-z]{8,}")
VALUE = re.compile(r"(?<!\w)[αβεκλξσB-HJ-Zb-z] [=≤≥<>] (?=[−+]?[\d.])")  # stays with its number


@cache
def _advances(face: str) -> dict[str, float]:
    """How wide each letter of the book's sans is, in em."""
    font = TTFont(FONTS / f"sans-{face}.ttf")
    size, widths = font["head"].unitsPerEm, font["hmtx"]
    return {chr(code): widths[name][0] / size for code, name in font.getBestCmap().items()}


def width(text: str, face: str = "regular") -> float:
    """How wide a text is, in em; a letter that the font has not is taken for a wide one."""
    known = _advances(face)
    return sum(known.get(letter, 0.8) for letter in text.replace("\xa0", " "))


def _words(text: str, face: str = "regular", divided: bool = False) -> float:
    """The width of what cannot be broken in a text."""
    text = VALUE.sub(lambda found: found[0].replace(" ", "\xa0"), text).replace("\xa0", "x")
    parts = re.split(r"\s+|(?<=[a-z]-)(?=[a-z])", text)
    if divided:
        parts = [piece for part in parts for piece in _divided(part)]
    return max((width(part, face) for part in parts), default=0.0)


def _whole(cell: Tag) -> str:
    """The text of a cell, with intervals as one word."""
    text = cell.get_text(" ", strip=True)
    for interval in cell.find_all(class_="interval"):
        text = text.replace(interval.get_text(), interval.get_text().replace(" ", "\xa0"))
    return text


def _divided(word: str) -> list[str]:
    """The parts of a word, each but the last with its hyphen."""
    found = WORD.search(word)
    if not found or found[0] not in PARTS:
        return [word]
    *parts, last = PARTS[found[0]]
    whole = [*(f"{part}-" for part in parts), last + word[found.end() :]]
    return [word[: found.start()] + whole[0], *whole[1:]]


def room_left(cell: Tag) -> float:
    """The room left in a cell to line up its interval with others (`table_intervals.py`), in em."""
    said = [node["style"] for node in cell.select("[style*=digits]")]
    return width("0") * sum(float(style.partition(":")[2]) for style in said)


def _value(cell: Tag, room: Room, below: bool) -> float:
    """The width of a number, with its interval beside it or below; words beside numbers wrap."""
    if not is_number(cell.get_text()):
        return _words(cell.get_text())
    interval = cell.find(class_="interval")
    if not below or not interval:
        return width(cell.get_text().strip()) + room_left(cell)
    inside = interval.get_text()
    rest = cell.get_text().replace(inside, "").strip()
    return max((SMALL if room.tight else 1) * (width(inside) + room_left(cell)), width(rest))


def _least(grid: Grid, at: int, number: bool, room: Room, below: bool) -> float:
    """How narrow a column can be, in pixels."""
    head = _words(grid.names()[at], "bold", room.tight)
    if number:
        values = [_value(cell, room, below) for cell in grid.column(at)]
        return room.letter * max([head, *values])
    texts = [_whole(cell) for cell in grid.column(at)]
    words = max(map(_words, texts), default=0.0)
    whole = max(map(width, texts), default=0.0)
    return max(room.letter * max(head, words), min(room.letter * whole, room.text))


def least(grid: Grid, numbers: list[int], room: Room, below: bool = False) -> float:
    """How narrow a table can be without a break inside a number, in pixels."""
    widths = [_least(grid, at, at in numbers, room, below) for at in range(grid.width)]
    return sum(widths) + room.gap * (grid.width - 1)


def natural(grid: Grid, room: Room) -> float:
    """How wide a table is where nothing in it wraps, in pixels."""
    names = grid.names()
    widths = [
        max(
            [
                width(names[at], "bold"),
                *(width(cell.get_text()) + room_left(cell) for cell in grid.column(at)),
            ]
        )
        for at in range(grid.width)
    ]
    return room.letter * sum(widths) + room.gap * (grid.width - 1)


def fits(grid: Grid, numbers: list[int]) -> bool:
    """Whether a phone can show a table without a scroll."""
    return least(grid, numbers, TIGHT, True) <= TIGHT.across


def lines(grid: Grid, numbers: list[int]) -> float:
    """About how many lines its longest row has on a phone, if its columns were filled evenly."""
    texts = [
        sum(width(IN_TEXT.sub("", cell.get_text())) for at, cell in row if at not in numbers)
        for row in grid.rows
    ]
    taken = sum(_least(grid, at, True, TIGHT, True) for at in numbers)
    room = TIGHT.across - taken - TIGHT.gap * grid.width
    return TIGHT.letter * max(texts, default=0.0) / max(room, 1)


def fit(grid: Grid, numbers: list[int]) -> None:
    """Says in classes what a table does where it is too wide: `below`, intervals stand below their
    values; `below-on-phones`, only there; `tight`, on a phone its letters and gaps are smaller;
    `wide`, on a phone it scrolls all the same; `wider-than-paper`, in print it is set smaller.
    `full` and `full-on-phones`: it is nearly as wide as the text, and is made as wide.
    """
    kinds = []
    if least(grid, numbers, DESK) > DESK.across:
        kinds.append("below")
    if least(grid, numbers, PHONE) > PHONE.across:
        kinds += [] if kinds else ["below-on-phones"]
        if least(grid, numbers, PHONE, True) > PHONE.across:
            kinds.append("tight")
            if fits(grid, numbers):
                divide(grid)
            else:
                kinds.append("wide")
    if least(grid, numbers, PAPER, "below" in kinds) > PAPER.across:
        kinds.append("wider-than-paper")
    for room, kind in ((DESK, "full"), (PHONE, "full-on-phones")):
        if natural(grid, room) > FULL * room.across:
            kinds.append(kind)
    for cell in [cell for at in range(grid.width) if at not in numbers for cell in grid.column(at)]:
        if width(cell.get_text(" ", strip=True)) * TIGHT.letter <= TIGHT.text:
            cell["class"] = [*cell.get("class", []), "short"]
    if "below-on-phones" in kinds and not grid.table.find(class_="interval"):
        kinds.remove("below-on-phones")
    grid.table["class"] = [*grid.table["class"], *kinds]


def divide(grid: Grid) -> None:
    """Marks where the long words of the heads may be divided; `tables.css` does it on phones."""
    for text in [
        text for row in grid.heads for _, cell in row for text in cell.find_all(string=True)
    ]:
        pieces = re.split(r"([a-z]{8,})", str(text))
        if not any(piece in PARTS and len(PARTS[piece]) > 1 for piece in pieces):
            continue
        made: list[NavigableString | Tag] = []
        for piece in pieces:
            first, *others = PARTS.get(piece, [piece])
            made.append(NavigableString(first))
            for other in others:
                made.append(BeautifulSoup('<span class="divided"></span>', "html.parser").span)
                made.append(NavigableString(other))
        text.replace_with(*made)
