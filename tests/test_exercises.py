"""Exercises on a page: how hard and how long below the heading, and folds that say what is in
them.
"""

import sys

import nbformat
import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace
from test_chapters import ROOT

TEXT = """# A page

## Exercises

### Exercise 1: what is `W`? (★★, 15 minutes)

Write it.
"""
HINT = """:::{admonition} Hint 1
:class: dropdown
Look at *W*.
:::

## Another section (★, said of it)
"""


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    home = tmp_path_factory.mktemp("exercises")
    cells = [nbformat.v4.new_markdown_cell(TEXT)]
    for source, tag in (
        ("def check_it(answer): ...", "hide-input"),
        ("its_size = 3", "hide-input"),
        ("it = 1", "hide-cell"),
    ):
        cells.append(nbformat.v4.new_code_cell(source, metadata={"tags": [tag]}))
    cells.append(nbformat.v4.new_markdown_cell(HINT))
    told = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=told), home / "index.ipynb")
    settings = {"extensions": ["myst_nb", "exercises"], "nb_execution_mode": "off"}
    settings |= {"html_theme": "basic", "myst_enable_extensions": ["colon_fence"]}
    settings |= {"html_css_files": ["questions.css"], "language": "en"}
    settings["html_static_path"] = [str(ROOT / "book/assets")]
    sys.path.insert(0, str(ROOT / "book/_ext"))
    with docutils_namespace():
        Sphinx(home, None, home / "html", home / "trees", "html", settings, status=None).build()
    opened = browser.new_page()
    opened.goto((home / "html/index.html").as_uri())
    yield opened
    opened.close()


def test_how_hard_and_how_long_stand_below_the_heading(page):
    heading, facts = page.locator(".exercise h3"), page.locator(".exercise-facts")
    assert heading.inner_text().startswith("Exercise 1: what is W?")
    assert "minutes" not in heading.inner_text()
    assert facts.all_inner_texts() == ["★★☆ · about 15 minutes"]
    assert page.get_by_role("img", name="Difficulty 2 of 3").is_visible()
    assert page.get_by_role("heading", name="Another section (★, said of it)").is_visible()


def test_folded_cells_say_what_is_in_them(page):
    shown = page.locator(".exercise details.hide > summary p.collapsed").all_inner_texts()
    assert shown == ["The check", "Show code cell source", "Solution"]


def test_a_hint_is_folded_without_a_script_and_opens_from_the_keyboard(page):
    summary, text = page.locator("details.fold > summary"), page.get_by_text("Look at W.")
    assert summary.inner_text() == "Hint 1" and not text.is_visible()
    summary.press("Enter")
    assert text.is_visible()
    summary.press("Enter")
    page.emulate_media(media="print")
    assert text.is_visible()
    page.emulate_media(media="screen")
    assert not page.locator(".admonition.dropdown").count()
