"""Tables with a caption and a number above them: Table 5.1, as figures are Figure 5.1.

A cell that shows a table says so in its metadata, beside `mystnb:`

    table:
      caption: One sentence of what the table holds and what to see in it. It is *Markdown*.
      name: tbl-ch05-matrices

or, for several tables, in a list of such pairs, one for each in the order in which they are shown.
A table that a text writes has MyST's `{table}` directive, with the caption behind it and `:name:`.
Both become the same figure, which `{numref}` and `{ref}` reach by its name from every page.
"""

import re
from pathlib import Path

from docutils import nodes
from docutils.utils import new_document
from myst_nb.core.render import WIDGET_VIEW_MIMETYPE
from myst_parser.parsers.sphinx_ import MystParser
from sphinx.transforms import SphinxTransform
from sphinx.util.logging import getLogger

GLUED = re.compile(r"(\{glue:text\}`)([^`:]*)(:[^`:]*)?`")
KEYS = ("caption", "name")
SHAPE = "`table:` of a cell holds `caption:` and `name:`, or a list of such pairs"


class Tabled(nodes.figure):
    """A table, with its caption above it."""


class Above(nodes.caption):
    """The caption of a table."""


class Captions(SphinxTransform):
    """Puts each table that has a caption into a figure, before Sphinx numbers these."""

    default_priority = 200

    def apply(self, **kwargs):
        for table in list(self.document.findall(nodes.table)):
            if isinstance(table[0], nodes.title):
                self.written(table)
        for cell in list(self.document.findall(is_cell)):
            if "table" in cell["cell_metadata"]:
                self.shown(cell)

    def written(self, table: nodes.table) -> None:
        """A table of the text: its name goes to the figure, with all that leads there."""
        title, figure = table[0], Tabled()
        for kind in ("ids", "names"):
            figure[kind], table[kind] = table[kind], []
        self.document.ids |= dict.fromkeys(figure["ids"], figure)
        table.replace_self(figure)
        table.remove(title)
        figure += [Above("", "", *title.children), table]
        figure.source, figure.line = table.source, table.line

    def shown(self, cell: nodes.container) -> None:
        """The tables that a cell shows, each with what the cell's metadata say of it."""
        said = cell["cell_metadata"]["table"]
        said = said if isinstance(said, list) else [said]
        if fault := _fault(said):
            return warn(fault, cell)
        tables = [bundle for bundle in cell.findall(_is_bundle) if _shows_table(bundle)]
        if len(tables) < len(said):
            names = ", ".join(one["name"] for one in said)
            return warn(
                f"the metadata of a cell have {len(said)} tables ({names}), but it shows"
                f" {len(tables)}: leave out `table:`, or let the cell show them",
                cell,
            )
        for bundle, one in zip(tables, said):
            figure = Tabled(names=[nodes.fully_normalize_name(one["name"])])
            figure.source, figure.line = cell.source, cell.line
            self.document.note_explicit_target(figure, figure)
            bundle.replace_self(figure)
            figure += [Above("", "", *self.parsed(one["caption"], cell)), bundle]

    def parsed(self, text: str, cell: nodes.container) -> list[nodes.Node]:
        """A caption's Markdown, which is one paragraph.

        What this page glued is by now where what others glued is, and is asked for as that is.
        """
        page = Path(self.document["source"]).name
        text = GLUED.sub(lambda found: f"{found[1]}{page}::{found[2]}{found[3] or ':s'}`", text)
        document = new_document(self.document["source"], self.document.settings)
        MystParser().parse(text, document)
        if [type(node) for node in document.children] != [nodes.paragraph]:
            warn(f"the caption of a table is one paragraph of text, not {text!r}", cell)
            return [nodes.Text(text)]
        return document[0].children


def warn(text: str, place: nodes.Element) -> None:
    """A warning of the build, with the page and the line."""
    getLogger(__name__).warning(text, location=place)


def _fault(said: list) -> str:
    """What is wrong with the metadata of a cell; nothing if they are as they should be."""
    for one in said:
        if not isinstance(one, dict):
            return f"{SHAPE}, not {one!r}"
        if wrong := [key for key in one if key not in KEYS]:
            return f"{SHAPE}, not `{wrong[0]}:`"
        for key in KEYS:
            if not isinstance(one.get(key), str) or not one[key].strip():
                return f"{SHAPE}, and `{key}:` is a text, not {one.get(key)!r}"
    return ""


def is_cell(node: nodes.Node) -> bool:
    """Whether it is a code cell, with what it shows."""
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def _is_bundle(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and node.get("nb_element") == "mime_bundle"


def _shows_table(bundle: nodes.container) -> bool:
    """Whether an output is a table, and not the one that stands in for a widget."""
    formats = {node["mime_type"]: node for node in bundle}
    html = formats.get("text/html")
    return WIDGET_VIEW_MIMETYPE not in formats and html is not None and "<table" in html.astext()


def _begin(writer, node):
    writer.body.append(writer.starttag(node, "figure", CLASS="tabled"))


def _end(writer, node):
    writer.body.append("</figure>\n")


def _begin_caption(writer, node):
    writer.body.append("<figcaption><p>")
    writer.add_fignumber(node.parent)
    writer.body.append('<span class="caption-text">')


def _end_caption(writer, node):
    writer.body.append("</span>")
    writer.add_permalink_ref(node.parent, "Link to this table")
    writer.body.append("</p></figcaption>\n")


def setup(app):
    app.add_enumerable_node(Tabled, "table", html=(_begin, _end))
    app.add_node(Above, html=(_begin_caption, _end_caption))
    app.add_transform(Captions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
