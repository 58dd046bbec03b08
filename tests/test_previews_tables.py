"""A link to a table of the page shows it, caption first, under the pointer and at focus."""

import pytest
from browsers import opened
from test_browser import overflow, sites  # noqa: F401


@pytest.mark.built
@pytest.mark.parametrize("width", [1280, 390])
def test_a_link_to_a_table_shows_it_with_its_caption(browser, sites, width):  # noqa: F811
    with opened(browser, f"{sites['file']}/book/should_i.html", width=width) as page:
        link = page.locator("article a.internal[href='#tbl-should-i']:not(.headerlink)").first
        link.scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        tip = page.locator("#glossary-tip")
        caption = page.locator("#tbl-should-i figcaption p").inner_text().rstrip("#")
        for reach in (link.hover, link.focus):
            reach()
            assert tip.inner_text().startswith(caption)
            assert tip.locator("tbody tr").count() == 4
            box = tip.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["y"] >= 0
            page.keyboard.press("Escape")
            assert not tip.is_visible()
        assert page.faults == [] and overflow(page) == 0
