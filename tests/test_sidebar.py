"""What stands around a page: the list of pages and its folded part, the tools, the header of a
phone, the mark in the contents, the line at the foot.
"""

import sys

import pytest
from browsers import opened
from bs4 import BeautifulSoup
from test_browser import sites  # noqa: F401
from test_chapters import ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import cite_book
import sidebar

LIST = '<p class="caption">{}</p><ul><li class="toctree-l1{}"><a href="a.html">A</a></li></ul>'
PHONE = {"width": 390, "height": 844}
MARKED = "[...document.querySelectorAll('.of-page a.active')].map((one) => one.textContent)"
LONG = "chapters/08_algorithm_1.html"


@pytest.mark.parametrize("current, opens", [("", False), (" current active", True)])
def test_a_part_is_folded_unless_one_is_in_it(current, opens):
    listed = LIST.format("One", "") + LIST.format("Teaching", current)
    soup = BeautifulSoup(sidebar.folded(listed), "html.parser")
    (part,) = soup.select("details")
    assert part.summary.get_text() == "Teaching" and part.has_attr("open") == opens
    assert [link.get_text() for link in part.select("ul a")] == ["A"]
    assert [one.name for one in soup.find_all(recursive=False)] == ["p", "ul", "details"]


def test_the_headers_signs_in_words():
    def button(kind, label, text, **more):
        return {"type": kind, "label": label, "text": text, **more}

    group = [
        button("link", "download-source-button", ".ipynb", url="a.ipynb"),
        button("javascript", "download-pdf-button", ".pdf", javascript="window.print()"),
    ]
    header = [
        {"type": "group", "buttons": group},
        button("javascript", "fullscreen-button", "", javascript="x()"),
        button("link", "source-edit-button", "Suggest edit", url="e", tooltip="Suggest edit"),
    ]
    assert sidebar.tools(header) == [
        {"words": "Download this page as a notebook", "url": "a.ipynb"},
        {"words": "Print this page", "javascript": "window.print()"},
        {"words": "Suggest edit", "url": "e"},
    ]
    text = [button("link", "download-source-button", ".md", url="a.md")]
    assert sidebar.tools(text)[0]["words"] == "Download the text of this page"


def test_a_title_without_markup():
    assert sidebar.plain('<span class="n">08 </span>A &amp; <em>B</em> ') == "08 A & B"


def test_the_foot_says_whose_which_and_under_what():
    said = {"authors": [{"name": "The Group"}], "date-released": "2026-01-02"}
    told = cite_book.colophon(said | {"version": "1.2", "license": "MIT"})
    assert told == "By the Group, 2026 · version 1.2 · MIT licence"


@pytest.mark.built
def test_a_phones_header_has_the_title_once_the_pages_own_is_gone(browser, sites):  # noqa: F811
    with opened(browser, f"{sites['file']}/{LONG}") as page:
        page.set_viewport_size(PHONE)
        title = page.locator(".header-title")
        assert not title.is_visible()
        page.evaluate("scrollTo(0, 1500)")
        title.wait_for(state="visible")
        assert title.inner_text() == "08 Algorithm 1"
        assert title.evaluate("node => getComputedStyle(node).fontSize") == "15px"
        shown = page.locator(".bd-header-article :is(a, button)").all()
        names = [one.get_attribute("aria-label") or one.inner_text() for one in shown]
        seen = [" ".join(name.split()) for name, one in zip(names, shown) if one.is_visible()]
        assert seen == ["List of pages", "08 Algorithm 1", "Search", "Contents of this page"]
        lefts = [one.bounding_box() for one in shown if one.is_visible()]
        assert all(a["x"] + a["width"] <= b["x"] + 1 for a, b in zip(lefts, lefts[1:]))
        title.click()
        page.wait_for_function("scrollY < 100")
        title.wait_for(state="hidden")


@pytest.mark.built
def test_a_phones_menu_has_the_tools_and_the_way_home(browser, sites):  # noqa: F811
    with opened(browser, f"{sites['file']}/{LONG}") as page:
        assert not page.locator(".page-tools").is_visible(), "a desk has them in its header"
        assert page.locator(".header-tools .theme-switch-button").is_visible()
        page.set_viewport_size(PHONE)
        page.get_by_role("button", name="List of pages").click()
        menu = page.get_by_role("dialog")
        assert menu.get_by_role("link", name="Less is more in context").is_visible()
        assert menu.get_by_role("link", name="Download this page as a notebook").is_visible()
        assert not menu.get_by_text("full", exact=False).count()
        before = page.evaluate("document.documentElement.dataset.mode")
        menu.get_by_role("button", name="Light, dark").click()
        assert page.evaluate("document.documentElement.dataset.mode") != before


@pytest.mark.built
def test_teaching_is_folded_and_opens_from_the_keyboard(browser, sites):  # noqa: F811
    with opened(browser, f"{sites['file']}/{LONG}") as page:
        inside = page.locator(".toc-part a").first
        assert not inside.is_visible()
        page.locator(".toc-part > summary").press("Enter")
        inside.wait_for(state="visible")
    with opened(browser, f"{sites['file']}/book/teaching/faq.html") as page:
        assert page.locator(".toc-part a.current").is_visible()


@pytest.mark.built
def test_the_contents_mark_the_section_that_is_read(browser, sites):  # noqa: F811
    with opened(browser, f"{sites['file']}/{LONG}", reduced_motion="reduce") as page:
        links = page.locator(".of-page > ul > li > a")
        names = [name.strip() for name in links.all_inner_texts()]
        assert page.evaluate(MARKED) == []
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        page.wait_for_function(f"{MARKED}.length === 1")
        assert [one.strip() for one in page.evaluate(MARKED)] == names[-1:]
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_function(f"{MARKED}.length === 0")
        links.nth(2).click()
        assert [one.strip() for one in page.evaluate(MARKED)] == names[2:3]
        page.wait_for_timeout(1100)
        page.mouse.wheel(0, 40)
        page.wait_for_timeout(200)
        assert [one.strip() for one in page.evaluate(MARKED)] == names[2:3]


@pytest.mark.built
def test_the_foot_of_each_page_leads_to_how_to_cite(browser, sites):  # noqa: F811
    with opened(browser, f"{sites['file']}/{LONG}") as page:
        foot = page.locator(".bd-footer-content .component-author")
        assert foot.inner_text().startswith(cite_book.colophon(cite_book.citation()))
        assert foot.get_by_role("link").get_attribute("href") == (
            "../book/references.html#citing-this-book"
        )
