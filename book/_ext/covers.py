"""What a guess covers until the reader has made it (`:hides:` in `questions.py`): figures, tables
and paragraphs by their names, and what a cell with such a tag shows.

Where a script can uncover it, a strip stands there instead, which says what will come and can be
asked to show it. What is covered has no box: it is not read aloud, reached by the keyboard or found
by a search. In print and without a script nothing is covered (`book/assets/questions.css`).
"""

from docutils import nodes
from sphinx.util.logging import getLogger

STRIP = (
    '<div class="strip" data-of="{guess}"><span>{what} after your guess.</span>'
    ' <button type="button" class="quiet">Show it anyway</button></div>'
)


def _is_cell(node: nodes.Node) -> bool:
    return node.get("nb_element") == "cell_code"


def places(doctree: nodes.document, name: str) -> list[nodes.Element]:
    """What has this name, and the cells that have this tag."""
    return [
        node
        for node in doctree.findall(nodes.Element)
        if (_is_cell(node) and f"tag_{name}" in node["classes"])
        or (name in node.get("ids", ()) and not isinstance(node, nodes.target))
    ]


def called(place: nodes.Element, numbers: dict) -> str:
    """What comes there, as its caption calls it: "Figure 5.3 comes"."""
    found = [
        f"{kind.capitalize()} {'.'.join(map(str, of_kind[name]))}"
        for figure in place.findall(nodes.figure)
        for name in figure["ids"]
        for kind, of_kind in numbers.items()
        if name in of_kind
    ]
    if found:
        return f"{' and '.join(found)} {'come' if found[1:] else 'comes'}"
    if any("<table" in raw.astext() for raw in place.findall(nodes.raw)):
        return "The table comes"
    return "What this prints comes" if _is_cell(place) else "The figure comes"


def _cover(app, doctree, docname):
    numbers = app.env.toc_fignumbers.get(docname, {})
    for name, guess in app.env.metadata[docname].get("covered", []):
        found = places(doctree, name)
        if not found:
            getLogger(__name__).warning(
                f"a guess hides {name!r}, but no figure, table, paragraph or tagged cell of this"
                " page has that name",
                location=docname,
            )
        for place in found:
            place["classes"] += ["covered", f"of-{guess}"]
            if isinstance(place, nodes.paragraph):
                continue
            strip = STRIP.format(guess=guess, what=called(place, numbers))
            at = place
            if _is_cell(place):
                at = next(n for n in place if n.get("nb_element") == "cell_code_output")
            at.parent.insert(at.parent.index(at), nodes.raw("", strip, format="html"))


def setup(app):
    app.connect("doctree-resolved", _cover)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
