"""Tables that a cell shows and tables that a text writes have the same kind of caption, count
together, and can be referred to; metadata that say nothing sound are a warning of the build.
"""

import sys

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace
from test_chapters import ROOT

TABLE = {
    "caption": "Rows of *two* letters; $\\xi$ is {glue:text}`rate` or {glue:text}`rate:>6s`.",
    "name": "tbl-cell",
}
SECOND = {"caption": "The second.", "name": "tbl-second"}
TEXT = """# A page

```{table} Written **here**.
:name: tbl-text

| a | b |
|---|---|
| x | 1 |
```

See {numref}`tbl-cell`, {numref}`tbl-text` and {ref}`this one <tbl-cell>`.
"""
OTHER = "# Another page\n\nAs {numref}`tbl-second` says.\n"
HTML = pd.DataFrame({"a": ["x", "y"], "b": [1, 2]}).to_html()


def output(*formats, text=HTML):
    """What a cell left: a table, or what else there is in these formats."""
    return nbformat.v4.new_output("display_data", dict.fromkeys(formats or ["text/html"], text))


def cell(table=None, *outputs):
    """A cell that showed this, with this in its metadata."""
    made = nbformat.v4.new_code_cell("shown", outputs=list(outputs), execution_count=1)
    if table is not None:
        made.metadata["table"] = table
    return made


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Builds a page with these cells after its text; returns its HTML, that of another page, and
    the warnings.
    """
    sys.path.insert(0, str(ROOT / "book/_ext"))

    def build(*cells):
        home = tmp_path_factory.mktemp("tables")
        source = home / "source"
        source.mkdir()
        rate = nbformat.v4.new_output("display_data", {"text/plain": "'0.99'"})
        rate.metadata["scrapbook"] = {"name": "rate", "mime_prefix": ""}
        contents = "```{toctree}\n:numbered: 1\none\ntwo\n```"
        pages = {
            "index": [nbformat.v4.new_markdown_cell(f"# Contents\n\n{contents}")],
            "one": [cell(None, rate), nbformat.v4.new_markdown_cell(TEXT), *cells],
            "two": [nbformat.v4.new_markdown_cell(OTHER)],
        }
        told = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
        for name, held in pages.items():
            notebook = nbformat.v4.new_notebook(cells=held, metadata=told)
            nbformat.write(notebook, source / f"{name}.ipynb")
        settings = {"extensions": ["myst_nb", "captions"], "nb_execution_mode": "off"}
        settings |= {"myst_enable_extensions": ["dollarmath"], "numfig": True}
        settings |= {"html_theme": "basic", "language": "en"}
        warnings = (home / "warnings.txt").open("w+")
        with docutils_namespace():
            app = Sphinx(source, None, home / "html", home / "trees", "html", settings,
                         status=None, warning=warnings)  # fmt: skip
            app.build()
        warnings.seek(0)
        soups = [BeautifulSoup((home / f"html/{page}.html").read_text(), "html.parser")
                 for page in ("one", "two")]  # fmt: skip
        return *soups, warnings.read()

    return build


@pytest.fixture(scope="module")
def pages(built):
    """Two captions in one cell, and a third of its tables without one."""
    return built(cell([TABLE, SECOND], *[output()] * 3))


def test_tables_of_cells_and_of_texts_count_together(pages):
    page, _, warnings = pages
    assert warnings == ""
    numbers = [node.get_text().strip() for node in page.select(".tabled .caption-number")]
    assert numbers == ["Table 1.1", "Table 1.2", "Table 1.3"]
    assert [node["id"] for node in page.select("figure.tabled")] == (
        ["tbl-text", "tbl-cell", "tbl-second"]
    )
    assert len(page.select("figure.tabled table")) == 3 and len(page.select("table")) == 4


def test_a_caption_stands_above_its_table_and_holds_markdown_formulas_and_numbers(pages):
    page = pages[0]
    for figure in page.select("figure.tabled"):
        kinds = [node.name for node in figure.find_all(["figcaption", "table"])]
        assert kinds == ["figcaption", "table"] and not figure.select("caption")
        assert figure.select_one("a.headerlink")["href"] == f"#{figure['id']}"
    caption = page.select_one("#tbl-cell .caption-text")
    assert caption.em.text == "two" and "\\xi" in caption.select_one(".math").text
    assert caption.get_text().endswith("is 0.99 or   0.99.")
    assert page.select_one("#tbl-text .caption-text strong").text == "here"


def test_a_table_is_reached_from_its_page_and_from_others(pages):
    page, other, _ = pages
    links = {link.get_text(): link["href"] for link in page.select("a.reference.internal")}
    assert links["Table 1.1"] == "#tbl-text" and links["Table 1.2"] == "#tbl-cell"
    assert links["this one"] == "#tbl-cell"
    link = other.select_one('a[href="one.html#tbl-second"]')
    assert link.get_text() == "Table 1.3"


WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.mark.parametrize(
    "table, outputs, says",
    [
        (TABLE, [], "have 1 tables (tbl-cell), but it shows 0"),
        (TABLE, [output("text/html", text="<p>no</p>")], "but it shows 0"),
        ([TABLE, TABLE | {"name": "tbl-b"}], [output()], "have 2 tables (tbl-cell, tbl-b)"),
        (TABLE | {"captoin": "Yes."}, [output()], "list of such pairs, not `captoin:`"),
        ({"caption": "Yes."}, [output()], "`name:` is a text, not None"),
        ({"caption": 5, "name": "tbl-cell"}, [output()], "`caption:` is a text, not 5"),
        ("Yes.", [output()], "not 'Yes.'"),
        (TABLE | {"caption": "One.\n\nTwo."}, [output()], "one paragraph of text, not 'One."),
        (TABLE | {"name": "tbl-text"}, [output()], "Duplicate explicit target name"),
    ],
)
def test_what_is_wrong_is_told_with_its_page(built, table, outputs, says):
    warnings = built(cell(table, *outputs))[2]
    assert any(says in line and "one.ipynb:" in line for line in warnings.splitlines()), warnings


def test_what_stands_in_for_a_widget_is_no_table_of_the_cell(built):
    widget = output(WIDGET, "text/html", "text/plain")
    widget.data[WIDGET] = {"model_id": "1", "version_major": 2, "version_minor": 0}
    page, _, warnings = built(cell([TABLE, SECOND], widget, output(), output()))
    assert warnings == "" and page.select_one("#tbl-cell table")
    assert "tables (tbl-cell), but it shows 0" in built(cell(TABLE, widget))[2]
