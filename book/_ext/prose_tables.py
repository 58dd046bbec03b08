"""On a phone a table of sentences is read row by row: its cells stand below each other, the names
of their columns on the left and all that they say on the right.

Side by side they would be a few letters wide, or scroll out of sight. The names are written into
the cells, and shown there only (`book/assets/tables.css`).
"""

from table_grid import Grid
from table_widths import fits, lines, width

LONG = 40  # letters in one cell
ALL = 56  # letters of a row that are no numbers
LINES = 5.0  # of the longest row, at most, by how many columns there are of texts
LABELS = 8.0  # em for the names of columns, at most
NOTHING = ("", "–", "—")


def is_prose(grid: Grid, numbers: list[int]) -> bool:
    """Whether a table has three columns or more, one row of names for them, no cell that spans
    others, a sentence in a cell, or words enough in a row for one, and on a phone more lines in a
    row than read well, or no room.
    """
    cells = [cell for row in [*grid.heads, *grid.rows] for _, cell in row]
    spans = any(cell.get("colspan") or cell.get("rowspan") for cell in cells)
    if grid.width < 3 or len(grid.heads) != 1 or spans:
        return False
    texts = [
        [len(cell.get_text(" ", strip=True)) for at, cell in row if at not in numbers]
        for row in grid.rows
    ]
    if not any(max(row, default=0) > LONG or sum(row) > ALL for row in texts):
        return False
    return lines(grid, numbers) > LINES / (grid.width - len(numbers)) or not fits(grid, numbers)


def as_rows(grid: Grid) -> None:
    """Writes the name of its column into each cell but the first of a row, before what it holds,
    which becomes one element; a cell that only says that there is nothing is marked.
    """
    grid.table["class"] = [*grid.table["class"], "prose", "full"]
    names = grid.names()
    labels = min(LABELS, max(map(width, names[1:])))
    grid.table["style"] = f"--labels: {labels + 0.2:.1f}em"
    for row in grid.rows:
        for at, cell in row[1:]:
            if cell.get_text(strip=True) in NOTHING:
                cell["class"] = [*cell.get("class", []), "nothing"]
            value = grid.tag("div", "", "column-value")
            value.extend([child.extract() for child in list(cell.children)])
            cell.extend([grid.tag("span", names[at], "column-name"), value])
