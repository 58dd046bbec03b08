"""Code is set in lines that can go on below, indented, where a page is narrow; nothing of it is
changed for who copies it, and nothing of it scrolls on a phone.
"""

import re
import sys

import pytest
from browsers import opened
from bs4 import BeautifulSoup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from test_browser import sites  # noqa: F401
from test_chapters import CHAPTERS, ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import code_lines

CODE = '''def f(x):
    """Two
      lines."""

    return some.module.with_names.which_go_on(and_more[0.95], deep.er(x - 1))  # a-b --flag
'''
COMMAND = "svdicl search --model MODEL --choose-by discrimination\n"


def marked(code, language="python"):
    made = highlight(code, get_lexer_by_name(language), HtmlFormatter())
    return re.search(r"<pre>(.*)</pre>", made, re.DOTALL)[1]


@pytest.mark.parametrize(
    "code, language", [(CODE, "python"), (COMMAND, "python"), (COMMAND, "text"), ("", "text")]
)
def test_what_is_copied_is_the_code(code, language):
    made = f"<pre>{code_lines.in_lines(marked(code, language))}</pre>"
    parsed = BeautifulSoup(made, "html.parser")
    assert parsed.get_text().strip("\n") == code.strip("\n")
    assert len(parsed.select(".code-line")) == max(1, len(code.splitlines()))


def test_a_line_knows_its_indentation_and_breaks_at_brackets_and_dots():
    lines = BeautifulSoup(code_lines.in_lines(marked(CODE)), "html.parser").select(".code-line")
    assert [line.get("style") for line in lines] == [None, "--in: 4", "--in: 6", None, "--in: 4"]
    assert not lines[0].select("wbr")
    with_breaks = "".join("|" if part.name == "wbr" else part for part in _texts(lines[4]))
    assert "some|.module|.with_names|.which_go_on(|and_more[|0.95]" in with_breaks


def _texts(node):
    for part in node.descendants:
        if part.name == "wbr" or isinstance(part, str):
            yield part


@pytest.mark.parametrize("language", ["python", "text"])
def test_an_option_is_one_word(language):
    made = BeautifulSoup(code_lines.in_lines(marked(COMMAND, language)), "html.parser")
    words = [word.get_text() for word in made.select(".code-word")]
    assert words == ["--model", "--choose-by"]


def test_a_comment_behind_code_is_one_piece_and_one_on_its_own_line_is_not():
    code = "  # alone\nx = f('# no')  # of x, \"too\"\nif x:  # here\n    pass\n"
    made = f"<pre>{code_lines.in_lines(marked(code))}</pre>"
    lines = BeautifulSoup(made, "html.parser").select(".code-line")
    asides = [[aside.get_text() for aside in line.select(".code-aside")] for line in lines]
    assert asides == [[], ['# of x, "too"'], ["# here"], []]
    assert "".join(line.get_text() for line in lines).strip() == code.strip()


def test_what_is_no_row_of_tokens_stays_as_it_is():
    nested = '<span class="a"><span class="b">x</span>\n</span>y'
    assert code_lines.in_lines(nested) == nested


@pytest.mark.parametrize(
    "language, blanks", [("ipython3", [1, 1]), ("myst-ansi", [2, 3]), ("text", [2, 3])]
)
def test_in_a_cell_one_blank_line_stands_around_a_function_and_output_is_as_printed(
    language, blanks
):
    code = "a = 1\n\n\ndef f():\n    b = 2\n\n    return b\n\n\n\nf()\n"
    opening = f'<div class="highlight-{language} notranslate"><div class="highlight"><pre>'
    made = code_lines.with_single_blanks(f"{opening}{marked(code)}</pre></div></div>")
    kept = BeautifulSoup(made, "html.parser").get_text()
    before, inside, after = (len(run) - 1 for run in re.findall(r"\n{2,}", kept))
    assert [before, after] == blanks and inside == 1
    assert kept.split() == code.split()


@pytest.mark.built
@pytest.mark.parametrize("name", ["book/should_i", *(f"chapters/{name}" for name in CHAPTERS)])
def test_on_a_phone_no_code_scrolls_and_nothing_wraps_on_a_desk(browser, sites, name):  # noqa: F811
    hidden = """() => [...document.querySelectorAll(".bd-article .highlight pre")]
      .filter((pre) => pre.clientWidth && pre.scrollWidth > pre.clientWidth + 1)
      .map((pre) => pre.innerText.slice(0, 80))"""
    with opened(browser, f"{sites['file']}/{name}.html", width=390) as page:
        page.evaluate("document.querySelectorAll('article details').forEach((d) => d.open = true)")
        assert page.evaluate(hidden) == []
        indents = page.eval_on_selector_all(
            ".cell_input .code-line:has(> .code-indent)",
            """lines => lines.filter((line) => line.checkVisibility()).slice(0, 9).map((line) => {
              const range = new Range();
              range.setStartAfter(line.firstChild), range.setEndAfter(line.lastChild);
              const first = range.getClientRects()[0].left - line.getBoundingClientRect().left;
              const spaces = Number(line.style.getPropertyValue("--in"));
              const letter = document.createElement("span");
              letter.style = "position: absolute; width: 1ch";
              line.append(letter);
              return [first / letter.getBoundingClientRect().width, spaces];
            })""",
        )
        for left, spaces in indents:
            assert left == pytest.approx(spaces, abs=0.3), "not where the code begins"
        page.set_viewport_size({"width": 1280, "height": 900})
        assert page.evaluate(hidden) == []


@pytest.mark.built
@pytest.mark.parametrize("across, turns", [(1280, 0), (390, 5)])
def test_what_goes_on_below_has_a_drawn_arrow_before_it(browser, sites, across, turns):  # noqa: F811
    """As high as the lines below the first, and no text: nothing to copy, nothing to read aloud."""
    with opened(browser, f"{sites['file']}/chapters/01_singular_values.html", width=across) as page:
        arrows = page.eval_on_selector_all(
            ".cell_input .code-line",
            """lines => lines.filter((line) => line.checkVisibility()).map((line) => {
              const { height, content } = getComputedStyle(line, "::before");
              const one = parseFloat(getComputedStyle(line).lineHeight);
              const high = [parseFloat(height), line.clientHeight];
              return [content, ...high.map((one_of) => Math.round(one_of / one))];
            })""",
        )
        assert all(content == '""' for content, *_ in arrows)
        assert all(arrow == lines - 1 for _, arrow, lines in arrows)
        below = sum(lines > 1 for *_, lines in arrows)
        assert below == 0 if not turns else below >= turns
