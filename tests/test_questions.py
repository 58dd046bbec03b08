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
:hides: fig-one said-below printed
We clip.

How large is the gain?
:::
"""
WHY = ":::{answer}\nIt is the *lean*.\n:::"
COVERED = (
    "#fig-one img",
    "#fig-one figcaption a.external",
    "#said-below",
    ".tag_printed .stream pre",
)


def seen(page):
    """Which of what answers the guess can be seen, read aloud, reached and found."""
    places = [page.locator(place) for place in COVERED]
    assert all(place.count() == 1 for place in places)
    return {place.evaluate("node => node.checkVisibility()") for place in places}


def glued(name, text):
    """A cell that glued a text, as it is after it ran."""
    data = nbformat.v4.new_output("display_data", {"text/plain": repr(text)})
    data.metadata["scrapbook"] = {"name": name, "mime_prefix": ""}
    return nbformat.v4.new_code_cell(f"glue({name!r}, ...)", outputs=[data], execution_count=1)


def drawn():
    """A cell that shows a figure with a caption."""
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="50"></svg>'
    data = nbformat.v4.new_output("display_data", {"image/svg+xml": svg})
    cell = nbformat.v4.new_code_cell("draw()", outputs=[data], execution_count=1)
    caption = {"caption": "It [falls](https://example.org).", "name": "fig-one"}
    cell.metadata["mystnb"] = {"figure": caption}
    return cell


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Builds a page of this Markdown; returns the path of its HTML."""
    number = iter(range(100))

    def build(text, why=False, **values):
        home = tmp_path_factory.mktemp(f"page{next(number)}")
        source = home / "source"
        source.mkdir()
        cells = [glued(*each) for each in ({"gain": "−9.4", "auc": "0.95"} | values).items()]
        said = "(said-below)=\nIt falls by 9.4 points."
        cells += [nbformat.v4.new_markdown_cell(text), drawn()]
        cells += [nbformat.v4.new_markdown_cell(part) for part in (WHY * why, said)]
        shown = [nbformat.v4.new_output("stream", text="−9.4")]
        cells.append(nbformat.v4.new_code_cell("gain", outputs=shown, execution_count=2))
        cells[-1].metadata["tags"] = ["printed"]
        told = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata=told)
        nbformat.write(notebook, source / "index.ipynb")
        settings = {"extensions": ["myst_nb", "questions"], "nb_execution_mode": "off"}
        settings["myst_enable_extensions"] = ["colon_fence"]
        settings["numfig"] = True
        settings |= {"html_theme": "basic", "html_css_files": ["questions.css"], "language": "en"}
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
    page, warnings = built(PAGE, why=True)
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


def said(page, form="form.guess"):
    return page.locator(f"{form} > [role=status]").inner_text()


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


def test_questions_are_counted_and_the_first_answer_counts(page):
    tally = page.locator(".tally")
    assert page.locator("#question-1 legend").inner_text().startswith("Question 1 of 2")
    answer(page, "#question-1", "both alike")
    assert answer(page, "#question-1", "the lean, by −9.4 points") == "Right."
    assert tally.count() == 1 and tally.inner_text() == ""
    answer(page, "#question-2", "two", "four")
    assert tally.inner_text() == "1 of 2 right at the first try."


def test_an_answer_can_be_had_and_is_not_counted_as_right(page):
    page.locator("#question-1").get_by_role("button", name="Show the answer").press("Enter")
    assert page.locator("#question-1 .why").evaluate("node => node === document.activeElement")
    assert page.get_by_text("Because discrimination stays at 0.95.").is_visible()
    assert page.locator("#question-1 label[data-was=right]").count() == 1
    answer(page, "#question-2", "two", "four")
    assert page.locator(".tally").inner_text() == "1 of 2 right at the first try."


@pytest.mark.parametrize(
    "guess, told",
    [
        ("-9.4", "You said -9.4; it is −9.4 points. Exactly."),
        ("−12", "You said −12; it is −9.4 points. Off by 2.6 points, too low."),
        ("3", "You said 3; it is −9.4 points. Off by 12.4 points, too high."),
    ],
)
def test_a_guess_is_compared_before_the_figure_shows(page, guess, told):
    why = page.locator("form.guess").get_by_text("It is the lean.")
    button = page.get_by_role("button", name="Compare")
    assert seen(page) == {False} and not page.get_by_role("link", name="falls").count()
    button.press("Enter")
    assert said(page) == "Type a number first." and seen(page) == {False}
    assert not why.is_visible()
    page.get_by_label("Your guess").fill(guess)
    place = button.bounding_box()
    page.keyboard.press("Enter")
    assert said(page) == told and seen(page) == {True} and why.is_visible()
    assert page.get_by_role("link", name="falls").count() == 1
    assert button.bounding_box() == place, "what was pressed has moved"


def test_a_strip_says_what_will_come(page):
    strips = page.locator(".strip")
    assert [text.split("\n")[0] for text in strips.all_inner_texts()] == [
        "Figure 1 comes after your guess.",
        "What this prints comes after your guess.",
    ]
    assert all(strip.bounding_box()["height"] <= 120 for strip in strips.all())


@pytest.mark.parametrize("name", ["Show the answer", "Show it anyway"])
def test_nobody_has_to_guess(page, name):
    page.get_by_role("button", name="Compare").press("Enter")  # with nothing typed
    button = page.get_by_role("button", name=name).last
    button.focus()
    above = page.locator("#question-2")
    page.keyboard.press("Enter")
    assert seen(page) == {True} and not page.locator(".strip").count()
    assert page.get_by_text("It is −9.4 points").is_visible() and above.is_visible()
    assert said(page) == ""
    at = page.evaluate("document.activeElement.className")
    assert at.startswith("why" if name == "Show the answer" else "cell_output")


def test_a_link_to_the_figure_shows_it(page, url):
    for place in ("fig-one", "said-below"):
        page.goto(f"{url}#{place}")
        page.reload()
        assert seen(page) == {True}
        assert page.locator(f"#{place}").bounding_box()["y"] < 900


def test_a_reader_who_only_reads_says_so_once(page, url):
    page.get_by_role("button", name="Always show all figures").press("Enter")
    for _ in range(2):
        assert seen(page) == {True} and not page.locator(".strip").first.is_visible()
        assert page.locator("form.guess").get_by_text("It is the lean.").is_visible()
        page.goto("about:blank")
        page.goto(url)
    page.get_by_label("Your guess").fill("3")
    page.keyboard.press("Enter")
    assert said(page).endswith("too high.")
    page.reload()
    page.get_by_role("button", name="Ask me first again").press("Enter")
    assert seen(page) == {False}
    page.reload()
    assert seen(page) == {False}


def test_without_scripts_and_in_print_nothing_is_covered(browser, page, url):
    page.emulate_media(media="print")
    assert seen(page) == {True} and not page.locator(".strip").first.is_visible()
    assert page.get_by_text("It is the lean.").is_visible()
    context = browser.new_context(java_script_enabled=False)
    bare = context.new_page()
    bare.goto(url)
    assert seen(bare) == {True} and not bare.get_by_role("button").count()
    assert bare.get_by_text("It is −9.4 points.").is_visible()
    assert bare.get_by_text("Right: answer 1, 3.").is_visible()
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


def test_a_guess_that_hides_what_is_not_there_and_an_answer_without_a_guess_are_told(built):
    _, warnings = built(PAGE.replace("said-below", "said-above"))
    assert "hides 'said-above', but no figure, table, paragraph or tagged cell" in warnings
    assert "an answer follows its guess" in built("# A page\n", why=True)[1]


def test_a_choice_uncovers_too(browser, built):
    page, warnings = built(
        "# A page\n\n:::{guess} way\n:choices: up | down\n:hides: fig-one said-below printed\n"
        "Which way?\n:::\n",
        way="down",
    )
    opened = browser.new_page()
    opened.goto(page.as_uri())
    assert warnings == "" and seen(opened) == {False}
    opened.get_by_role("button", name="Compare").press("Enter")
    assert seen(opened) == {False}, "nothing was chosen"
    opened.get_by_role("radiogroup", name="Which way?").get_by_label("up").press("Space")
    opened.get_by_role("button", name="Compare").press("Enter")
    assert seen(opened) == {True}
    assert said(opened) == "You said up; it is down."
    opened.close()
