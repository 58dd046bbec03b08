"""Captions on slides: with the numbers that they have in the book, above tables and below figures,
in the letters and colours of the pages.
"""

import re
import sys

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from test_chapters import CHAPTERS, ROOT
from test_pages import pages  # noqa: F401

sys.path.insert(0, str(ROOT / "book/teaching"))
import slide_captions
import slides

TABLE = "<table><thead><tr><th></th><th>a</th></tr></thead><tbody>{}</tbody></table>"
ROWS = "".join(f"<tr><th>{at}</th><td>{value}</td></tr>" for at, value in enumerate([0.5, 12]))
SVG = '<svg width="72pt" height="72pt"></svg>'
WRITTEN = """# Small

As {numref}`tbl-cell` and {numref}`fig-two-bars` say.

```{table} Written *here*.
:name: tbl-text

| a | b |
|---|---|
| x | 1 |
```

```{drawing} cut
What is cut.
```

:::{question} Which is it?
- this
+ that

Because it is.
:::

:::{curve} c99_x
:line: 0.5 no clip
:at: 0 1

Draw it. How does it fall?
:::
"""


def output(mime, text):
    """What a cell showed."""
    return new_output("display_data", {mime: text})


@pytest.fixture(scope="module")
def deck(tmp_path_factory):
    """A deck with tables and figures of a text and of cells, and the folder in which it lies."""
    figure = {"figure": {"caption": "Bars *fall*.", "name": "fig-two-bars"}}
    table = {"caption": "At $\\xi$ = {glue:text}`c99_x`.", "name": "tbl-cell"}
    glued = new_output("display_data", {"application/papermill.record/text/plain": "np.int64(5)"})
    glued.metadata["scrapbook"] = {"name": "c99_x"}
    cells = [
        new_markdown_cell(WRITTEN),
        new_code_cell(
            "show()", metadata={"table": table}, outputs=[output("text/html", TABLE.format(ROWS))]
        ),
        new_code_cell(
            "draw()", metadata={"mystnb": figure}, outputs=[output("image/svg+xml", SVG)]
        ),
        new_code_cell("glue()", metadata={"tags": ["remove-cell"]}, outputs=[glued]),
    ]
    folder = tmp_path_factory.mktemp("captions")
    told = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(new_notebook(cells=cells, metadata=told), folder / "99_small.ipynb")
    slides.main(folder / "99_small.ipynb", folder / "out/99_small.html")
    return BeautifulSoup((folder / "out/99_small.html").read_text(), "html.parser"), folder / "out"


def test_captions_have_the_numbers_of_the_book_and_references_say_them(deck):
    page, _ = deck
    said = [" ".join(one.get_text().split()) for one in page.select(".caption")]
    assert said == [
        "Table 99.1 Written here.",
        "Figure 99.1 What is cut.",
        "Table 99.2 At $\\xi$ = 5.",
        "Figure 99.2 Bars fall.",
    ]
    assert [one.em.get_text() for one in page.select(".caption:has(em)")] == ["here", "fall"]
    notes = " ".join(page.select_one("aside.notes").get_text().split())
    assert "As Table 99.2 and Figure 99.2 say." in notes


def test_a_caption_stands_above_a_table_and_below_a_figure(deck):
    for one in deck[0].select(".caption"):
        table = one.get_text().strip().startswith("Table")
        near = one.find_next_sibling() if table else one.find_previous_sibling()
        kind = "table" if table else "svg, img"
        assert near.name in kind or near.select_one(kind), one


def test_tables_have_the_form_that_they_have_on_a_page(deck):
    cell = deck[0].select("table.table")[1]
    assert not cell.select("tbody th"), "an index that only counts"
    assert [td["class"] for td in cell.select("td")] == [["number"]] * 2
    assert deck[0].select_one(".slides.bd-content.bd-article table.table")


def test_an_answer_has_a_slide_of_its_own_and_no_option_is_shown(deck):
    shown = [one for one in deck[0].select(".slides section") if not one.select("section")]
    texts = [" ".join(one.get_text().split()) for one in shown]
    (asked,) = [text for text in texts if "Which is it?" in text]
    (answer,) = [text for text in texts if "Because it is." in text]
    assert asked.endswith("this that") and answer == "The answer that Because it is."
    assert not [text for text in texts if ":line:" in text or ":at:" in text]


def test_letters_and_colours_are_the_pages_and_lie_beside_the_deck(deck):
    page, folder = deck
    sheets = [folder / link["href"] for link in page.select("link[rel=stylesheet][href^=looks]")]
    assert [sheet.name for sheet in sheets] == list(slides.SHEETS)
    for sheet in sheets:
        for url in re.findall(r'url\("?([^")]+)', sheet.read_text()):
            assert (sheet.parent / url).resolve().is_file(), url
    assert "var(--sans)" in page.select("style")[-1].get_text()


@pytest.mark.built
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_numbers_are_those_of_the_page(chapter, pages):  # noqa: F811
    notebook = nbformat.read(ROOT / f"_build/ci/chapters/{chapter}.ipynb", 4)
    page = pages[f"chapters/{chapter}"]
    shown = {
        figure["id"]: figure.select_one(".caption-number").get_text().strip()
        for figure in page.select("article figure[id]")
        if figure.select_one(".caption-number")
    }
    assert slide_captions.numbers(notebook, int(chapter[:2])) == shown
