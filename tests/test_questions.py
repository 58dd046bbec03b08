"""Questions and guesses in a page: what is right comes from the build, and keyboard and screen
reader are enough.
"""

import sys

import nbformat
import pytest
from browsers import axe_faults
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace
from test_chapters import ROOT

PAGE = """# A page

:::{question} What does a gain with the discrimination {glue:text}`auc` move?
+ the *lean*, by {glue:text}`gain` points
- what the model reads
- both alike

Because discrimination stays at {glue:text}`auc`.
:::

```{question} Which are even?
+ two
- three
+ four

Two and four are.
```

:::{guess} gain
:unit: points
:hides: fig-one
How large is the gain?
:::
"""


def glued(name, text):
    """A cell that glued a text, as it is after it ran."""
    data = nbformat.v4.new_output("display_data", {"text/plain": repr(text)})
    data.metadata["scrapbook"] = {"name": name, "mime_prefix": ""}
    return nbformat.v4.new_code_cell(f"glue({name!r}, ...)", outputs=[data], execution_count=1)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Builds a page of this Markdown; returns the path of its HTML."""
    number = iter(range(100))

    def build(text, **values):
        home = tmp_path_factory.mktemp(f"page{next(number)}")
        source = home / "source"
        source.mkdir()
        cells = [glued(*each) for each in ({"gain": "−9.4", "auc": "0.95"} | values).items()]
        picture = '<figure id="fig-one"><svg width="200" height="50"></svg></figure>'
        cells += [nbformat.v4.new_markdown_cell(part) for part in (text, picture)]
        told = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata=told)
        nbformat.write(notebook, source / "index.ipynb")
        settings = {"extensions": ["myst_nb", "questions"], "nb_execution_mode": "off"}
        settings["myst_enable_extensions"] = ["colon_fence"]
        settings |= {"html_theme": "basic", "html_css_files": ["widgets.css"], "language": "en"}
        settings["html_static_path"] = [str(ROOT / "book/assets")]
        sys.path.insert(0, str(ROOT / "book/_ext"))
        warnings = (home / "warnings.txt").open("w+")
        with docutils_namespace():  # what one page taught docutils is news to the next
            app = Sphinx(source, None, home / "html", home / "trees", "html", settings,
                         status=None, warning=warnings)  # fmt: skip
            app.build()
        warnings.seek(0)
        page = home / "html/index.html"
        # the layout of the book begins such scripts when the page has been shown
        page.write_text(page.read_text().replace('type="text/after-paint"', "defer"))
        return page, warnings.read()

    return build


@pytest.fixture(scope="module")
def url(built):
    page, warnings = built(PAGE)
    assert warnings == ""
    return page.as_uri()


@pytest.fixture
def page(browser, url):
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto(url)
    yield page
    page.close()


def answer(page, form, *labels):
    for label in labels:
        page.locator(form).get_by_label(label).focus()
        page.keyboard.press("Space")
    page.locator(form).get_by_role("button", name="Check").press("Enter")
    return page.locator(form).get_by_role("status").inner_text()


def test_a_question_tells_right_from_wrong_and_says_why(page):
    form, why = "#question-1", page.get_by_text("Because discrimination stays at 0.95.")
    assert answer(page, form) == "Choose an answer first."
    assert answer(page, form, "what the model reads").startswith("Not yet")
    assert not why.is_visible()
    assert answer(page, form, "the lean, by −9.4 points") == "Right." and why.is_visible()
    chosen = page.locator(f"{form} label[data-was=right]")
    assert chosen.inner_text().strip() == "the lean, by −9.4 points"


def test_of_several_right_answers_all_are_needed(page):
    assert answer(page, "#question-2", "two").startswith("Not yet")
    assert answer(page, "#question-2", "four") == "Right."
    assert answer(page, "#question-2", "three").startswith("Not yet")


@pytest.mark.parametrize(
    "guess, told",
    [
        ("-9.4", "You said -9.4; it is −9.4 points. Exactly."),
        ("−12", "You said −12; it is −9.4 points. Off by 2.6 points, too low."),
        ("3", "You said 3; it is −9.4 points. Off by 12.4 points, too high."),
    ],
)
def test_a_guess_is_compared_before_the_figure_shows(page, guess, told):
    svg, blur = page.locator("#fig-one svg"), "s => getComputedStyle(s).filter"
    assert svg.evaluate(blur).startswith("blur")
    page.get_by_role("button", name="Compare").press("Enter")
    assert page.locator("form.guess [role=status]").inner_text() == "Type a number first."
    assert svg.evaluate(blur).startswith("blur")
    page.get_by_label("Your guess").fill(guess)
    page.keyboard.press("Enter")
    assert page.locator("form.guess [role=status]").inner_text() == told
    assert svg.evaluate(blur) == "none"


def test_nobody_has_to_guess_and_a_link_to_the_figure_shows_it(browser, page, url):
    page.get_by_role("button", name="Show it without a guess").press("Enter")
    blur = "s => getComputedStyle(s).filter"
    assert page.locator("#fig-one svg").evaluate(blur) == "none"
    page.goto(f"{url}#fig-one")
    page.reload()
    assert page.locator("#fig-one svg").evaluate(blur) == "none"


def test_without_scripts_and_in_print_nothing_is_covered(browser, page, url):
    page.emulate_media(media="print")
    blur = "s => getComputedStyle(s).filter"
    assert page.locator("#fig-one svg").evaluate(blur) == "none"
    context = browser.new_context(java_script_enabled=False)
    bare = context.new_page()
    bare.goto(url)
    assert bare.locator("#fig-one svg").is_visible()
    assert "Right: answer 1, 3." in bare.locator("#question-2").text_content()
    assert not bare.get_by_role("button", name="Check").count()
    context.close()


def test_a_screen_reader_is_told_all(page):
    assert axe_faults(page) == []
    assert page.get_by_role("group", name="Which are even?").get_by_role("checkbox").count() == 3
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize(
    "wrong, says",
    [
        ("+ one\n- two", "no reason"),
        ("+ one\n+ two\n\nWhy.", "2 right of 2"),
        ("- one\n- two\n\nWhy.", "0 right of 2"),
    ],
)
def test_a_question_without_a_right_or_a_wrong_answer_or_a_reason_is_refused(built, wrong, says):
    _, warnings = built(f"# A page\n\n```{{question}} Which?\n{wrong}\n```\n")
    assert says in warnings
