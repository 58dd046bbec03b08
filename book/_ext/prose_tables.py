"""On a phone a table of sentences is read row by row: its cells stand below each other, each under
the name of its column.

Side by side they would be a few letters wide, or scroll out of sight. The names are written into
the cells, and shown there only (`book/assets/tables.css`).
"""

from table_grid import Grid

LONG = 40  # letters in one cell
SHORT = 24  # letters that fit beside the name of their column
ALL = 56  # letters of a row that are no numbers


def is_prose(grid: Grid, numbers: list[int]) -> bool:
    """Whether a table has three columns or more, one row of names for them, no cell that spans
    others, and a sentence in a cell, or words enough in a row for one.
    """
    cells = [cell for row in [*grid.heads, *grid.rows] for _, cell in row]
    spans = any(cell.get("colspan") or cell.get("rowspan") for cell in cells)
    if grid.width < 3 or len(grid.heads) != 1 or spans:
        return False
    texts = [
        [len(cell.get_text(" ", strip=True)) for at, cell in row if at not in numbers]
        for row in grid.rows
    ]
    return any(max(row, default=0) > LONG or sum(row) > ALL for row in texts)


def as_rows(grid: Grid) -> None:
    """Writes the name of its column into each cell but the first of a row."""
    grid.table["class"] = [*grid.table["class"], "prose"]
    names = grid.names()
    for row in grid.rows:
        for at, cell in row[1:]:
            label = grid.tag("span", names[at], "column-name")
            value = cell.get_text(strip=True)
            if value and len(names[at]) + len(value) < SHORT + LONG / 2 and len(value) < SHORT:
                cell["class"] = [*cell.get("class", "").split(), "short"]
            cell.insert(0, label)
