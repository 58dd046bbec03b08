"""What a page loads, as a browser asks for it, packed as a server would send it."""

import gzip
import re
from urllib.parse import unquote, urlsplit

import pytest
from browsers import SETTLED, opened
from bs4 import BeautifulSoup
from test_browser import HTML, sites  # noqa: F401
from test_chapters import CHAPTERS

FORMULA = re.compile(r"\\[(\[](.*)\\[)\]]", re.DOTALL)


def asked(browser, url):
    """The files of the site that a page asks for, whether from its folder or by its address."""
    files, context = set(), browser.new_context()
    page = context.new_page()
    page.on("request", lambda request: files.add(urlsplit(request.url)))
    page.goto(url)
    page.wait_for_function(SETTLED)
    page.wait_for_timeout(300)
    context.close()
    own = {unquote(file.path) for file in files if file.scheme in ("http", "file")}
    return {path.removeprefix(str(HTML)).lstrip("/") for path in own}


def packed(files):
    """Kilobytes of files of the site."""
    contents = [(HTML / file).read_bytes() for file in files]
    return sum(min(len(data), len(gzip.compress(data))) for data in contents) / 1000


@pytest.mark.built
@pytest.mark.parametrize("way", ["http", "file"])
def test_a_page_before_its_own_content_weighs_less_than_190_kb(browser, sites, way):  # noqa: F811
    """828 with the theme's icons, 176 with the index of the book on every page; 92 without letters
    of its own."""
    files = asked(browser, f"{sites[way]}/book/status.html")
    assert len(files) > 10 and not [file for file in files if "search" in file]
    assert packed(files) < 190
    assert packed({file for file in files if "_static/fonts/" in file}) < 100


@pytest.mark.built
def test_formulas_cost_less_than_as_much_again_and_a_half(browser, sites):  # noqa: F811
    """Letters included: MathJax as it comes has 303 kB without them."""
    files = asked(browser, f"{sites['http']}/book/notation.html")
    formulas = {file for file in files if "mathjax" in file}
    assert 100 < packed(formulas) < 260 and packed(files) < 420


@pytest.mark.built
def test_every_formula_of_the_book_is_set_with_what_mathjax_has(browser, sites):  # noqa: F811
    """Not in red, as what it does not know, and without asking for a part that is not here."""
    found = {}
    for name in ["book/glossary", "book/notation", *(f"chapters/{one}" for one in CHAPTERS)]:
        page = BeautifulSoup((HTML / f"{name}.html").read_text(), "html.parser")
        for node in page.select("article .math"):
            tex = FORMULA.search(node.get_text())[1]  # before it there may be its number
            found.setdefault(tex, name)
    assert len(found) > 200
    with opened(browser, f"{sites['file']}/book/notation.html") as page:
        unknown = page.evaluate(
            """async (all) => {
              const wrong = [];
              for (const tex of [...all, "\\\\unheard"]) {
                const node = await MathJax.tex2chtmlPromise(tex);
                if (node.querySelector("mjx-merror, [style*='color: red']")) wrong.push(tex);
              }
              return wrong;
            }""",
            list(found),
        )
        assert unknown == ["\\unheard"] and page.faults == []


@pytest.mark.built
def test_the_letters_of_a_chapter_weigh_less_than_145_kb(browser, sites):  # noqa: F811
    """Each weight and slant is a file, and a page fetches those it shows."""
    files = asked(browser, f"{sites['http']}/chapters/05_clip_and_see.html")
    letters = {file for file in files if "_static/fonts/" in file}
    assert 4 <= len(letters) <= 8 and 60 < packed(letters) < 145
