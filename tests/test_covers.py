"""One strip stands for what a guess covers in a row, and says what will come."""

import sys
from types import SimpleNamespace

import pytest
from docutils import nodes
from docutils.utils import new_document
from test_chapters import ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import covers

NUMBERS = {"table": {"tbl-a": (5, 1)}, "figure": {"fig-a": (5, 1), "fig-b": (5, 2)}}


def cell(name, folded=True):
    """A cell whose output is a figure of this name, with its code folded or not."""
    made = nodes.container(nb_element="cell_code", classes=["tag_hide-input"] * folded)
    shown = nodes.container("", nodes.figure(ids=[name]), nb_element="cell_code_output")
    made += [nodes.container(nb_element="cell_code_source"), shown]
    return made


def covered(*blocks, hides="fig-a tbl-a fig-b said"):
    """The page after what a guess hides was covered, and its strips in words."""
    page = new_document("page")
    page += nodes.section("", *blocks)
    told = {"page": {"covered": [(name, "g") for name in hides.split()]}}
    env = SimpleNamespace(metadata=told, toc_fignumbers={"page": NUMBERS})
    covers._cover(SimpleNamespace(env=env), page, "page")
    strips = [raw.astext() for raw in page.findall(nodes.raw) if "strip" in raw.astext()]
    return page, [text.split("<span>")[1].split(" after")[0] for text in strips]


def test_folded_cells_and_the_words_between_them_are_one_strip():
    said = nodes.paragraph("", "So it falls.", ids=["said"])
    between = nodes.paragraph("", "The same elsewhere:")
    _, strips = covered(cell("fig-a"), between, cell("tbl-a"), cell("fig-b"), said)
    assert strips == ["Figures 5.1 and 5.2, Table 5.1 come"]
    assert "covered" in between["classes"] and "covered" in said["classes"]


@pytest.mark.parametrize("between", [cell("fig-x", folded=False), nodes.section(), nodes.table()])
def test_what_is_no_word_about_them_stays_and_parts_them(between):
    _, strips = covered(cell("fig-a"), between, cell("fig-b"), hides="fig-a fig-b")
    assert strips == ["Figure 5.1 comes", "Figure 5.2 comes"]
    assert "covered" not in between["classes"]


def test_code_that_is_shown_stays_where_its_figure_is_covered():
    shown = cell("fig-a", folded=False)
    _, strips = covered(shown, nodes.paragraph("", "It falls."), cell("fig-b"), hides="fig-a fig-b")
    assert strips == ["Figure 5.1 comes", "Figure 5.2 comes"]
    assert "covered" not in shown["classes"] and "covered" in shown[1].children[-1]["classes"]


def test_words_alone_have_no_strip():
    page, strips = covered(nodes.paragraph("", "It falls.", ids=["said"]), hides="said")
    assert strips == [] and "covered" in page[0][0]["classes"]


def test_a_list_in_words():
    assert [covers.listed(list("abc")[:n]) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]
