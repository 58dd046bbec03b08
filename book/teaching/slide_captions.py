"""Captions on slides: the numbers that figures and tables have in the book, and how both are shown.

A page of the book counts its figures and its tables, and so does this, in the executed notebook:
those of cells (`table:` and `mystnb: figure:` of their metadata) and those that the text writes, a
`{table}` or a `{drawing}`.
"""

import base64
import html
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from nbconvert.filters import markdown2html
from nbformat import NotebookNode

from svdicl_lite.figures import PHONE

DRAWINGS = Path(__file__).parents[1] / "drawings"
WRITTEN = re.compile(r"^```\{(table|drawing)\} ([^\n]*)\n(.*?)^```$", re.M | re.S)
NAME = re.compile(r"^:name: (\S+)\n", re.M)


def numbers(notebook: NotebookNode, chapter: int) -> dict[str, str]:
    """Name → number of the figures and tables of a chapter: {"fig-ch05-real": "Figure 5.1"}."""
    found, counts = {}, Counter()
    for cell in notebook.cells:
        for kind, name in of_text(cell.source) if cell.cell_type == "markdown" else of_cell(cell):
            counts[kind] += 1
            found[name] = f"{kind} {chapter}.{counts[kind]}"
    return found


def of_text(source: str) -> list[tuple[str, str]]:
    """Kind and name of what a text writes, in its order."""
    return [
        ("Figure", f"fig-{said.replace('_', '-')}")
        if kind == "drawing"
        else ("Table", NAME.search(body)[1])
        for kind, said, body in WRITTEN.findall(source)
    ]


def of_cell(cell: NotebookNode) -> list[tuple[str, str]]:
    """Kind and name of the captions that the metadata of a cell hold."""
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    found = [("Figure", figure["name"])] if figure.get("name") else []
    return found + [("Table", one["name"]) for one in tables(cell)]


def tables(cell: NotebookNode) -> list[dict]:
    """What a cell says of the tables that it shows."""
    said = cell.metadata.get("table", [])
    return [*said] if isinstance(said, list) else [said]


def marked(source: str, named: dict[str, str]) -> str:
    """A text whose tables and drawings have their number before their caption."""

    def mark(found: re.Match) -> str:
        ((_, name),) = of_text(found[0])
        kind, said, body = found.groups()
        number = f"**{named.get(name, '')}** "
        if kind == "table":
            return f"```{{table}} {number}{said}\n{NAME.sub('', body)}```"
        return f"```{{drawing}} {said}\n{number}{body}```"

    return WRITTEN.sub(mark, source)


def shown(found: re.Match) -> str:
    """A table or a drawing of the text, as Markdown that needs no directive."""
    kind, said, body = found.groups()
    if kind == "table":
        return f'<div class="caption">\n\n{said}\n\n</div>\n\n{body.strip()}'
    svg = (DRAWINGS / f"{said}.svg").read_text(encoding="utf-8")
    svg = re.sub(r"\n\s*\n", "\n", svg.strip())  # an empty line would end it
    svg = svg.replace("<svg ", '<svg preserveAspectRatio="xMinYMin" ', 1)
    return (
        f'<div class="drawing">\n{svg}\n</div>\n\n<div class="caption">\n\n{body.strip()}\n\n</div>'
    )


def caption(text: str) -> str:
    """The HTML of a caption that is Markdown."""
    return f'<div class="caption">{markdown2html(text)}</div>'


def picture(data: dict, alt: str) -> str:
    """A figure as an image of its own, so that no two of a deck share a name inside; without what
    is meant for a phone. Empty if there is none.
    """
    if svg := data.get("image/svg+xml"):
        kind, held = "svg+xml", base64.b64encode(PHONE.sub("", svg).encode()).decode()
    elif "image/png" in data:
        kind, held = "png", data["image/png"].replace("\n", "")
    else:
        return ""
    return f'<img class="figure" alt="{html.escape(alt)}" src="data:image/{kind};base64,{held}">'


def captioned(outputs: list, cell: NotebookNode, say: Callable[[dict], str]) -> None:
    """Gives the figures and tables that a cell shows their captions; `say` has the text of one."""
    mystnb, of_tables = cell.metadata.get("mystnb", {}), tables(cell)
    alt, figure = mystnb.get("image", {}).get("alt", ""), mystnb.get("figure", {})
    for output in outputs:
        data = output.get("data", {})
        if made := picture(data, alt):
            below = caption(say(figure)) if figure.get("caption") else ""
            output.data = NotebookNode({"text/html": made + below})
        elif "<table" in data.get("text/html", "") and of_tables:
            above = caption(say(of_tables.pop(0)))
            output.data = NotebookNode({"text/html": above + data["text/html"]})
