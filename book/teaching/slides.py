"""Slides from executed chapters: `python slides.py NN.ipynb OUT/NN.html`. nbconvert and reveal.js
draw them; this file says what goes on which.

A section opens a slide to the right; under it come, one each, its boxes, its short cells with their
output, and its figures. What a lecturer says rather than shows, the prose, goes into the speaker's
notes (key S). Exercises stay in the book.
"""

import ast
import re
import shutil
import sys
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter
from nbformat.v4 import new_markdown_cell, new_notebook
from pybtex.database import parse_file
from traitlets.config import Config

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE.parent / "_ext")]
import slide_captions  # noqa: E402, they lie where only this file looks
import tables  # noqa: E402

ASSETS = HERE.parent / "assets"
SHEETS = ("palette.css", "fonts.css", "tables.css", "pictures.css")  # as the pages have them
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
            text = re.sub(r"\Anp\.\w+\((.*)\)\Z", r"\1", text)
            found[name] = (
                ast.literal_eval(text)
                if re.fullmatch(r"(['\"]).*\1|[-\d.e]+", text, re.S)
                else text
            )
    return found


def names(folder: Path) -> dict:
    """What a reference reads as, by label: the titles of all executed chapters, and the numbers of
    their figures and tables.
    """
    found = {}
    for path in sorted(folder.glob("[0-9]*.ipynb")):
        if path.suffixes == [".ipynb"]:
            notebook = nbformat.read(path, 4)
            match = re.match(r"\((.+?)\)=\s+# (.+)", notebook.cells[0].source)
            found |= dict([match.groups()] if match else [])
            found |= slide_captions.numbers(notebook, int(path.name[:2]))
    return found


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


def plain(text: str, values: dict, named: dict) -> str:
    """MyST's roles as plain Markdown: glued numbers, citations by name and year, references by
    title or by number.
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
            return shown if target else f"*{named.get(content, content)}*"
        return named.get(content, "the figure") if kind == "numref" else shown

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
    """A directive as a slide, between marks; what there is to choose comes last. Why an answer is
    right has a slide of its own.
    """
    kind, title, body = found.groups()
    body = body.partition("**Before you start:**")[0].strip()
    choices = re.match(r":choices: ([^\n]+)", body)
    body = re.sub(r"\A(:\w+:.*\n)+", "", body).strip() + (f"\n\n({choices[1]})" if choices else "")
    asked = (
        re.fullmatch(r"((?:[-+] [^\n]+\n)+)(.*)", f"{body}\n", re.S) if kind == "question" else None
    )
    if not asked:
        return boxed(TITLES.get(kind, title), body)
    answers = asked[1].splitlines()
    right = [f"- {answer[2:]}" for answer in answers if answer.startswith("+")]
    why = "\n".join([*right, "", asked[2].strip()])
    return boxed(title, "\n".join(f"- {one[2:]}" for one in answers)) + boxed("The answer", why)


def boxed(title: str, body: str) -> str:
    """A slide with a box, between marks."""
    return f'\0### {title}\n\n<div class="box">\n\n{body}\n\n</div>\0'


def of_markdown(source: str) -> list:
    """Headings, boxes, tables, drawings and formulas as slides, all other prose as notes."""
    cells, rest = [], BLOCK.sub(box, source)
    rest = slide_captions.WRITTEN.sub(lambda found: f"\0{slide_captions.shown(found)}\0", rest)
    for i, part in enumerate(rest.split("\0")):
        if i % 2:
            cells.append(slide("subslide", new_markdown_cell(part)))
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


def of_code(cell, say) -> list:
    """A short cell with its output, or the output alone, with captions; `say` has their texts."""
    tags, figure = set(cell.metadata.get("tags", [])), cell.metadata.get("mystnb", {})
    if tags & {"remove-cell", "hide-cell", "parameters"}:
        return []
    outputs, widgets = [], []
    for output in cell.outputs:
        data = output.get("data", {})
        if data.pop("application/vnd.jupyter.widget-view+json", None) is not None:
            widgets.append(output)
        if (
            output.output_type == "stream"
            and output.name == "stdout"
            or any(mime in data for mime in ("image/png", "image/svg+xml", "text/html"))
        ) or (
            data.get("text/plain") and not widgets and "scrapbook" not in output.get("metadata", {})
        ):
            outputs.append(output)
    tall = any("text/html" in output.get("data", {}) for output in outputs)  # a table
    long = cell.source.count("\n") >= (LONGEST // 2 if tall else LONGEST)
    hidden = bool(figure) or bool(tags & {"hide-input", "remove-input"}) or long
    if hidden and not outputs and not widgets:
        return []
    slide_captions.captioned([one for one in outputs if one not in widgets], cell, say)
    cell.outputs, cell.metadata = outputs, {"tags": ["no-input"] * hidden}
    slide("subslide", cell)
    note = "*A widget: move it on the chapter's own page.*"
    return [cell] + [slide("-", new_markdown_cell(note))] * bool(widgets)


def slides(notebook, values: dict, named: dict):
    """The chapter as a notebook whose cells know their slide."""

    def say(one: dict) -> str:
        number = f"**{named[one['name']]}** " if one.get("name") in named else ""
        return plain(number + one["caption"], values, named)

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
            of_markdown(plain(slide_captions.marked(cell.source, named), values, named))
            if cell.cell_type == "markdown"
            else of_code(cell, say)
        )
    share_headings([cell for cell in cells if kind(cell) != "notes"])
    return new_notebook(cells=cells, metadata={"kernelspec": notebook.metadata.kernelspec})


def share_headings(shown: list) -> None:
    """Lets a heading share its slide with what comes first under it; the title stands alone."""
    for before, cell in zip(shown, shown[1:]):
        if re.fullmatch("##+ .+", before.source) and kind(cell) == "subslide":
            slide("-", cell)


def looks(folder: Path) -> None:
    """Copies beside the decks what they look like: the pages' letters, tables and drawings."""
    shutil.copytree(ASSETS / "fonts", folder / "fonts", dirs_exist_ok=True)
    for name in SHEETS:
        sheet = (ASSETS / name).read_text(encoding="utf-8")
        (folder / name).write_text(sheet.replace("vendor/mathjax", "../mathjax"), encoding="utf-8")


def main(source: Path, out: Path) -> None:
    notebook, named = nbformat.read(source, 4), names(source.parent)
    deck = slides(notebook, glued(notebook), named)
    deck.metadata["title"] = re.search(r"^# (.+)$", notebook.cells[0].source, re.M)[1]
    exporter = SlidesExporter(
        config=Config(TagRemovePreprocessor={"enabled": True, "remove_input_tags": {"no-input"}}),
        template_name="slides",
        extra_template_basedirs=[str(HERE)],
        reveal_url_prefix="reveal",
        exclude_anchor_links=True,
    )
    page, _ = exporter.from_notebook_node(deck)
    # The template names a theme of reveal.js; ours stands in the page.
    page = re.sub(r'<link[^>]*"reveal/dist/theme/[^>]*>', "", page).replace(
        "reveal/dist/reveal.css", "reveal/reveal.css"
    )
    # The names that the pages' sheets look for.
    page = page.replace('<div class="slides">', '<div class="slides bd-content bd-article">')
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(tables.one_style(page))
    shutil.copytree(HERE / "slides" / "reveal", out.parent / "reveal", dirs_exist_ok=True)
    shutil.copytree(
        HERE.parent / "_ext" / "vendor" / "mathjax", out.parent / "mathjax", dirs_exist_ok=True
    )
    looks(out.parent / "looks")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
