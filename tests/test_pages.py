"""What surrounds the text of a page: numbers of chapters, tables that nobody cuts, icons."""

import re
import sys
from pathlib import Path

import pytest
from browsers import opened
from bs4 import BeautifulSoup
from test_browser import HTML, overflow, sites  # noqa: F401
from test_chapters import CHAPTERS, ROOT, built_book

sys.path.insert(0, str(ROOT / "book/_ext"))
import chapter_numbers
import icons


@pytest.fixture(scope="module")
def pages():
    built_book()
    return {
        path.relative_to(HTML).with_suffix("").as_posix(): BeautifulSoup(
            path.read_text(), "html.parser"
        )
        for path in HTML.rglob("*.html")
        if "_static" not in path.parts and path.name != "index.html"
    }


# Numbers


def test_a_number_has_two_digits_and_what_has_none_keeps_none():
    assert chapter_numbers.padded((7,)) == ("07",)
    assert chapter_numbers.padded((12, 3)) == ("12", 3)
    assert chapter_numbers.padded(("07",)) == ("07",)
    assert chapter_numbers.padded(None) is None


@pytest.mark.built
def test_a_chapter_shows_the_number_of_its_file_in_title_heading_and_sidebar(pages):
    for chapter in CHAPTERS:
        page, number = pages[f"chapters/{chapter}"], chapter[:2]
        assert page.title.text.strip().startswith(f"{number} "), chapter
        assert page.select_one("article h1 .section-number").text.strip() == number
        entry = pages["book/intro"].select_one(f"nav.bd-links a[href*='{chapter}']")
        assert entry.text.strip().startswith(f"{number} "), chapter
        assert not page.select("article h2 .section-number, article h3 .section-number")


@pytest.mark.built
def test_what_is_no_chapter_has_no_number(pages):
    for name, page in pages.items():
        if name.startswith("book/"):
            assert not page.select("article h1 .section-number"), name


@pytest.mark.built
def test_a_figure_of_a_chapter_is_counted_within_it(pages):
    numbers = [
        (chapter, caption.text)
        for chapter in CHAPTERS
        for caption in pages[f"chapters/{chapter}"].select("figure:not(.tabled) .caption-number")
    ]
    assert len(numbers) > 20
    for chapter, text in numbers:
        assert re.fullmatch(rf"Figure {int(chapter[:2])}\.\d+ ", text), (chapter, text)


# Tables


SHOWN = """() => [...document.querySelectorAll(".bd-article table")]
  .filter((table) => table.checkVisibility({ visibilityProperty: true }))
  .filter((table) => !table.closest(".svdicl"))
  .map((table) => {
    const box = table.closest(".output, .pst-scrollable-table-container, details");
    const style = getComputedStyle(table);
    return {
      wide: box.scrollWidth > box.clientWidth + 2, says: getComputedStyle(box, "::before").content,
      reached: box.tabIndex === 0, past: table.getBoundingClientRect().right - innerWidth,
      figures: style.fontVariantNumeric, size: parseFloat(style.fontSize),
      folded: box.matches("details"), text: table.innerText.slice(0, 60),
    };
  })"""


# The page's script has looked at every box since the last change of width.
SETTLED = f"""() => ({SHOWN})().every(({{ wide, reached }}) => reached || !wide)"""


@pytest.mark.built
@pytest.mark.parametrize("name", [f"chapters/{chapter}" for chapter in CHAPTERS])
def test_no_table_is_cut_on_a_laptop_and_on_a_phone_a_wide_one_says_so(browser, sites, name):  # noqa: F811
    with opened(browser, f"{sites['file']}/{name}.html", reduced_motion="reduce") as page:
        page.evaluate("document.querySelectorAll('article details').forEach((d) => d.open = true)")
        page.wait_for_timeout(300)
        page.wait_for_function(SETTLED)
        for table in page.evaluate(SHOWN):  # all the data of a widget may scroll, and say so
            told = table["folded"] and "scroll" in table["says"] and table["reached"]
            assert not table["wide"] or told, table
            assert "tabular-nums" in table["figures"], table
            assert table["size"] >= 11, table
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_timeout(500)
        page.wait_for_function(SETTLED)
        for table in page.evaluate(SHOWN):
            assert not table["wide"] or ("scroll" in table["says"] and table["reached"]), table
        assert overflow(page) == 0


@pytest.mark.built
def test_a_table_wider_than_its_page_can_be_read_to_its_end(browser, sites):  # noqa: F811
    """The hint at the edge is there until the last column has come; here of a table made wider, for
    few of the book's are."""
    with opened(browser, f"{sites['file']}/chapters/08_algorithm_1.html", width=390) as page:
        page.add_style_tag(
            content=".bd-content .output table.table { min-width: 50rem !important }"
        )
        page.set_viewport_size({"width": 380, "height": 844})
        box = page.locator(".output.scrolls:visible").first
        assert "more" in box.get_attribute("class").split()
        box.focus()
        box.evaluate("node => node.scrollLeft = node.scrollWidth")
        page.wait_for_function("node => !node.matches('.more')", arg=box.element_handle())


@pytest.mark.built
def test_in_print_code_wraps_and_no_table_is_behind_an_edge(browser, sites):  # noqa: F811
    with opened(browser, f"{sites['file']}/chapters/08_algorithm_1.html", width=700) as page:
        page.emulate_media(media="print")
        wraps = page.eval_on_selector_all(
            ".bd-article .highlight pre",
            "all => all.map((pre) => getComputedStyle(pre).whiteSpace)",
        )
        assert set(wraps) == {"pre-wrap"}
        boxes = page.eval_on_selector_all(
            ".bd-article .output", "all => all.map((box) => getComputedStyle(box).overflowX)"
        )
        assert set(boxes) == {"visible"}


# Icons


def test_signs_of_a_sheet_are_found_however_they_are_written():
    style = (
        r'a::after { content: "\f0c9" } html { --pst-icon: "' + chr(0xF00D) + '"; } b { c: "x" }'
    )
    assert icons.signs(style) == {0xF0C9, 0xF00D}


def test_a_face_holds_the_signs_that_the_sheet_names_and_nothing_else():
    import base64
    import io

    import pydata_sphinx_theme
    from fontTools.ttLib import TTFont

    theme = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static"
    style = (
        "@font-face{font-family:Font Awesome\\ 6 Free;font-weight:900;"
        "src:url(../webfonts/fa-solid-900.woff2) format('woff2'),url(x/fa-solid-900.ttf)}"
        '.fa-bars::before { content: "\\f0c9" }'
    )
    fonts, page = theme / "vendor/fontawesome/webfonts", '<i class="fa-solid fa-bars"></i>'
    made = icons.with_cut_fonts(style, fonts, [page])
    assert "base64" not in icons.with_cut_fonts(style, fonts, ['<i class="fa-regular">fa-solid'])
    data = re.search(r'url\("data:font/woff;base64,([^"]+)"\) format\("woff"\)\}', made)[1]
    font = TTFont(io.BytesIO(base64.b64decode(data)))
    assert set(font.getBestCmap()) == {0xF0C9} and ".woff2" not in made and len(data) < 4000


@pytest.mark.built
def test_every_icon_is_drawn_and_every_button_has_a_name(browser, sites):  # noqa: F811
    """The font has the sign of each icon on the page; a button says what it does without it."""
    with opened(browser, f"{sites['http']}/chapters/05_clip_and_see.html") as page:
        loaded = page.evaluate("performance.getEntriesByType('resource').map(({ name }) => name)")
        assert not [name for name in loaded if "fontawesome" in name]
        page.evaluate("document.fonts.ready")
        drawn = page.eval_on_selector_all(
            "i[class*=fa-]",
            """icons => icons.map((icon) => {
              const style = getComputedStyle(icon, "::before");
              return [icon.className, style.content.slice(1, -1), style.fontFamily];
            })""",
        )
        kept = icons.signs((HTML / "_static/styles/book-in-one.css").read_text())
        assert len(drawn) > 10
        for name, sign, family in drawn:
            assert len(sign) == 1 and ord(sign) in kept and "Awesome" in family, name
        nameless = page.eval_on_selector_all(
            "button, label[role=button]",
            """all => all.filter((button) => !(button.getAttribute("aria-label")
              || button.title || button.innerText.trim() || button.dataset.bsOriginalTitle))
              .map((button) => button.outerHTML.slice(0, 120))""",
        )
        assert nameless == []
