"""The first page: what it says of the chapters is what they say, and its button and cards lead
on.
"""

import re
import sys

import numpy as np
import pytest
from browsers import opened, sides
from test_browser import overflow, sites  # noqa: F401
from test_chapters import CHAPTERS, ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import cards
import findings
import glance


def test_there_is_a_card_for_each_chapter_in_the_order_of_the_book():
    shown = [card for _, part in cards.parts(ROOT / "_toc.yml") for card in part]
    assert [card.name for card in shown] == CHAPTERS
    for card in shown:
        text = (ROOT / f"chapters/{card.name}.md").read_text()
        assert f"\n# {card.title}\n" in text and f"about {card.minutes} minutes to read" in text
        first = card.learnt[0].lower() + card.learnt[1:30].split("`")[0]
        assert "{" not in card.learnt and f"- {first[:20]}" in text


def test_roles_on_a_card_are_plain_words(tmp_path):
    chapter = tmp_path / "99_a.md"
    chapter.write_text(
        "# A\n\nAfter this chapter you can\n\n- {term}`clip <to clip>` $x$ by {term}`energy`;\n"
        "- more\n\n**It takes** about 7 minutes to read.\n"
    )
    assert cards.read(chapter) == ("99_a", "A", "Clip $x$ by energy", 7)


def test_a_chapter_that_says_less_is_named(tmp_path):
    chapter = tmp_path / "99_a.md"
    chapter.write_text("# A\n\nAfter this chapter you can\n\n- read\n")
    with pytest.raises(ValueError, match=r"99_a\.md has no .*It takes"):
        cards.read(chapter)


@pytest.mark.built
@pytest.mark.parametrize("width, height, screens", [(1280, 800, 1.15), (390, 844, 1.45)])
def test_the_first_screen_has_the_ways_on_and_the_picture(browser, sites, width, height, screens):  # noqa: F811
    with opened(browser, f"{sites['file']}/book/intro.html", width) as page:
        page.set_viewport_size({"width": width, "height": height})
        top, end = lambda where: sides(page, where)[0], lambda where: sides(page, where)[1]
        assert top(".lead") < top(".answer") < top(".starts") < top(".widget") < top("article h2")
        assert end(".starts a") < 0.65 * height, "both ways on are seen at once"
        assert end(".held tbody") < height, "so are the fifty, before anything is scrolled"
        assert end(".held") < top(".told") and end(".told") < screens * height, "then one of them"
        if width == 1280:
            card = sides(page, ".svdicl")
            assert card[1] - card[0] <= 580, "all else is folded"
        assert page.locator(".starts a").last.get_attribute("href").startswith("findings.html")
        page.locator("a.start").click()
        page.wait_for_url("**/chapters/01_*")


def test_the_answer_below_the_question_is_what_the_findings_hold():
    text = (ROOT / "book/intro.md").read_text()
    answer = re.search(r"removed\?\n\n\{\.answer\}\n\*\*(.+)\*\*\n", text)[1]
    page = (ROOT / "book/findings.md").read_text()
    verdict = lambda name: re.search(rf"^name: {name}\nverdict: (.+)$", page, re.MULTILINE)[1]
    for words, name in (
        ("Sometimes more of its answers are right", "accuracy"),
        ("mostly because a threshold moved", "lean"),
        ("calibration does without touching a weight", "calibration"),
    ):
        assert words in answer and verdict(name) == "holds"


def test_a_finding_of_the_first_page_has_a_verdict_a_claim_and_a_number_to_draw():
    block = re.search(r"```\{glance\}\n(.*?)```", (ROOT / "book/intro.md").read_text(), re.DOTALL)
    rows = [[part.strip() for part in line.split("|")] for line in block[1].splitlines()]
    assert len(rows) == 5 and {len(row) for row in rows} == {glance.PARTS}
    for verdict, found, paper, kind, number in rows:
        assert found.startswith("Not shown that ") == (verdict == "not shown")
        assert not paper.startswith("The paper"), "that is said for it"
        assert verdict in findings.SIGNS and kind in findings.DRAWN
        assert findings.GLUE.match(number), "the number is a chapter's, not typed"


@pytest.mark.built
@pytest.mark.parametrize("width", [1280, 390])
def test_the_findings_of_the_first_page_are_drawn_on_one_scale(browser, sites, width):  # noqa: F811
    with opened(browser, f"{sites['file']}/book/intro.html", width) as page:
        bars = page.locator(".glance .bar")
        assert bars.count() == 5 and overflow(page) == 0
        left = "all => all.map(one => one.getBoundingClientRect().x)"
        assert np.ptp(bars.evaluate_all(left)) < 1, "counts stand below them"
        zeros = page.locator(".glance .bar:not(.count) .zero")
        assert np.ptp(zeros.evaluate_all(left)) < 1 and zeros.count() == 3
        named = bars.evaluate_all("all => all.map(one => one.textContent)")
        assert [text.strip() for text in named] == ["−200+20+40"] * 3 + ["", ""]


@pytest.mark.built
def test_a_card_is_clicked_anywhere_and_reached_from_the_keyboard(browser, sites):  # noqa: F811
    with opened(browser, f"{sites['file']}/book/intro.html", width=390) as page:
        shown = page.locator(".chapter-card")
        assert shown.count() == len(CHAPTERS) and overflow(page) == 0
        assert shown.locator("a").evaluate_all("all => all.every((a) => a.tabIndex === 0)")
        card = shown.nth(2)
        card.scroll_into_view_if_needed()
        box = card.locator("p").last.bounding_box()
        page.mouse.click(box["x"] + 30, box["y"] + 5)
        page.wait_for_url("**/chapters/03_*")


@pytest.mark.built
@pytest.mark.parametrize("how", ["pointer", "keyboard"])
def test_a_figure_is_seen_large_and_goes_with_escape(browser, sites, how):  # noqa: F811
    with opened(browser, f"{sites['file']}/chapters/05_clip_and_see.html", width=390) as page:
        page.get_by_role("button", name="Show it anyway").first.press("Enter")
        pair, large = page.locator(".figure-pair").first, page.locator("#large-figure")
        pair.scroll_into_view_if_needed()
        small = pair.locator("img:visible").bounding_box()["width"]
        button = pair.locator("button")
        if how == "pointer":
            pair.locator("img:visible").click()
        else:
            button.focus()
            page.keyboard.press("Enter")
        image = large.locator("img")
        image.evaluate("image => image.decode()")
        assert image.bounding_box()["width"] > 1.5 * small
        assert image.get_attribute("src").endswith("-wide-light.svg")
        assert image.get_attribute("alt") == pair.locator("img").first.get_attribute("alt")
        assert large.locator("figcaption").inner_text().startswith("Figure 5.1 ")
        middle = "box => Math.abs(2 * box.scrollLeft + box.clientWidth - box.scrollWidth)"
        assert large.evaluate(middle) <= 2 and image.bounding_box()["x"] < 0
        page.keyboard.press("Escape")
        assert not large.is_visible() and page.faults == []
        if how == "keyboard":
            assert button.evaluate("button => button === document.activeElement")
