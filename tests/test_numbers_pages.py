"""What readers see of numbers on the built pages: no raw float, no nan, no zero with a sign, no
hyphen for a minus, no vague count. Code, what programs print, formulas and widgets apart.
"""

import re
from copy import copy

import pytest
from bs4 import BeautifulSoup, Comment
from test_book import HTML, pages  # noqa: F401  builds the book, or finds it built

APART = "pre, code, kbd, script, style, svg, math, .math, .sig, .svdicl, nav"
SEVEN_DIGITS = r"(?=\d+\.\d)(?=[0.]*+\d(\.?\d){6})[\d.]+"  # that count: zeros before them do not
FAULTS = {
    "a float with more than six digits": rf"(?<![\w./:])(?<!arXiv ){SEVEN_DIGITS}",
    "an exponent as Python writes it": r"\d[eE][+−-]\d",
    "nan": r"(?i)\bnan\b",
    "a sign before a zero": r"(?<![\w.])[+−-]0?\.?0+(?![\w.,]*\d)(?!\w)",
    "a change of 0.0 points": r"(?<![\d.])(?<!gain )0\.0+ points\b",  # a verdict's sum may
    "a hyphen for a minus": r"(?<![\w.,;:/)\]%+−-])-(?=\.?\d)",
    "a p-value of 0": r"\bp\s*=\s*0?\.?0+(?![\w.]*\d)",
    "a p-value far below .001": r"\bp (=|of) [\d.]*( × )?10⁻",
    "dozen": r"(?i)\bdozens?\b",
}


def visible(page: BeautifulSoup) -> list[str]:
    """The texts of an article's blocks, without what is apart, and the descriptions of its
    pictures.
    """
    article = copy(page.select_one("article"))
    described = [image.get("alt", "") for image in article.select("img")]
    for part in article.select(APART):
        part.replace_with("·")  # so that what stood around it is not joined
    for comment in article.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    blocks = article.select("p, li, td, th, h1, h2, h3, h4, dt, dd, figcaption, summary, caption")
    texts = [re.sub(r"\s+", " ", block.get_text()).strip() for block in blocks]
    return [text for text in dict.fromkeys([*texts, *described]) if text]


def faults(page: BeautifulSoup) -> list[str]:
    """Each fault of a page, with the words around it."""
    found = []
    for text in visible(page):
        for name, pattern in FAULTS.items():
            for hit in re.finditer(pattern, text):
                around = text[max(0, hit.start() - 40) : hit.end() + 20]
                found.append(f"{name}: …{around}…")
    return found


@pytest.mark.built
def test_no_page_shows_a_number_that_nobody_formatted(pages):  # noqa: F811
    read = {name: page for name, page in pages.items() if page.select_one("article")}
    assert sum(len(visible(page)) for page in read.values()) > 2000
    found = {name: faults(page) for name, page in read.items()}
    # Docstrings say when a function gives NaN, which is Python's name for it.
    for name in found:
        if name.startswith("book/api"):
            found[name] = [row for row in found[name] if not row.startswith("nan: ")]
    assert {name: rows for name, rows in found.items() if rows} == {}


@pytest.mark.parametrize(
    "text, fault",
    [
        ("<p>a gain of 0.0123456789</p>", "a float"),
        ("<p>p = 2e-267</p>", "an exponent"),
        ("<table><td>NaN</td></table>", "nan"),
        ("<p>it costs −0.0</p>", "a sign before a zero"),
        ("<li>it costs 0.0 points</li>", "a change of 0.0 points"),
        ("<p>with p = 4 × 10⁻¹⁰</p>", "a p-value far below"),
        ("<td>1234.5678</td>", "a float"),
        ("<p>from <em>-0.9</em> to 2</p>", "a hyphen for a minus"),
        ("<p>p = 0.000</p>", "a p-value of 0"),
        ("<p>a few dozen steps</p>", "dozen"),
        ('<img alt="It falls to -3.">', "a hyphen for a minus"),
    ],
)
def test_each_fault_is_found_where_it_is_planted(text, fault):
    found = faults(BeautifulSoup(f"<article>{text}</article>", "html.parser"))
    assert len(found) == 1 and found[0].startswith(fault)


def test_what_is_well_formatted_and_what_is_code_is_no_fault():
    page = BeautifulSoup(
        "<article><p>GPT-2 gains −0.9 [−1.2, −0.1] of 10.0 points, p = .03, or +0.05; see 10-20,"
        " n = 1,000, 0.0008043, 123.456. <code>-1</code></p>"
        "<p><span class='math'>-2 = 0.12345678</span></p>"
        "<pre>loss -0.0 nan 2e-267</pre><td>–</td><p>banana, Nancy</p></article>",
        "html.parser",
    )
    assert len(visible(page)) == 4 and faults(page) == []
