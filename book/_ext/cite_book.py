"""`{cite-this-book}`: how to cite the book, as text and in BibTeX, and the line at the foot of each
page, both read from `CITATION.cff`.
"""

from pathlib import Path

import yaml
from docutils import nodes
from docutils.parsers.rst import Directive

CITATION = Path(__file__).parents[2] / "CITATION.cff"


def citation() -> dict:
    return yaml.safe_load(CITATION.read_text())


def authors(said: dict) -> list[str]:
    """The names, "Given Family" of a person."""
    return [
        one.get("name") or f"{one['given-names']} {one['family-names']}" for one in said["authors"]
    ]


def bibtex(said: dict) -> str:
    """An entry for BibTeX. Braces keep the capitals of a title, and a group's name whole."""
    names = " and ".join(
        f"{{{name}}}" if "name" in one else name
        for name, one in zip(authors(said), said["authors"])
    )
    fields = {"title": f"{{{said['title']}}}", "author": names}
    fields |= {"year": str(said["date-released"])[:4], "version": str(said["version"])}
    if address := said.get("url") or said.get("repository-code"):
        fields["url"] = address
    lines = "".join(f"  {name} = {{{text}}},\n" for name, text in fields.items())
    return f"@book{{less_is_more_in_context,\n{lines}}}"


def colophon(said: dict) -> str:
    """Whose book this is, which one, and what may be done with it."""
    names = ", ".join(authors(said)).replace("The ", "the ", 1)
    year = str(said["date-released"])[:4]
    return f"By {names}, {year} · version {said['version']} · {said['license']} licence"


class CiteThisBook(Directive):
    has_content = False

    def run(self):
        said = citation()
        self.state.document.settings.env.note_dependency(str(CITATION))
        year = str(said["date-released"])[:4]
        text = f"{', '.join(authors(said))} ({year}). "
        line = nodes.paragraph("", "", nodes.Text(text), nodes.emphasis("", said["title"]))
        line += nodes.Text(f". Version {said['version']}.")
        return [line, nodes.literal_block(bibtex(said), bibtex(said), language="bibtex")]


def _sign(app, pagename, templatename, context, doctree):
    context["colophon"] = colophon(citation())


def setup(app):
    app.add_directive("cite-this-book", CiteThisBook)
    app.connect("html-page-context", _sign)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
