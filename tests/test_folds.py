"""Folded code stands below what it shows, and folded cells in a row are one."""

import sys
from types import SimpleNamespace

from docutils import nodes
from docutils.utils import new_document
from myst_nb.sphinx_ import HideCodeCellNode
from test_chapters import ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import folds

SHOW = "Show the code"


class Together(folds.Together):
    """With what it asks of an application."""

    config = SimpleNamespace(nb_code_prompt_show=SHOW)


def cell(code, output=None, mode="input", shown=SHOW, tag="tag_hide-input"):
    """A cell as myst-nb makes it before it folds it."""
    made = nodes.container(nb_element="cell_code", hide_mode=mode, classes=["cell", tag])
    made["prompt_show"] = made["prompt_hide"] = shown
    made += nodes.container("", nodes.literal_block(code, code), nb_element="cell_code_source")
    if output:
        made += nodes.container("", nodes.Text(output), nb_element="cell_code_output")
    return made


def page_of(*blocks):
    """The page after both transforms, with myst-nb's own between them."""
    page = new_document("page")
    page += nodes.section("", *blocks)
    Together(page).apply()
    for one in [node for node in page.findall(nodes.container) if node.get("hide_mode")]:
        one.replace(one[0], HideCodeCellNode("", one[0]))
    folds.Below(page).run()
    return page[0].children


def test_code_stands_below_the_figure_that_it_draws():
    (one,) = page_of(cell("draw()", "a figure"))
    assert [type(part).__name__ for part in one] == ["container", "HideCodeCellNode"]
    assert one["prompt_show"] == "Code" and "quiet-code" in one["classes"]


def test_folded_cells_in_a_row_are_one():
    one, other = cell("a = 1"), cell("b = 2", tag="tag_some-name")
    (made,) = page_of(one, other, cell("draw()", "a figure"))
    assert made.astext().index("a figure") < made.astext().index("a = 1\n\n\nb = 2\n\n\ndraw()")
    assert "tag_some-name" in made["classes"]  # what a guess covers by it stays covered


def test_words_output_and_visible_code_keep_cells_apart():
    words = nodes.paragraph("", "So far.")
    blocks = cell("a = 1"), words, cell("b = 2", "3"), cell("c = 4"), cell("d = 5", mode=None)
    assert len(page_of(*blocks)) == 5


def test_imports_and_what_an_exercise_folds_say_what_they_are_and_stay():
    imports, check = cell("import time"), cell("def check_a(): ...", shown="The check")
    made = page_of(imports, check, cell("draw()", "a figure"))
    assert [one["prompt_show"] for one in made] == [SHOW, "The check", "Code"]
    assert not any("quiet-code" in one["classes"] for one in made[:2])
