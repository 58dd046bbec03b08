"""A table of sentences is read row by row on a phone, and nothing of it scrolls out of sight."""

import sys

import pytest
from browsers import opened
from bs4 import BeautifulSoup
from test_browser import overflow, sites  # noqa: F401
from test_chapters import ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import tables

HEAD = ("claim", "here", "there")
ROW = ("one claim of several", "found on every model " * 9, "not shown")


def table(*rows, head=HEAD):
    """The table as it stands on a page."""
    line = lambda kind, cells: "".join(f"<{kind}><p>{cell}</p></{kind}>" for cell in cells)
    body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    html = f"<table><thead><tr>{line('th', head)}</tr></thead><tbody>{body}</tbody></table>"
    return BeautifulSoup(tables.one_style(html), "html.parser").table


def test_each_cell_but_the_first_says_its_column():
    told = table(ROW, ROW)
    assert "prose" in told["class"]
    assert [node.text for node in told.select("td > .column-name")] == ["here", "there"] * 2
    assert not told.select("td:first-child .column-name")


def test_what_a_cell_holds_is_one_element_beside_the_name_of_its_column():
    told = table((ROW[0], "<b>found</b> on <i>every</i> model " * 9, "<p>once</p><p>twice</p>"))
    for cell in told.select("td:not(:first-child)"):
        assert [child["class"] for child in cell.children] == [["column-name"], ["column-value"]]
    assert len(told.select(".column-value b")) == 9 and len(told.select(".column-value p")) == 2


def test_a_cell_that_says_that_there_is_nothing_is_marked():
    told = table(ROW, ("another claim of several", "–", " "))
    kinds = [cell.get("class") for cell in told.select("td:not(:first-child)")]
    assert kinds == [None, None, ["nothing"], ["nothing"]]


@pytest.mark.parametrize(
    "rows, head",
    [
        ([("a", "0.91", "0.95"), ("b", "0.87", "0.9")], HEAD),
        ([("what was said before", "two or three words " * 3, "yes")], HEAD),
        ([("a", "word " * 30)], HEAD[:2]),
        ([("a", *["0.692 [0.605, 0.766]"] * 6)], ("task", *"uvwxyz")),
    ],
)
def test_a_table_of_numbers_of_few_words_or_of_two_columns_stays_a_table(rows, head):
    told = table(*rows, head=head)
    assert "prose" not in told["class"] and not told.select(".column-name")


@pytest.mark.built
def test_on_a_phone_the_paper_map_is_rows_and_on_a_desk_a_table(browser, sites):  # noqa: F811
    with opened(browser, f"{sites['http']}/book/paper_map.html", width=390) as page:
        box = page.locator(".pst-scrollable-table-container").first
        assert box.evaluate("box => box.scrollWidth - box.clientWidth") <= 2 and not overflow(page)
        assert page.locator(".prose .column-name").first.is_visible()
        page.set_viewport_size({"width": 1280, "height": 900})
        assert not page.locator(".prose .column-name").first.is_visible()
        assert page.locator(".prose thead").first.is_visible()
