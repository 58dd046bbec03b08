"""Folded code: quiet, and where it belongs.

A cell of which a page shows the output alone has its code below that output, as *Code* on the
right. One without output is the same word on the right; where it is followed by another folded
cell, the two are one. The folded cells of an exercise (`exercises.py`) and the imports say what is
in them, and stay.
"""

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

LABEL = "Code"
SETUP = ("import ", "from ")  # how a cell of imports begins; code_lines.py names it


def _part(cell: nodes.container, name: str) -> nodes.Element | None:
    """The code of a cell, or its output; None if it has none."""
    return next((node for node in cell if node.get("nb_element") == f"cell_code_{name}"), None)


def _is_folded(node: nodes.Node | None, shown: str) -> bool:
    """A cell whose code is folded, with the label that all have."""
    return (
        isinstance(node, nodes.container)
        and node.get("hide_mode") == "input"
        and node.get("prompt_show") == shown
        and not _part(node, "source").astext().startswith(SETUP)
    )


class Together(SphinxTransform):
    """Joins folded cells that stand one behind the other, and gives each that is left its label."""

    default_priority = 180  # behind the exercises

    def apply(self, **kwargs):
        shown = self.config.nb_code_prompt_show
        cells = self.document.findall(lambda node: _is_folded(node, shown))
        for cell in list(cells):
            after = cell.next_node(descend=False, siblings=True)
            if _part(cell, "output") is None and _is_folded(after, shown):
                join(cell, after)
        for cell in self.document.findall(lambda node: _is_folded(node, shown)):
            cell["prompt_show"] = cell["prompt_hide"] = LABEL
            cell["classes"].append("quiet-code")


def join(cell: nodes.container, after: nodes.container) -> None:
    """Puts the code of a cell before that of the next one."""
    first, second = (one.next_node(nodes.literal_block) for one in (cell, after))
    text = f"{first.astext().rstrip()}\n\n\n{second.astext()}"
    second.rawsource, second.children = text, []
    second += nodes.Text(text)
    after["classes"] += [name for name in cell["classes"] if name not in after["classes"]]
    cell.parent.remove(cell)


def _is_quiet(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and "quiet-code" in node["classes"]


class Below(SphinxPostTransform):
    """Puts folded code below what it shows."""

    default_priority = 200  # behind myst-nb's own, which folds it
    formats = ("html",)

    def run(self, **kwargs):
        for cell in self.document.findall(_is_quiet):
            if isinstance(cell[0], HideCodeCellNode):
                cell.append(cell.pop(0))


def setup(app):
    app.add_transform(Together)
    app.add_post_transform(Below)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
