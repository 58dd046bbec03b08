"""`{chapter-cards}`: a card for each chapter of the table of contents, with its picture, what one
learns and how long it takes.

All of it is read from the chapters themselves, the first line of *What you will be able to do* and
that of *It takes*, so a card cannot say what its chapter does not. The chapter itself says its part
and its minutes at its title, beside the same picture (`heads.py`).
"""

import re
from pathlib import Path
from typing import NamedTuple

import heads
import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parents[2]
ROLE = re.compile(r"\{[\w:-]+\}`([^`<]+?)(?: <[^`>]+>)?`")


class Card(NamedTuple):
    """What a card says. ValueError, in `read`, of a chapter that does not say it."""

    name: str  # of the file: NN_name
    title: str
    learnt: str  # Markdown without roles, which would be links within the card's own
    minutes: int  # of reading


def read(chapter: Path) -> Card:
    """The card of a chapter."""
    text = chapter.read_text(encoding="utf-8")
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    listed = re.search(r"^After this chapter you can\n\n((?:- .+\n)+)", text, re.MULTILINE)
    minutes = re.search(r"\*\*It takes\*\* about (\d+) minutes to read", text)
    if not (title and listed and minutes):
        raise ValueError(
            f"{chapter.name} has no title, no list under 'After this chapter you can' or no"
            " '**It takes** about … minutes to read', and its card needs all three"
        )
    learnt = ROLE.sub(r"\1", listed[1].splitlines()[0]).strip("- ;.")
    return Card(chapter.stem, title[1], learnt[0].upper() + learnt[1:], int(minutes[1]))


def parts(toc: Path) -> list[tuple[str, list[Card]]]:
    """The parts of the book that hold chapters, by the table of contents: (caption, cards)."""
    found = []
    for part in yaml.safe_load(toc.read_text(encoding="utf-8"))["parts"]:
        names = [entry["file"] for entry in part["chapters"]]
        if all(name.startswith("chapters/") for name in names):
            found.append((part["caption"], [read(ROOT / f"{name}.md") for name in names]))
    return found


class ChapterCards(SphinxDirective):
    """A grid of cards for each part of the book, in its order, and the hours of all together."""

    def run(self):
        made, minutes = [], 0
        for part, cards in parts(ROOT / "_toc.yml"):
            made.append(nodes.paragraph("", part, classes=["card-part"]))
            grid = nodes.container(classes=["cards"])
            grid += [self._card(card) for card in cards]
            made.append(grid)
            minutes += sum(card.minutes for card in cards)
        hours = f"About {round(minutes / 60)} hours to read, and as long again for the exercises."
        return [*made, nodes.paragraph("", hours)]

    def _card(self, card: Card):
        self.env.note_dependency(str(heads.file(card.name)))
        made = nodes.container(classes=["chapter-card"])
        made += nodes.raw("", heads.picture(card.name, aloud=False), format="html")
        link = pending_xref(
            "",
            nodes.inline("", card.title),
            refdomain="std",
            reftype="doc",
            reftarget=f"/chapters/{card.name}",
            refexplicit=True,
            refdoc=self.env.docname,
            refwarn=True,
        )
        number = nodes.inline("", card.name[:2], classes=["card-number"])
        made += nodes.paragraph("", "", number, nodes.Text(" "), link, classes=["card-title"])
        learnt = StringList([card.learnt], source=card.name)
        self.state.nested_parse(learnt, self.content_offset, made)
        made += nodes.paragraph("", f"{card.minutes} min", classes=["card-minutes"])
        return made


def _title_block(app, pagename, templatename, context, doctree):
    """At a chapter's title: its part, how long it takes to read, and its picture."""
    for part, cards in parts(ROOT / "_toc.yml"):
        for card in cards:
            if pagename == f"chapters/{card.name}" and "body" in context:
                facts = f"{part} · {card.minutes} minutes to read"
                context["body"] = heads.headed(context["body"], card.name, facts)


def setup(app):
    app.add_directive("chapter-cards", ChapterCards)
    app.connect("html-page-context", _title_block)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
