"""One style for all tables of the book: those that a text writes, those of pandas, styled or not,
and those below widgets.

When a page is written, each table is brought into one form: a class for the columns of numbers and
the heads above them, one row of heads without a row of its own for the names of the index, no index
that only counts, a rule under each group of columns. `book/assets/tables.css` does the rest. So a
chapter shows a DataFrame as it is.
"""

import re

from bs4 import BeautifulSoup, Tag
from prose_tables import as_rows, is_prose
from table_grid import Grid, blank
from table_intervals import line_up
from table_numbers import is_list, is_number, mark_intervals
from table_widths import fit

TABLE = re.compile(r"<(script|table)\b.*?</\1>", re.DOTALL)
OTHERS = ("indextable", "highlighttable")  # lists that are set as tables
SHORT = 16  # letters of a word among numbers, "no clip"


def one_style(html: str) -> str:
    """The HTML of a page with its tables in the one form; all else as it was."""
    return TABLE.sub(lambda found: found[0] if found[1] == "script" else _table(found[0]), html)


def _table(html: str) -> str:
    soup = BeautifulSoup(html, "html.parser")
    table = soup.table
    if any(name in table.get("class", []) for name in OTHERS):
        return html
    bare(table)
    grid = Grid(table)
    join_heads(grid)
    drop_index(grid)
    numbers = align(grid)
    mark_groups(grid)
    for at in range(grid.width):
        if at in numbers or "api-names" not in table["class"]:  # there [0, 1] is none
            mark_intervals(grid.column(at))
    for at in numbers:
        line_up(grid.column(at))
    if is_prose(grid, numbers):
        as_rows(grid)
    else:
        fit(grid, numbers)
    return str(soup)


def bare(table: Tag) -> None:
    """Without what pandas writes for a style of its own: ids, borders, classes and directions."""
    own = [name for name in table.get("class", []) if name != "dataframe"]
    table.attrs = {"class": list(dict.fromkeys([*own, "table"]))} | (
        {"id": table["id"]} if table.get("id") and not table["id"].startswith("T_") else {}
    )
    for node in table.select("thead, tbody, tr, th, td"):
        spans = {name: node[name] for name in ("colspan", "rowspan") if node.get(name, "1") != "1"}
        node.attrs = spans
        if [child.name for child in node.children if str(child).strip()] == ["p"]:
            node.p.unwrap()
    for head in table.select("thead"):
        if all(blank(cell) for cell in head.select("th, td")):
            head.decompose()


def join_heads(grid: Grid) -> None:
    """The names of the index into the last row of heads, and the name of what stands across the
    columns above them.
    """
    heads, levels = grid.heads, grid.levels
    if not heads or not levels:
        return
    names = [""] * levels
    if len(heads) > 1 and all(blank(cell) for at, cell in heads[-1] if at >= levels):
        names = [cell.decode_contents().strip() for at, cell in heads[-1] if at < levels]
        grid.drop_head(-1)
    across = [_corner(row, levels) for row in grid.heads]
    for at, cell in grid.heads[-1]:
        if at < levels:
            cell.clear()
            cell.append(BeautifulSoup(names[at], "html.parser"))
    for row in grid.heads[:-1]:
        for at, cell in row:
            if at < levels:
                cell.clear()
    for above, name in zip(grid.heads, across[1:]):
        for at, cell in above:
            if name and at >= levels:
                cell.append(grid.tag("span", f" · {name}", "axis"))
    if across[0]:
        grid.add_head(across[0])


def _corner(row: list[tuple[int, Tag]], levels: int) -> str:
    """What stands in a row of heads above the index, as text."""
    return " ".join(cell.get_text(" ", strip=True) for at, cell in row if at < levels).strip()


def drop_index(grid: Grid) -> None:
    """Drops an index without a name that is empty, or counts the rows from 0."""
    if grid.levels != 1 or not grid.rows:
        return
    values = [cell.get_text(strip=True) for cell in grid.column(0)]
    named = grid.heads and any(not blank(cell) for row in grid.heads for at, cell in row if not at)
    counts = values == [str(i) for i in range(len(values))]
    if not named and (counts or not any(values)):
        grid.drop_first_column()


def align(grid: Grid) -> list[int]:
    """Gives the class `number` to columns of numbers and their heads; returns these columns."""
    numbers = [at for at in range(grid.width) if _holds_numbers(grid, at)]
    for row in [*grid.heads, *grid.rows]:
        for at, cell in row:
            if int(cell.get("colspan", 1)) == 1 and at in numbers:
                text = cell.get_text(" ", strip=True)
                words = cell.name == "td" and not is_number(text) and re.search(r"[^\W\d]", text)
                cell["class"] = ["number", "words"] if words else ["number"]
    for row in grid.heads:
        for _, cell in row:
            if cell.name == "th":
                cell["scope"] = "colgroup" if cell.get("colspan") else "col"
    for row in grid.rows:
        for _, cell in row:
            if cell.name == "th":
                cell["scope"] = "rowgroup" if cell.get("rowspan") else "row"
    return numbers


def _holds_numbers(grid: Grid, at: int) -> bool:
    """Whether a column holds numbers: in all its cells, or, further right in a table of three
    columns or more, in half of them, beside short words and signs for what is missing.
    """
    texts = [cell.get_text(" ", strip=True) for cell in grid.column(at)]
    texts = [text for text in texts if text and text not in "–—-·*"]
    words = [text for text in texts if not is_number(text)]
    if not texts or not words or any(map(is_list, words)):
        return bool(texts) and not words
    first = at < max(1, grid.levels) or grid.width < 3
    return not first and len(words) <= len(texts) / 2 and max(map(len, words)) <= SHORT


def mark_groups(grid: Grid) -> None:
    """A rule under each head of several columns, and a stronger one above each group of rows."""
    for row in grid.heads:
        for _, cell in row:
            if int(cell.get("colspan", 1)) > 1 and not blank(cell):
                cell["class"] = "group"
                inner = grid.tag("span", "", None)
                for child in list(cell.children):
                    inner.append(child.extract())
                cell.append(inner)
    if grid.levels > 1:
        grid.table["class"] = [*grid.table["class"], "levels"]
        for row in grid.rows:
            if row[0][0] == 0:
                row[0][1].parent["class"] = "begins"


def _tables(app, pagename, templatename, context, doctree):
    """Behind `figures.py`, before what looks at the formulas in a table."""
    if "body" in context and app.builder.format == "html":
        context["body"] = one_style(context["body"])


def setup(app):
    app.connect("html-page-context", _tables, priority=450)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
