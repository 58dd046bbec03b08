"""`{drawing} NAME` with a caption: a drawing of `book/drawings/`, written into the page, so that it
has the page's colours and letters, in the light and in the dark.

A drawing is a numbered figure, `fig-NAME` (with - for _). What it looks like stands in
`book/assets/pictures.css`; what a drawing may use, in `book/assets/README.md`.
"""

from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

FOLDER = Path(__file__).parents[1] / "drawings"


class Drawing(SphinxDirective):
    """A figure whose picture is text of the page."""

    required_arguments = 1
    has_content = True

    def run(self):
        (name,) = self.arguments
        file = FOLDER / f"{name}.svg"
        if not file.exists():
            known = ", ".join(sorted(path.stem for path in FOLDER.glob("*.svg")))
            raise self.error(f"There is no drawing {name!r} in book/drawings; there are: {known}")
        if not self.content:
            raise self.error(f"The drawing {name!r} needs a caption that says what to see")
        self.env.note_dependency(str(file))
        figure = nodes.figure(classes=["drawing"], names=[f"fig-{name.replace('_', '-')}"])
        figure += nodes.raw("", file.read_text(encoding="utf-8"), format="html")
        said = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, said)
        first, *more = said.children
        caption = nodes.caption(first.rawsource, "", *first.children)
        self.set_source_info(caption)
        figure += caption
        if more:
            figure += nodes.legend("", *more)
        self.set_source_info(figure)
        self.state.document.note_explicit_target(figure, figure)
        return [figure]


def setup(app):
    app.add_directive("drawing", Drawing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
