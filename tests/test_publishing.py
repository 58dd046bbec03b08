"""The book on paper, its pictures in other people's pages, and its search."""

import re
import sys

import pytest
from browsers import opened
from bs4 import BeautifulSoup
from test_browser import HTML, sites  # noqa: F401
from test_chapters import CHAPTERS, ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import pdf
import share_card

KNOWN = {"book/intro", "chapters/01_a", "chapters/02_b"}


def test_on_paper_are_all_chapters_in_order_and_not_the_module():
    shown = pdf.names()
    assert [name for name in shown if name.startswith("chapters/")] == [
        f"chapters/{chapter}" for chapter in CHAPTERS
    ]
    assert shown[0] == "book/intro" and not [name for name in shown if "api" in name]


@pytest.mark.parametrize(
    "href, leads",
    [
        ("02_b.html#part", "#chapters-02_b--part"),
        ("#here", "#chapters-01_a--here"),
        ("../book/intro.html", "#book-intro"),
        ("../book/api.html#x", "#"),
        ("https://other.example/a.html", "https://other.example/a.html"),
    ],
)
def test_a_link_leads_to_its_place_in_the_one_page(href, leads):
    assert pdf.address(href, "chapters/01_a", KNOWN) == leads


def test_a_page_on_paper_has_ids_of_its_own_and_the_light_pictures():
    html = (
        '<article class="bd-article"><h1 id="top">A<a class="headerlink" href="#top">#</a></h1>'
        '<picture class="figure in-light"><source srcset="p.svg"><img loading="lazy"'
        ' src="../_images/a.svg"></picture><picture class="figure in-dark"><img src="d.svg">'
        "</picture><details><summary>More</summary>text</details><script>x</script>"
        '<h2>An exercise (10\xa0minutes)</h2><details class="hide above-input">import</details>'
        "</article>"
    )
    page = pdf.on_paper(BeautifulSoup(html, "html.parser").article, "chapters/01_a", KNOWN)
    assert page["id"] == "chapters-01_a" and page.h1["id"] == "chapters-01_a--top"
    assert [image["src"] for image in page.select("img")] == ["_images/a.svg"]
    assert not page.select("script, source, a.headerlink, img[loading]")
    assert page.details.has_attr("open") and len(page.select("details")) == 1
    assert page.h2.string == "An exercise (10 minutes)"  # as a bookmark shows it


def test_what_model_cards_fold_is_not_on_paper():
    html = '<article class="bd-article"><details class="fold">recipe</details>said</article>'
    for name, shown in (("book/models", "said"), ("chapters/01_a", "recipesaid")):
        page = pdf.on_paper(BeautifulSoup(html, "html.parser").article, name, set())
        assert page.get_text() == shown


@pytest.mark.built
def test_the_pages_are_printed_with_bookmarks_and_numbers(sites, tmp_path):  # noqa: F811
    """Two of them: the whole book takes minutes."""
    out = tmp_path / "two.pdf"
    pdf.write(HTML, out, ["book/intro", f"chapters/{CHAPTERS[0]}"])
    data = out.read_bytes()
    assert data.startswith(b"%PDF") and b"/Outlines" in data
    assert b"+MathJax_Main" in data, "the formulas stand there as TeX"
    assert len(re.findall(rb"/Type\s*/Page\b", data)) > 8


@pytest.mark.parametrize(
    "title", ["07 Condition numbers", "Questions that teachers ask, and some that nobody asked yet"]
)
def test_a_card_has_its_size_and_nothing_written_over_its_edge(title):
    picture = share_card.card("Less is more in context", title, "word " * 40)
    assert picture.size == share_card.SIZE
    width, height = picture.size
    edge = [(x, y) for x in range(width) for y in (0, height - 1)]
    edge += [(x, y) for x in (0, width - 1) for y in range(height)]
    assert {picture.getpixel(place) for place in edge} == {(255, 255, 255)}
    assert len(picture.getcolors(10_000)) > 20


@pytest.mark.built
@pytest.mark.parametrize(
    "query, first",
    [
        ("condition number", "07_condition_numbers"),
        ("bound", "12_a_bound"),
        ("rivals", "10_rivals"),
    ],
)
def test_a_page_named_by_the_query_is_found_first(browser, sites, query, first):  # noqa: F811
    with opened(browser, f"{sites['http']}/search.html?q={query.replace(' ', '+')}") as page:
        page.wait_for_selector("#search-results li a")
        page.wait_for_timeout(1000)
        link = page.locator("#search-results li a").first.get_attribute("href")
        assert first in link
