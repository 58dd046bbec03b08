"""What paper leaves out says so: long tables that stand in for widgets, what model cards fold."""

import sys

import pytest
from bs4 import BeautifulSoup
from test_chapters import ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import pdf


def on_paper(html, name="chapters/01_a"):
    """A page's text as it is on paper."""
    page = BeautifulSoup(f'<article class="bd-article">{html}</article>', "html.parser")
    return pdf.on_paper(page.article, name, set())


@pytest.mark.parametrize("rows, shown", [(8, True), (pdf.MOST_ROWS, True), (216, False)])
def test_a_widgets_long_table_stays_on_its_page_and_its_figure_does_not(rows, shown):
    table = f"<table><tbody>{'<tr><td>1</td></tr>' * rows}</tbody></table>"
    page = on_paper(
        f'<div class="widget-stand-in"><img src="a.svg"><details>{table}</details></div>{table}'
    )
    assert len(page.select("table")) == 1 + shown and page.img
    assert (f"a table of {rows} rows" in page.get_text()) is not shown


def test_the_models_page_says_why_numbers_are_missing():
    html = '<h2>The models</h2><p>Each has a card.</p><details class="fold">recipe</details>'
    page = on_paper(html, "book/models")
    assert page.select("h2 + p")[0].get_text().startswith("How each was trained")
    assert "missing" not in on_paper(html).get_text()


def test_ways_into_the_book_are_not_on_paper():
    assert on_paper('<div class="starts"><a href="x.html">Start</a></div>said').get_text() == "said"
