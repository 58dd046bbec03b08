"""What a link shows before it is followed: a citation its reference, a link to a figure the
figure. (Terms of the glossary: `tests/test_share.py`.)
"""

import sys
from types import SimpleNamespace

import pytest
from browsers import opened
from docutils import nodes
from test_browser import overflow, sites  # noqa: F401
from test_chapters import ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import glossary_tips


def test_a_citation_hands_its_reference_from_the_pointer_to_everyone():
    link = nodes.reference("", "Yao", refuri="../book/references.html#id1", reftitle="Yao. SVD.")
    other = nodes.reference("", "x", refuri="https://a.example", reftitle="elsewhere")
    glossary_tips._tip(
        SimpleNamespace(svdicl_terms={}), nodes.paragraph("", "", link, other), "chapters/01_a"
    )
    assert link["tip"] == "Yao. SVD." and "reftitle" not in link
    assert "tip" not in other and other["reftitle"] == "elsewhere"


@pytest.mark.built
def test_a_citation_shows_its_reference_at_focus(browser, sites):  # noqa: F811
    with opened(browser, f"{sites['file']}/chapters/05_clip_and_see.html", width=390) as page:
        link = page.locator("article a[data-tip][href*='references.html']").first
        link.scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        link.focus()
        tip = page.locator("#glossary-tip")
        assert tip.inner_text() == link.get_attribute("data-tip") and len(tip.inner_text()) > 40
        assert not link.get_attribute("title") and overflow(page) == 0
        page.keyboard.press("Escape")
        assert not tip.is_visible()


@pytest.mark.built
@pytest.mark.parametrize("width", [1280, 390])
def test_a_link_to_a_figure_shows_it_with_its_caption(browser, sites, width):  # noqa: F811
    name = "06_how_many_demonstrations"
    with opened(browser, f"{sites['file']}/chapters/{name}.html", width=width) as page:
        page.evaluate("document.querySelectorAll('article details').forEach((d) => d.open = true)")
        figure = page.locator("#fig-ch06-place")
        figure.scroll_into_view_if_needed()
        link = page.locator("article a[href='#fig-ch06-place'].internal:not(.headerlink)").first
        link.scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        link.focus()
        tip = page.locator("#glossary-tip")
        tip.locator("img").evaluate("image => image.decode()")
        box = tip.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width and 0 <= box["y"] < 900
        assert tip.inner_text() == figure.locator("figcaption p").inner_text().rstrip("#")
        shown = figure.locator("img:visible").evaluate("image => image.currentSrc")
        assert tip.locator("img").get_attribute("src") == shown
        assert page.faults == [] and overflow(page) == 0
