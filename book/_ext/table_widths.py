"""How wide a table will be, so that it is decided when a page is built what a narrow screen does
with it: texts wrap as long as that helps, then intervals stand below their values, and only then
the table scrolls, and in that case nothing in it wraps.
"""

from bs4 import Tag
from table_grid import Grid

DESK, PAPER, PHONE = 57.0, 55.0, 27.5  # em of a table's letters, in a column of text
GAP = 1.2  # em between two columns
LEAST = 7.0  # em below which a text is not squeezed
# Of DejaVu Sans, the widest of the fonts that systems have: what fits in it fits in the others.
WIDTHS = {
    **dict.fromkeys(" .,;:'’|!()[]/ijlftrI·", 0.36),
    **dict.fromkeys("mwMW%", 0.93),
    **dict.fromkeys("+−×→±≤≥<>=≈", 0.84),
    **dict.fromkeys("0123456789", 0.64),
}


def width(text: str) -> float:
    """About how wide a text is, in em."""
    return sum(WIDTHS.get(c, 0.7 if c.isupper() else 0.6) for c in text)


def _words(text: str) -> float:
    return max(map(width, text.split()), default=0.0)


def _value(cell: Tag, below: bool) -> float:
    """The width of a number, with its interval beside it or below."""
    interval = cell.find(class_="interval")
    if not below or not interval:
        return width(cell.get_text().strip())
    inside = interval.get_text()
    rest = cell.get_text().replace(inside, "").strip()
    return max(width(inside), width(rest))


def _least(grid: Grid, at: int, number: bool, below: bool) -> float:
    """How narrow a column can be."""
    head = 1.1 * _words(grid.names()[at])  # it is bold
    if number:
        return max([head, *(_value(cell, below) for cell in grid.column(at))])
    texts = [cell.get_text(" ", strip=True) for cell in grid.column(at)]
    words = max(map(_words, texts), default=0.0)
    whole = max(map(width, texts), default=0.0)
    return max(head, words, min(whole, LEAST))


def least(grid: Grid, numbers: list[int], below: bool = False) -> float:
    """How narrow a table can be without a break inside a number, in em."""
    return sum(_least(grid, at, at in numbers, below) + GAP for at in range(grid.width))


def fit(grid: Grid, numbers: list[int]) -> None:
    """Says in classes what a table does where it is too wide: `below`, intervals stand below their
    values; `below-on-phones`; `wide`, on a phone it scrolls, and nothing wraps.
    """
    beside, below = least(grid, numbers), least(grid, numbers, below=True)
    kinds = []
    if beside == below:
        pass  # no intervals
    elif beside > DESK:
        kinds.append("below")
    elif beside > PHONE:
        kinds.append("below-on-phones")
    if below > PHONE:
        kinds.append("wide")
    if below > PAPER:
        kinds.append("wider-than-paper")
    grid.table["class"] = [*grid.table["class"], *kinds]
