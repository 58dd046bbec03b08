"""Figures and tables begin with the chapter, Figure 7.1, or on a page that is no chapter with 1; a
reference from another page says which page that is.
"""

import re
import sys

import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace
from test_chapters import CHAPTERS, ROOT
from test_pages import pages  # noqa: F401

sys.path.insert(0, str(ROOT / "book/_ext"))
import chapter_numbers

TABLE = "```{table} A caption.\n:name: tbl-%s\n\n| a |\n|---|\n| b |\n```\n"


def page(title, name, *named):
    """A page with two tables, and references to the tables that are named."""
    tables = "\n".join(TABLE % f"{name}-{at}" for at in "xy")
    refs = ", ".join(f"{{numref}}`tbl-{one}`" for one in named)
    return f"# {title}\n\n{tables}\nSee {refs}, {{numref}}`table %s <tbl-two-x>`.\n"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A book of two pages before a chapter, each with two tables; the soups of its pages."""
    home = tmp_path_factory.mktemp("numbers")
    (home / "other").mkdir()
    trees = "\n\n".join(
        f"```{{toctree}}\n{lines}\n```" for lines in ("two", ":numbered: 1\nother/three")
    )
    texts = {
        "index": page("A *book*", "one", "one-y", "two-x", "three-y") + trees,
        "two": page("Page two", "two", "two-x", "three-x", "one-x"),
        "other/three": page("Chapter", "three", "three-x", "two-y", "one-y"),
    }
    for name, text in texts.items():
        (home / f"{name}.md").write_text(text)
    settings = {"extensions": ["myst_nb", "captions", "chapter_numbers"], "numfig": True}
    settings |= {"html_theme": "basic", "numfig_format": {"table": "Table %s"}}
    settings |= {"nb_execution_mode": "off"}
    with docutils_namespace():
        Sphinx(home, None, home / "html", home / "trees", "html", settings, status=None).build()
    return {
        name: BeautifulSoup((home / f"html/{name}.html").read_text(), "html.parser")
        for name in texts
    }


@pytest.mark.parametrize(
    "name, numbers, said",
    [
        (
            "index",
            ["Table 1", "Table 2"],
            ["Table 2", "Table 1 of Page two", "Table 1.2", "table 1"],
        ),
        (
            "two",
            ["Table 1", "Table 2"],
            ["Table 1", "Table 1.1", "Table 1 of A book", "table 1"],
        ),
        (
            "other/three",
            ["Table 1.1", "Table 1.2"],
            ["Table 1.1", "Table 2 of Page two", "Table 2 of A book", "table 1"],
        ),
    ],
)
def test_numbers_begin_with_the_page_and_a_reference_says_which(small, name, numbers, said):
    page = small[name]
    shown = [node.get_text().strip() for node in page.select(".body .caption-number")]
    assert shown == numbers
    links = page.select(".body p a.reference.internal")
    assert [link.get_text() for link in links] == said
    assert [link.em is not None for link in links] == [" of " in text for text in said]


def test_the_figures_of_one_page_are_counted_and_those_of_a_chapter_stay():
    numbers = {"fig-a": (31,), "fig-b": (7, 1), "fig-c": (32,)}
    assert chapter_numbers.by_page(numbers) == {"fig-a": (1,), "fig-b": (7, 1), "fig-c": (2,)}


@pytest.mark.built
def test_each_page_counts_its_figures_and_tables_from_one(pages):  # noqa: F811
    counted = 0
    for name, page in pages.items():
        before = f"{int(name[9:11])}." if name.removeprefix("chapters/") in CHAPTERS else ""
        for kind in ("Figure", "Table"):
            shown = [node.get_text().strip() for node in page.select("article .caption-number")]
            shown = [text for text in shown if text.startswith(kind)]
            assert shown == [f"{kind} {before}{at + 1}" for at in range(len(shown))], name
            counted += len(shown)
    assert counted > 100


@pytest.mark.built
def test_a_reference_leads_to_the_number_that_it_says(pages):  # noqa: F811
    read = 0
    for name, page in pages.items():
        for link in page.select("article a.reference.internal[href^='#'] .std-numref"):
            target = page.find(id=link.parent["href"][1:])
            number = target.select_one(".caption-number").get_text().strip()
            assert re.fullmatch(rf"{re.escape(number)}", link.get_text()), name
            read += 1
    assert read > 20
