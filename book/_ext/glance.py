"""`{glance}`: a few findings in a strip, a line each: its verdict, its claim, the number that it
rests on, and a picture of that number.

A line is `verdict | claim | what is drawn | number and words`, the last two as in a `{finding}`
(`findings.py`).
"""

from pathlib import Path

import findings
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

PARTS = 4


class Glance(SphinxDirective):
    """A list of findings, with the scale of their bars above it."""

    has_content = True

    def run(self):
        made = nodes.bullet_list(classes=["glance"])
        try:
            made += [self._row(line) for line in self.content if line.strip()]
        except ValueError as error:
            raise self.error(str(error)) from error
        return [findings.scale("glance-scale"), made]

    def _row(self, line: str) -> nodes.list_item:
        told = [part.strip() for part in line.split("|")]
        if len(told) != PARTS or told[0] not in findings.SIGNS:
            raise ValueError(
                f"{line!r} is no 'verdict | claim | what is drawn | number', whose verdict is one"
                f" of {', '.join(findings.SIGNS)}"
            )
        verdict, claim, kind, number = told
        row = nodes.list_item()
        row += nodes.paragraph("", "", findings.tag(verdict))
        row += self._paragraph(claim, "claim")
        row += nodes.raw("", findings.drawn(kind, number, Path(self.env.srcdir)), format="html")
        row += self._paragraph(number, "number")
        return row

    def _paragraph(self, text: str, kind: str) -> nodes.paragraph:
        parsed = nodes.Element()
        self.state.nested_parse(
            StringList([text], source=self.env.docname), self.content_offset, parsed
        )
        made = parsed.next_node(nodes.paragraph)
        made["classes"].append(kind)
        return made


def setup(app):
    app.add_directive("glance", Glance)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
