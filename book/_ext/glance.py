"""`{glance}`: a few findings in a strip, a line each: its verdict, what was found, what the paper
says, the number that it rests on, and a picture of that number.

A line is `verdict | what was found | what the paper says, or nothing | what is drawn | number and
words`, the last two as in a `{finding}` (`findings.py`).
"""

from pathlib import Path

import findings
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

PARTS = 5


class Glance(SphinxDirective):
    """A list of findings, each with the scale of its bar."""

    has_content = True

    def run(self):
        made = nodes.bullet_list(classes=["glance"])
        try:
            made += [self._row(line) for line in self.content if line.strip()]
        except ValueError as error:
            raise self.error(str(error)) from error
        return [made]

    def _row(self, line: str) -> nodes.list_item:
        told = [part.strip() for part in line.split("|")]
        if len(told) != PARTS or told[0] not in findings.SIGNS:
            raise ValueError(
                f"{line!r} is no 'verdict | found | the paper | what is drawn | number', whose"
                f" verdict is one of {', '.join(findings.SIGNS)}"
            )
        verdict, found, paper, kind, number = told
        row = nodes.list_item()
        row += nodes.paragraph("", "", findings.tag(verdict))
        row += findings.claim(self._inline(found), self._inline(paper))
        picture = findings.drawn(kind, number, Path(self.env.srcdir), named=True)
        row += nodes.raw("", picture, format="html")
        row += nodes.paragraph("", "", *self._inline(number), classes=["number"])
        return row

    def _inline(self, text: str) -> list[nodes.Node]:
        parsed = nodes.Element()
        self.state.nested_parse(
            StringList([text], source=self.env.docname), self.content_offset, parsed
        )
        return parsed.children[0].children if parsed.children else []


def setup(app):
    app.add_directive("glance", Glance)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
