"""What stands around the text: the way home stays, a widget is as wide as the column,
formulas are where a phone's reader sees them.
"""

import pytest
from browsers import opened
from test_browser import sites  # noqa: F401
from test_chapters import ROOT

EDGES = "node => [node.getBoundingClientRect().left, node.getBoundingClientRect().right]"


def edges(page, place):
    return pytest.approx(page.locator(place).first.evaluate(EDGES), abs=1.5)


@pytest.mark.built
def test_logo_and_search_stay_while_the_list_of_chapters_scrolls(browser, sites):  # noqa: F811
    with opened(browser, f"{sites['file']}/chapters/13_other_architectures.html") as page:
        sidebar = page.locator(".bd-sidebar-primary")
        sidebar.evaluate("node => node.scrollTop = node.scrollHeight")
        assert sidebar.evaluate("node => node.scrollTop") > 100, "nothing scrolled"
        tops = [page.locator(f".bd-sidebar-primary {one}") for one in (".logo", "button")]
        logo, search = (top.first.bounding_box() for top in tops)
        assert 0 <= logo["y"] < search["y"] < 120 and logo["y"] + logo["height"] <= search["y"]
        last = page.locator(".bd-sidebar-primary nav a").last.bounding_box()
        assert last["y"] > search["y"] + search["height"]


@pytest.mark.built
@pytest.mark.parametrize("width", [1600, 1280, 390])
def test_a_widget_and_the_cards_at_the_end_are_as_wide_as_the_column(browser, sites, width):  # noqa: F811
    with opened(browser, f"{sites['file']}/book/intro.html", width=width) as page:
        column = edges(page, "article > section")  # lines of words are shorter
        assert page.locator(".cell_output:has(> .widget)").evaluate(EDGES) == column
        assert page.locator("article .lead").evaluate(EDGES)[0] == column.expected[0]
        assert page.locator(".prev-next-area").evaluate(EDGES) == column
        query = page.get_by_label("Query")
        page.wait_for_timeout(100)
        assert query.evaluate("node => node.scrollHeight <= node.clientHeight + 1"), "it is cut"
        assert query.evaluate("node => node.scrollWidth <= node.clientWidth + 1"), "it is cut"


@pytest.mark.built
@pytest.mark.parametrize("name", ["10_rivals", "12_a_bound", "15_your_model"])
def test_on_a_phone_a_displayed_formula_is_whole_and_can_be_read(browser, sites, name):  # noqa: F811
    with opened(browser, f"{sites['file']}/chapters/{name}.html", width=390) as page:
        page.wait_for_timeout(300)
        told = page.eval_on_selector_all(
            ".bd-article div.math > mjx-container",
            """all => all.map((one) => [one.scrollWidth - one.clientWidth,
              parseFloat(getComputedStyle(one).fontSize) * (one.style.zoom || 1)])""",
        )
        assert told and all(more <= 2 and size >= 11 for more, size in told), told


@pytest.mark.built
def test_a_chapter_says_its_part_and_minutes_below_its_title(browser, sites):  # noqa: F811
    with opened(browser, f"{sites['file']}/chapters/05_clip_and_see.html") as page:
        told = page.locator("article h1 + .chapter-facts").inner_text()
        text = (ROOT / "chapters/05_clip_and_see.md").read_text()
        assert told.startswith("The phenomenon · ")
        assert f"about {told.split(' · ')[1].split()[0]} minutes to read" in text
