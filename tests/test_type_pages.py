"""The type of the built pages, in a browser: letters are ours, edges meet, code and output are one
box.
"""

import re

import pytest
from browsers import opened
from test_browser import HTML, sites  # noqa: F401

PAGES = ["chapters/01_singular_values", "chapters/05_clip_and_see", "chapters/10_rivals"]
pytestmark = pytest.mark.built


MARK = """(selector) => {
  document.querySelector("#looked-at")?.removeAttribute("id");
  const seen = (node) => node.checkVisibility() && !node.closest(".widget");
  [...document.querySelectorAll(selector)].find(seen).id = "looked-at";
}"""


def families(page, selector):
    """Names of the fonts in which a browser has drawn the first such node that is seen."""
    page.evaluate(MARK, selector)
    tools = page.context.new_cdp_session(page)
    tools.send("DOM.enable")
    tools.send("CSS.enable")
    root = tools.send("DOM.getDocument")["root"]["nodeId"]
    node = tools.send("DOM.querySelector", {"nodeId": root, "selector": "#looked-at"})["nodeId"]
    fonts = tools.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
    assert all(font["isCustomFont"] for font in fonts), fonts
    return {font["familyName"] for font in fonts}


@pytest.mark.parametrize("way", ["http", "file"])
def test_letters_come_from_the_book_and_from_no_system(browser, sites, way):  # noqa: F811
    with opened(browser, f"{sites[way]}/chapters/05_clip_and_see.html") as page:
        assert families(page, "article section > p:not(.chapter-facts)") == {"Book Serif"}
        for selector in ("article h2", "article figcaption", "article table tbody tr", "nav a"):
            assert families(page, selector) <= {"Book Sans", "MathJax_Math"}, selector
        assert families(page, "article .cell_input pre") == {"Book Code"}


def test_variables_have_the_letters_of_formulas_wherever_they_stand(browser, sites):  # noqa: F811
    with opened(browser, f"{sites['http']}/chapters/05_clip_and_see.html") as page:
        for tag in ("p", "figcaption", "td", "h2"):
            page.evaluate(MARK, f"article {tag}")
            page.evaluate("document.querySelector('#looked-at').innerHTML = '<i class=xi>ξκσ</i>'")
            page.evaluate("document.fonts.load('12px \"Book Maths\"', 'ξ')")
            assert families(page, f"article {tag} > .xi") == {"MathJax_Math"}, tag


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_all_begins_at_the_left_edge_of_the_text(browser, sites, name, width):  # noqa: F811
    """Text, code, figures, drawings, captions and displayed formulas; and none is wider than the
    column."""
    with opened(browser, f"{sites['file']}/{name}.html", width) as page:
        left, right, *boxes = page.evaluate(
            """() => {
              const column = document.querySelector("article > section").getBoundingClientRect();
              const inside = ".cell_input, figure, figcaption, picture:not(.in-dark) img";
              const nodes = document.querySelectorAll(`article section > .cell :is(${inside}),
                article section > :is(p, h2, .cell, figure, .admonition, div.math)`);
              const boxes = [...nodes].filter((node) => node.checkVisibility()
                && !node.closest(".widget")).map((node) => {
                const { left, right } = node.getBoundingClientRect();
                return [left, right, node.outerHTML.slice(0, 80)];
              });
              return [column.left, column.right, ...boxes];
            }"""
        )
        assert len(boxes) > 30
        assert not [box for box in boxes if abs(box[0] - left) > 1 or box[1] > right + 1]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_a_cell_prints_is_one_box_with_its_code(browser, sites, theme):  # noqa: F811
    with opened(browser, f"{sites['file']}/chapters/05_clip_and_see.html", theme=theme) as page:
        seams = page.evaluate(
            """() => {
              const said = "> .cell_input + .cell_output > :is(.stream, .text_plain):first-child";
              return [...document.querySelectorAll(`.cell:has(${said})`)].map((cell) => {
                const code = cell.querySelector(".cell_input pre");
                const out = cell.querySelector(".cell_output pre");
                const [a, b] = [code, out].map((node) => node.getBoundingClientRect());
                const corners = getComputedStyle(code).borderBottomLeftRadius
                  + getComputedStyle(out).borderTopLeftRadius;
                return [b.top - a.bottom, b.left - a.left, b.right - a.right, corners];
              });
            }"""
        )
        assert len(seams) > 3 and all(
            max(map(abs, seam[:3])) <= 0.5 and seam[3] == "0px0px" for seam in seams
        )


@pytest.mark.parametrize("name", PAGES)
def test_code_fits_its_column_on_a_desk_and_is_large_enough(browser, sites, name):  # noqa: F811
    with opened(browser, f"{sites['file']}/{name}.html") as page:
        found = page.evaluate(
            """() => [...document.querySelectorAll("article .cell_input .highlight pre")]
              .map((node) => [node.scrollWidth - node.clientWidth,
                parseFloat(getComputedStyle(node).fontSize)])"""
        )
        assert len(found) > 10 and max(past for past, _ in found) <= 0
        assert min(size for _, size in found) >= 13.5
        text = page.locator("article section > p:not(.chapter-facts)").first
        size, width = text.evaluate(
            "n => [parseFloat(getComputedStyle(n).fontSize), n.offsetWidth]"
        )
        assert 18 <= size <= 19 and 65 <= width / (0.443 * size) <= 80, "letters in a line"


def test_figures_and_tables_say_their_number_in_bold(browser, sites):  # noqa: F811
    with opened(browser, f"{sites['file']}/chapters/05_clip_and_see.html") as page:
        numbers = page.locator("article figcaption .caption-number").all()
        assert len(numbers) > 3
        for number in numbers:
            assert re.fullmatch(r"(Figure|Table) 5\.\d+ ?", number.text_content())
            assert number.evaluate("n => getComputedStyle(n).fontWeight") == "600"


def test_a_setup_cell_says_what_it_is():
    page = (HTML / "chapters/05_clip_and_see.html").read_text()
    assert page.count("Code: imports and settings</p>") == 2 and "code cell source" not in page
