"""A table as wide as there is room for: turned round, without the ends of intervals, or in several
parts, but never with a digit cut off. Taught in chapter 15.
"""

import re
from collections.abc import Callable

Rows = list[dict[str, str]]  # one column a key

BETWEEN = 3  # a column's edge and the blanks on both its sides
ENDS = re.compile(r" \[[^\]]*\]$")  # of an interval


def fitted(rows: Rows, width: int, n_keys: int = 1) -> list[Rows]:
    """The table in parts that fit into `width` characters, the first `n_keys` columns naming the
    rows of each: as it is; turned round; without the ends of intervals; or cut into several, in
    whichever of the two directions takes fewer lines.
    """
    shapes: tuple[Callable[[Rows], Rows], ...] = (
        lambda rows: rows,
        lambda rows: turned(rows, n_keys),
    )
    for table in (rows, [_without_ends(row) for row in rows]):
        for shape in shapes:
            if width_of(shape(table)) <= width:
                return [shape(table)]
    upright = cut([_without_ends(row) for row in rows], width, n_keys)
    sideways = cut(turned([_without_ends(row) for row in rows], n_keys), width, 1)
    return min(upright, sideways, key=lambda parts: sum(len(part) + 4 for part in parts))


def width_of(rows: Rows) -> int:
    """Characters that a table takes."""
    return 1 + sum(column_width(rows, name) + BETWEEN for name in rows[0])


def column_width(rows: Rows, name: str) -> int:
    """Characters of the widest cell of a column, or of its head."""
    return max(len(name), *(len(row[name]) for row in rows))


def turned(rows: Rows, n_keys: int) -> Rows:
    """Columns as rows; a head is what names the row, as in `mlp 3`."""
    names = list(rows[0])
    heads = [" ".join(row[name] for name in names[:n_keys]) for row in rows]
    if len(set(heads)) < len(heads):
        return rows  # they name no row
    first = " ".join(names[:n_keys])
    return [
        {first: name, **{head: row[name] for head, row in zip(heads, rows)}}
        for name in names[n_keys:]
    ]


def cut(rows: Rows, width: int, n_keys: int) -> list[Rows]:
    """The columns in as few parts as fit, about as many in each; a part has one at least."""
    names = list(rows[0])
    keys, others = names[:n_keys], names[n_keys:]
    room = width - width_of([{name: row[name] for name in keys} for row in rows])
    widest = max(column_width(rows, name) for name in others) + BETWEEN
    n_parts = -(-len(others) // max(1, room // widest))
    n_columns = -(-len(others) // n_parts)
    parts = [others[i : i + n_columns] for i in range(0, len(others), n_columns)]
    return [[{name: row[name] for name in (*keys, *part)} for row in rows] for part in parts]


def _without_ends(row: dict[str, str]) -> dict[str, str]:
    return {name: ENDS.sub("", cell) for name, cell in row.items()}
