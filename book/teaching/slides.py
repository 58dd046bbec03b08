"""Slides from executed chapters: `python slides.py NN.ipynb OUT/NN.html`. nbconvert and reveal.js
draw them; this file says what goes on which.

A section opens a slide to the right; under it come, one each, its boxes, its short cells with their
output, and its figures. What a lecturer says rather than shows, the prose, goes into the speaker's
notes (key S). Exercises stay in the book.
"""

import ast
import base64
import html
import re
import shutil
import sys
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook
from pybtex.database import parse_file
from traitlets.config import Config

from svdicl_lite.figures import PHONE

HERE = Path(__file__).parent
REFERENCES = HERE.parent / "references.bib"
LONGEST = 16  # lines of code that can be read from the last row
BLOCK = re.compile(r"^:::+\{([\w-]+)\} ?([^\n]*)\n(.*?)^:::+$", re.M | re.S)
TITLES = {"guess": "Predict, then run", "curve": "Predict, then run", "answer": "The answer"}
OPTIONS = re.compile(
    r"^\([\w-]+\)=\n|^:(class|name|hides|unit|at|x|y|between):.*\n|^\+\+\+.*\n", re.M
)


def glued(notebook) -> dict:
    """What the chapter computed for its prose, by name."""
    found = {}
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        name = output.get("metadata", {}).get("scrapbook", {}).get("name")
        text = output.get("data", {}).get("application/papermill.record/text/plain")
        if name and text:
            found[name] = (
                ast.literal_eval(text)
                if re.fullmatch(r"(['\"]).*\1|[-\d.e]+", text, re.S)
                else text
            )
    return found


def titles(folder: Path) -> dict:
    """What a reference to a chapter reads as: the titles of all executed chapters, by label."""
    firsts = (
        nbformat.read(path, 4).cells[0].source
        for path in sorted(folder.glob("[0-9]*.ipynb"))
        if path.suffixes == [".ipynb"]
    )
    return dict(
        match.groups() for first in firsts if (match := re.match(r"\((.+?)\)=\s+# (.+)", first))
    )


def cited(kind: str, keys: str) -> str:
    """A citation by name and year; `{cite:t}` is part of the sentence, and `{cite:yearpar}` stands
    behind the names.
    """
    sources = parse_file(REFERENCES).entries
    names, years = [], []
    for source in (sources[key.strip()] for key in keys.split(",")):
        people = [
            " ".join(map(str, who.rich_prelast_names + who.rich_last_names))
            for who in source.persons["author"]
        ]
        names.append(" and ".join(people) if len(people) <= 2 else f"{people[0]} et al.")
        years.append(source.fields["year"])
    if kind == "cite:yearpar":
        return f"({'; '.join(years)})"
    if kind in ("cite:t", "cite:ct"):
        told = ", ".join(f"{name} ({year})" for name, year in zip(names, years))
        return told[0].upper() + told[1:] if kind == "cite:ct" else told
    return f"({'; '.join(f'{name} {year}' for name, year in zip(names, years))})"


def plain(text: str, values: dict, chapters: dict) -> str:
    """MyST's roles as plain Markdown: glued numbers, citations by name and year, references by
    title.
    """

    def role(match):
        kind, content = match.groups()
        shown, _, target = content.rstrip(">").partition(" <")
        if kind.startswith("glue"):
            name, _, form = content.partition(":")
            return format(values[name], form) if form else str(values[name])
        if kind.startswith("cite"):
            return cited(kind, content)
        if kind in ("ref", "doc"):
            return shown if target else f"*{chapters.get(content, content)}*"
        return "the figure" if kind == "numref" else shown

    text = re.sub(r"\{([\w:-]+)\}`([^`]+)`", role, text)
    return OPTIONS.sub("", text)


def kind(cell) -> str:
    return cell.metadata["slideshow"]["slide_type"]


def slide(kind: str, cell):
    """The cell, opening a slide to the right, one below it, going on with the last, or standing in
    the notes.
    """
    cell.metadata["slideshow"] = {"slide_type": kind}
    return cell


def box(found: re.Match) -> str:
    """A directive as title and body, between marks; what there is to choose comes last."""
    kind, title, body = found.groups()
    body = re.sub(r"\A:choices: ([^\n]+)\n(.*)", r"\2\n(\1)\n", body, flags=re.S)
    return f"\0{TITLES.get(kind, title)}\1{body}\0"


def of_markdown(source: str) -> list:
    """Headings, boxes and formulas as slides, all other prose as notes."""
    cells, rest = [], BLOCK.sub(box, source)
    for i, part in enumerate(rest.split("\0")):
        if i % 2:
            title, body = part.split("\1")
            body = body.partition("**Before you start:**")[0]
            cells.append(
                slide(
                    "subslide",
                    new_markdown_cell(
                        f"### {title}\n\n"
                        + "\n".join(f"> {line}" for line in body.strip().splitlines())
                    ),
                )
            )
            continue
        for heading in re.finditer(r"^(#{1,3}) .+$", part, re.M):
            cells.append(
                slide("slide" if len(heading[1]) < 3 else "subslide", new_markdown_cell(heading[0]))
            )
        shown = re.findall(
            r"^\$\$.+?\$\$|^(?:[-*]|\d\.) .+?(?=\n\n|\Z)", part, re.M | re.S
        )  # formulas and lists
        cells += [slide("-", new_markdown_cell(block)) for block in shown]
        if prose := re.sub(r"^#{1,3} .+$", "", part, flags=re.M).strip():
            cells.append(slide("notes", new_markdown_cell(prose)))
    return cells


def picture(svg: str, alt: str) -> str:
    """A figure as an image of its own, so that no two of a deck share a name inside; without what
    is meant for a phone.
    """
    data = base64.b64encode(PHONE.sub("", svg).encode()).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/svg+xml;base64,{data}">'


def of_code(cell) -> list:
    """A short cell with its output, or the output alone, with its caption if it is a figure."""
    tags, figure = set(cell.metadata.get("tags", [])), cell.metadata.get("mystnb", {})
    if tags & {"remove-cell", "hide-cell", "parameters"}:
        return []
    outputs, widget = [], False
    for output in cell.outputs:
        data = output.get("data", {})
        widget |= data.pop("application/vnd.jupyter.widget-view+json", None) is not None
        if (
            output.output_type == "stream"
            and output.name == "stdout"
            or any(mime in data for mime in ("image/png", "image/svg+xml", "text/html"))
        ) or (
            data.get("text/plain") and not widget and "scrapbook" not in output.get("metadata", {})
        ):
            outputs.append(output)
    tall = any("text/html" in output.get("data", {}) for output in outputs)  # a table
    long = cell.source.count("\n") >= (LONGEST // 2 if tall else LONGEST)
    hidden = bool(figure) or bool(tags & {"hide-input", "remove-input"}) or long
    if hidden and not outputs and not widget:
        return []
    cell.outputs, cell.metadata = outputs, {"tags": ["no-input"] * hidden}
    slide("subslide", cell)
    alt = figure.get("image", {}).get("alt", "")
    for output in outputs:
        if "image/png" in output.get("data", {}):
            output.metadata["image/png"] = {"alt": alt}
        if svg := output.get("data", {}).get("image/svg+xml"):
            output.data = NotebookNode({"text/html": picture(svg, alt)})
    caption = figure.get("figure", {}).get("caption")
    note = (
        "*A widget: move it on the chapter's own page.*"
        if widget
        else f'<div class="caption">{caption}</div>'
        if caption
        else ""
    )
    return [cell] + [slide("-", new_markdown_cell(note))] * bool(note)


def slides(notebook, values: dict, chapters: dict):
    """The chapter as a notebook whose cells know their slide."""
    cells, section = [], ""
    for cell in notebook.cells:
        heading = (
            re.search(r"^## (.+)$", cell.source, re.M) if cell.cell_type == "markdown" else None
        )
        section = heading[1] if heading else section
        if section == "Exercises":
            continue
        cell.source = cell.source.partition("\n## Further reading")[0].partition(
            "\n**Further reading.**"
        )[0]
        cells += (
            of_markdown(plain(cell.source, values, chapters))
            if cell.cell_type == "markdown"
            else of_code(cell)
        )
    shown = [cell for cell in cells if kind(cell) != "notes"]
    for before, cell in zip(
        shown, shown[1:]
    ):  # a heading shares its slide with what comes first under it
        if (
            kind(before) == "slide"
            and kind(cell) == "subslide"
            and not cell.source.startswith("### ")
        ):
            slide("-", cell)
    return new_notebook(cells=cells, metadata={"kernelspec": notebook.metadata.kernelspec})


def main(source: Path, out: Path) -> None:
    notebook, chapters = nbformat.read(source, 4), titles(source.parent)
    deck = slides(notebook, glued(notebook), chapters)
    deck.metadata["title"] = re.search(r"^# (.+)$", notebook.cells[0].source, re.M)[1]
    exporter = SlidesExporter(
        config=Config(TagRemovePreprocessor={"enabled": True, "remove_input_tags": {"no-input"}}),
        template_name="slides",
        extra_template_basedirs=[str(HERE)],
        reveal_url_prefix="reveal",
    )
    page, _ = exporter.from_notebook_node(deck)
    # The template names a theme of reveal.js; ours stands in the page.
    page = re.sub(r'<link[^>]*"reveal/dist/theme/[^>]*>', "", page).replace(
        "reveal/dist/reveal.css", "reveal/reveal.css"
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page)
    shutil.copytree(HERE / "slides" / "reveal", out.parent / "reveal", dirs_exist_ok=True)
    shutil.copytree(
        HERE.parent / "_ext" / "vendor" / "mathjax", out.parent / "mathjax", dirs_exist_ok=True
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
