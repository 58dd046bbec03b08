"""Every table that a chapter shows has a number and a caption, which is a sentence of a sensible
length and says more than the heads of the table.
"""

import re

import jupytext
import pytest
from bs4 import BeautifulSoup
from test_chapters import CHAPTERS, ROOT
from test_pages import pages  # noqa: F401

LEAST, MOST, NEW = 6, 50, 4  # words of a caption, and those of them that the heads do not say
WORD = re.compile(r"[^\W\d_]{3,}")


def faults(table) -> list[str]:
    """What a table on a page lacks; nothing if it has all."""
    figure = table.find_parent("figure", class_="tabled")
    number = figure and figure.select_one("figcaption .caption-number")
    if not number or not re.fullmatch(r"Table \d+\.\d+ ", number.text):
        return ["no caption with a number"]
    said = re.sub(r"\\\(.*?\\\)", "", figure.select_one("figcaption .caption-text").text)
    words = [word for word in said.split() if re.search(r"[^\W\d_]", word)]
    heads = {word.lower() for cell in table.select("thead *") for word in WORD.findall(cell.text)}
    new = {word.lower() for word in WORD.findall(said)} - heads
    return [
        *(["no sentence"] if not said.strip().endswith(".") else []),
        *([f"{len(words)} words"] if not LEAST <= len(words) <= MOST else []),
        *(["says no more than the heads"] if len(new) < NEW else []),
    ]


def shown(page) -> list:
    """The tables of a page, without those of widgets, and those that are the answer to a guess."""
    apart = ".widget, .widget-stand-in, .svdicl, .asks"
    return [t for t in page.select("article table") if not t.find_parent(css(page, apart))]


def css(page, selector):
    """A filter for `find_parent`: whether an element is one of those."""
    found = {id(node) for node in page.select(selector)}
    return lambda node: id(node) in found


@pytest.mark.built
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_each_table_of_a_chapter_has_a_caption_that_says_something(chapter, pages):  # noqa: F811
    tables = shown(pages[f"chapters/{chapter}"])
    assert tables
    wrong = [(table.get_text(" ", strip=True)[:60], faults(table)) for table in tables]
    assert [one for one in wrong if one[1]] == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_name_of_a_table_says_its_chapter(chapter):
    for cell in jupytext.read(ROOT / f"chapters/{chapter}.md").cells:
        said = cell.metadata.get("table", [])
        for one in said if isinstance(said, list) else [said]:
            assert one["name"].startswith(f"tbl-ch{chapter[:2]}-"), one["name"]


@pytest.mark.parametrize(
    "number, caption, says",
    [
        ("", "Shares of energy that are left by a clip.", ["no caption with a number"]),
        ("Table 5.1 ", "Shares of energy that are left by a clip.", []),
        ("Table 5.1 ", "Shares of energy that are left by a clip", ["no sentence"]),
        ("Table 5.1 ", "Shares of energy.", ["3 words", "says no more than the heads"]),
        ("Table 5.1 ", "The role, and the energy, the energy.", ["says no more than the heads"]),
    ],
)
def test_what_a_caption_lacks_is_seen(number, caption, says):
    mark = f'<span class="caption-number">{number}</span>' if number else ""
    page = BeautifulSoup(
        f'<article><figure class="tabled"><figcaption><p>{mark}<span class="caption-text">{caption}'
        "</span></p></figcaption><table><thead><tr><th>role</th><th>energy</th></tr></thead></table>"
        "</figure><div class='widget'><table></table></div></article>",
        "html.parser",
    )
    (table,) = shown(page)
    assert faults(table) == says
