"""What a search result shows of its page: text around the words, marked; code only where nothing
else has them.
"""

import pytest
from browsers import opened
from test_browser import sites  # noqa: F401
from test_chapters import ROOT

SCRIPT = (ROOT / "book/assets/excerpts.js").read_text()
PAGE = """<article class="bd-article"><div id="jb-print-docs-body">Contents, condition number</div>
<section id="one"><h1>Condition numbers</h1>
<div class="cell_input"><pre>import numbers; condition(number); secret_name</pre></div>
<p>A number that says little, in a first paragraph.</p>
<p>{filler} Here the condition number is told, at <span class="math">\\(\\xi = 0.9\\)</span>.
{filler}</p></section>
<section id="two"><p>Of clipping it says this: clip a matrix, and see.</p>
<table><tr><td>condition number of numbers</td></tr></table></section>
<dl class="glossary"><dt id="term-rank">rank</dt><dd><p>How many directions there are.</p></dd>
</dl></article>"""


@pytest.fixture(scope="module")
def excerpt(browser):
    """Words, as the search asks for them, and a place → the excerpt's text and what is marked."""
    with browser.new_page() as page:
        page.goto("about:blank")
        page.evaluate("window.Search = {}; window.DOCUMENTATION_OPTIONS = {}")
        page.add_script_tag(content=SCRIPT)
        html = PAGE.replace("{filler}", "Words that say nothing of it stand here. " * 12)

        def ask(words, anchor=""):
            return page.evaluate(
                """([html, words, anchor]) => {
                  const made = Search.makeSearchSummary(html, new Set(words), anchor);
                  return [made.textContent, [...made.querySelectorAll("mark")]
                    .map((one) => one.textContent)];
                }""",
                [html, words, anchor],
            )

        yield ask


def test_an_excerpt_is_cut_between_words_around_what_was_asked_for(excerpt):
    said, marked = excerpt(["condit", "number"])
    assert "Here the condition number is told, at ξ = 0.9." in said
    assert said.startswith("… ") and said.endswith(" …") and 120 < len(said) < 260
    assert marked == ["condition", "number"] and "import" not in said


def test_a_word_is_found_by_how_it_begins(excerpt):
    said, marked = excerpt(["clip"])
    assert said == "Of clipping it says this: clip a matrix, and see."
    assert marked == ["clipping", "clip"]


def test_code_is_shown_where_nothing_else_has_the_word(excerpt):
    said, marked = excerpt(["secret_name"])
    assert said.startswith("import numbers;") and marked == ["secret_name"]


@pytest.mark.parametrize(
    "anchor, begins",
    [
        ("#two", "Of clipping it says this"),
        ("#term-rank", "How many directions there are."),
        ("#nowhere", "… "),
    ],
)
def test_a_result_that_leads_to_a_place_tells_of_it(excerpt, anchor, begins):
    assert excerpt(["condit"], anchor)[0].startswith(begins)


@pytest.mark.built
@pytest.mark.parametrize("width, words", [(1280, "condition number"), (390, "clipped")])
def test_results_show_sentences_with_the_words_marked(browser, sites, width, words):  # noqa: F811
    address = f"{sites['http']}/search.html?q={words.replace(' ', '+')}"
    with opened(browser, address, width=width) as page:
        page.wait_for_selector("#search-results p.context mark")
        page.wait_for_timeout(1500)
        told = page.locator("#search-results li:has(a[href*='chapters/']) p.context")
        texts = told.all_inner_texts()
        assert len(texts) >= 10
        assert not [text for text in texts if "import " in text or "minutes to read" in text]
        with_marks = told.filter(has=page.locator("mark")).count()
        assert with_marks >= 0.8 * len(texts) and page.faults == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
