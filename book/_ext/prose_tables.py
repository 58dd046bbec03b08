"""On a phone a table of sentences is read row by row: its cells stand below each other, each under
the name of its column.

Side by side they would be a few letters wide, or scroll out of sight. The names are written into
the cells, and shown there only (`book/assets/book.css`, *Tables*).
"""

from html import escape

from docutils import nodes

LONG = 80  # letters in one row


def columns(table: nodes.table) -> list[str]:
    """The names of a table's columns, if it has one row of them and no cell that spans others."""
    heads = [row for head in table.findall(nodes.thead) for row in head]
    spans = any(cell.get("morecols") or cell.get("morerows") for cell in table.findall(nodes.entry))
    return [cell.astext() for cell in heads[0]] if len(heads) == 1 and not spans else []


def is_prose(table: nodes.table) -> bool:
    """Whether a table has three columns or more and a row of sentences."""
    rows = [row for body in table.findall(nodes.tbody) for row in body]
    return len(columns(table)) > 2 and max((len(row.astext()) for row in rows), default=0) > LONG


def name_cells(app, doctree, docname):
    if app.builder.format != "html":
        return
    for table in filter(is_prose, list(doctree.findall(nodes.table))):
        table["classes"].append("prose")
        names = columns(table)
        for row in (row for body in table.findall(nodes.tbody) for row in body):
            for name, cell in list(zip(names, row))[1:]:
                label = f'<span class="column-name">{escape(name)}</span>'
                place = cell[0] if len(cell) and isinstance(cell[0], nodes.paragraph) else cell
                place.insert(0, nodes.raw("", label, format="html"))


def setup(app):
    app.connect("doctree-resolved", name_cells)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
