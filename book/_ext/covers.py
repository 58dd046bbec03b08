"""What a guess covers until the reader has made it (`:hides:` in `questions.py`): figures, tables
and paragraphs by their names, and what a cell with such a tag shows.

Where a script can uncover it, one strip stands there instead, which says what will come and can be
asked to show it; words and folded code between two covered figures go with them. What is covered
has no box: it is not read aloud, reached by the keyboard or found by a search. In print and without
a script nothing is covered (`book/assets/questions.css`).
"""

from captions import is_cell
from docutils import nodes
from sphinx.util.logging import getLogger

STRIP = (
    '<div class="strip" data-of="{guess}"><span>{what} after your guess.</span>'
    ' <button type="button" class="quiet">Show it anyway</button></div>'
)


def places(doctree: nodes.document, name: str) -> list[nodes.Element]:
    """What has this name, and the cells that have this tag."""
    return [
        node
        for node in doctree.findall(nodes.Element)
        if (is_cell(node) and f"tag_{name}" in node["classes"])
        or (name in node.get("ids", ()) and not isinstance(node, nodes.target))
    ]


def _is_folded(node: nodes.Node) -> bool:
    """A cell of which a page shows the output alone."""
    return is_cell(node) and "tag_hide-input" in node["classes"]


def called(places: list[nodes.Element], numbers: dict) -> str:
    """What comes there, as captions call it: "Figures 5.1 and 5.2, Table 5.2 come"."""
    names = [name for one in places for fig in one.findall(nodes.figure) for name in fig["ids"]]
    found = {
        kind.capitalize(): [".".join(map(str, of_kind[name])) for name in names if name in of_kind]
        for kind, of_kind in sorted(numbers.items())
    }
    said = [f"{kind}{'s' * bool(of[1:])} {listed(of)}" for kind, of in found.items() if of]
    if said:
        return f"{', '.join(said)} {'come' if sum(map(len, found.values())) > 1 else 'comes'}"
    if any("<table" in raw.astext() for raw in places[0].findall(nodes.raw)):
        return "The table comes"
    return "What this prints comes" if is_cell(places[0]) else "The figure comes"


def listed(words: list[str]) -> str:
    """A list in words: 5.1, 5.2 and 5.3."""
    return " and ".join([", ".join(words[:-1])] * bool(words[1:]) + words[-1:])


def _block(place: nodes.Element) -> nodes.Element:
    """What is covered for its sake: where its code is folded, that goes, too."""
    cell = place
    while cell.parent and not is_cell(cell):
        cell = cell.parent
    return cell if _is_folded(cell) else place


def _goes_with(node: nodes.Node) -> bool:
    """Whether it may be covered with its neighbours: words about them, or folded code."""
    return isinstance(node, (nodes.paragraph, nodes.target)) or _is_folded(node)


def runs(blocks: list[nodes.Element]) -> list[list[nodes.Element]]:
    """Blocks that one strip stands for, and what lies between them."""
    made: list[list[nodes.Element]] = []
    for block in blocks:
        beside = block.parent.children
        if made and made[-1][-1] in beside:
            since = beside[beside.index(made[-1][-1]) : beside.index(block) + 1]
            if all(map(_goes_with, since)):
                made[-1] += since[1:]
                continue
        made.append([block])
    return made


def _cover(app, doctree, docname):
    numbers, blocks = app.env.toc_fignumbers.get(docname, {}), {}
    for name, guess in app.env.metadata[docname].get("covered", []):
        found = places(doctree, name)
        if not found:
            getLogger(__name__).warning(
                f"a guess hides {name!r}, but no figure, table, paragraph or tagged cell of this"
                " page has that name",
                location=docname,
            )
        blocks.setdefault(guess, []).extend(map(_block, found))
    for guess, found in blocks.items():
        wanted = {id(block) for block in found}
        in_order = [node for node in doctree.findall(nodes.Element) if id(node) in wanted]
        for run in runs(in_order):
            _strip(run, guess, numbers)


def _strip(run: list[nodes.Element], guess: str, numbers: dict) -> None:
    """Covers them, and puts before them what says so; nobody misses a paragraph alone."""
    for one in run:
        one["classes"] += ["covered", f"of-{guess}"]
    shown = [one for one in run if not isinstance(one, (nodes.paragraph, nodes.target))]
    if not shown:
        return
    strip = nodes.raw("", STRIP.format(guess=guess, what=called(shown, numbers)), format="html")
    at = shown[0]
    if is_cell(at) and not _is_folded(at):  # its code stays
        at = next(n for n in at if n.get("nb_element") == "cell_code_output")
    at.parent.insert(at.parent.index(at), strip)


def setup(app):
    app.connect("doctree-resolved", _cover)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
