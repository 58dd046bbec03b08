"""A table of sentences is read row by row on a phone, and nothing of it scrolls out of sight."""

import sys
from types import SimpleNamespace

import pytest
from browsers import opened
from docutils import nodes
from docutils.core import publish_doctree
from test_browser import overflow, sites  # noqa: F401
from test_chapters import ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import prose_tables

HEAD = "claim, here, there"
ROW = f"one claim of several, {'found on every model ' * 3}, not shown"


def table(*rows, head=HEAD):
    lines = "\n".join(f"   {row}" for row in rows)
    doctree = publish_doctree(f".. csv-table::\n   :header: {head}\n\n{lines}\n")
    prose_tables.name_cells(
        SimpleNamespace(builder=SimpleNamespace(format="html")), doctree, "page"
    )
    return next(iter(doctree.findall(nodes.table)))


def test_each_cell_but_the_first_says_its_column():
    told = table(ROW, ROW)
    assert "prose" in told["classes"]
    labels = [node.astext() for node in told.findall(nodes.raw)]
    assert labels == [f'<span class="column-name">{name}</span>' for name in ("here", "there")] * 2


@pytest.mark.parametrize(
    "rows, head",
    [
        (("a, 0.91, 0.95", "b, 0.87, 0.9"), HEAD),
        ((f"a, {'word ' * 30}",), "claim, here"),
    ],
)
def test_a_table_of_numbers_or_of_two_columns_stays_a_table(rows, head):
    told = table(*rows, head=head)
    assert "prose" not in told["classes"] and not list(told.findall(nodes.raw))


@pytest.mark.built
def test_on_a_phone_the_findings_are_rows_and_on_a_desk_a_table(browser, sites):  # noqa: F811
    with opened(browser, f"{sites['http']}/book/findings.html", width=390) as page:
        box = page.locator(".pst-scrollable-table-container").first
        assert box.evaluate("box => box.scrollWidth - box.clientWidth") <= 2 and not overflow(page)
        assert page.locator(".prose .column-name").first.is_visible()
        page.set_viewport_size({"width": 1280, "height": 900})
        assert not page.locator(".prose .column-name").first.is_visible()
        assert page.locator(".prose thead").first.is_visible()
