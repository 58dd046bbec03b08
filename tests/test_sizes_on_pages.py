"""What a reader sees at once: a visible cell of code has at most eight lines, and a table that a
cell prints at most six columns. What builds tables and figures is folded away.
"""

from pathlib import Path

import jupytext
import nbformat
import pytest
from bs4 import BeautifulSoup
from test_chapters import CHAPTERS, ROOT, make

LINES, COLUMNS = 8, 6
FOLDED = {"hide-input", "hide-cell", "remove-cell", "remove-input", "parameters"}


def long_cells(text: str) -> list[str]:
    """The visible cells of a chapter with more lines of code than `LINES`, blank ones apart."""
    found = []
    for cell in jupytext.reads(text, fmt="md:myst").cells:
        if cell.cell_type == "code" and not FOLDED & set(cell.metadata.get("tags", [])):
            lines = [line for line in cell.source.splitlines() if line.strip()]
            if len(lines) > LINES:
                found.append(f"{len(lines)} lines: {lines[0]}")
    return found


def columns(table) -> int:
    """Of the widest row; a cell counts as often as it spans columns."""
    rows = table.select("tr")
    return max(sum(int(c.get("colspan", 1)) for c in row.select("th, td")) for row in rows)


def wide_tables(notebook) -> list[str]:
    """The tables that cells print with more than `COLUMNS` columns.

    A widget's stand-in is the widget's, a row for each of its settings, and not read.
    """
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html", "")
            if "remove-cell" in cell.metadata.get("tags", []) or "widgets." in cell.source:
                continue
            for table in BeautifulSoup(html, "html.parser").select("table"):
                if (n := columns(table)) > COLUMNS:
                    found.append(f"{n} columns: {' '.join(table.get_text().split())[:80]}")
    return found


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_visible_cell_is_a_wall_of_code(chapter):
    assert long_cells((ROOT / f"chapters/{chapter}.md").read_text()) == []


@pytest.fixture(scope="module")
def notebooks():
    """The executed chapters."""
    paths = [f"_build/ci/chapters/{chapter}.ipynb" for chapter in CHAPTERS]
    done = make(*paths)
    assert done.returncode == 0, done.stdout + done.stderr
    return {Path(path).stem: nbformat.read(ROOT / path, as_version=4) for path in paths}


@pytest.mark.built
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_cell_prints_a_table_wider_than_six_columns(chapter, notebooks):
    assert wide_tables(notebooks[chapter]) == []


def test_a_wall_and_a_wide_table_are_seen():
    lines = "\n".join(f"x = {i}" for i in range(LINES + 1))
    page = "```{code-cell} ipython3\n%s%s\n```\n"
    assert len(long_cells(page % ("", lines))) == 1
    assert long_cells(page % (":tags: [hide-input]\n\n", lines)) == []
    html = f"<table><tr><th colspan={COLUMNS}>a</th><td>b</td></tr></table>"
    output = nbformat.v4.new_output("display_data", {"text/html": html})
    cell = nbformat.v4.new_code_cell("table", outputs=[output])
    assert len(wide_tables(nbformat.v4.new_notebook(cells=[cell]))) == 1
