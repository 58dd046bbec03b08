"""Exercises, and what is folded.

`### Exercise 2: what is it? (★★, 15 minutes)` is a heading without its last part, which stands
below it, small. Its folded cells say what is in them: the check, or the solution. An admonition of
the class `dropdown` is the browser's own fold, on every page: it needs no script.
"""

import re

from docutils import nodes
from sphinx.transforms import SphinxTransform

FACTS = re.compile(r"\s*\((★+), (\d+) minutes\)$")
HARDEST = 3  # stars


def facts(stars: int, minutes: int) -> str:
    """The line below an exercise's heading, as HTML."""
    drawn = "★" * stars + "☆" * (HARDEST - stars)
    told = f"Difficulty {stars} of {HARDEST}"
    return f'<span role="img" aria-label="{told}">{drawn}</span> · about {minutes} minutes'


def _html(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


class Exercises(SphinxTransform):
    """Marks the sections that are exercises."""

    default_priority = 160

    def apply(self, **kwargs):
        for section in self.document.findall(nodes.section):
            last = section[0][-1] if isinstance(section[0], nodes.title) else None
            if isinstance(last, nodes.Text) and (found := FACTS.search(last)):
                section[0].replace(last, nodes.Text(FACTS.sub("", last)))
                line = facts(len(found[1]), int(found[2]))
                section.insert(1, _html(f'<p class="exercise-facts">{line}</p>'))
                section["classes"].append("exercise")
                for cell in section.findall(nodes.container):
                    if "hide_mode" in cell:
                        self.named(cell)

    def named(self, cell: nodes.container) -> None:
        """What a folded cell of an exercise is."""
        name = "Solution" if cell["hide_mode"] == "all" else "The check"
        if name == "Solution" or "def check_" in cell.astext():
            cell["prompt_show"] = cell["prompt_hide"] = name


class Folds(SphinxTransform):
    """Admonitions that are folded become `<details>`."""

    default_priority = 170

    def apply(self, **kwargs):
        for box in list(self.document.findall(nodes.Admonition)):
            if "dropdown" in box.get("classes", ()):
                names = "".join(f' id="{name}"' for name in box["ids"][:1])
                title, *folded = box.children
                begin = _html(f'<details class="fold"{names}><summary>')
                made = [begin, *title.children, _html("</summary>"), *folded, _html("</details>")]
                box.parent.replace(box, made)


def setup(app):
    app.add_transform(Exercises)
    app.add_transform(Folds)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
