"""The head of a chapter: a line of facts, what to read before, a short list of goals; and the first
section on the first screen.
"""

import re
import sys

import pytest
from browsers import opened
from bs4 import BeautifulSoup
from docutils import nodes
from sphinx.errors import ExtensionError
from test_browser import HTML, sites  # noqa: F401
from test_chapters import CHAPTERS, ROOT, built_book

sys.path.insert(0, str(ROOT / "book/_ext"))
import chapter_head

TAKES = "It takes about {} minutes to read and {} the exercises.\nRunning it takes {} no network."


def chapter(takes=None):
    """A chapter as docutils has it after MyST: title, text, the box, a section."""
    takes = takes or TAKES.format(40, "50 for", "about a minute, 1 GB of memory, any CPU, and")
    box = nodes.admonition("", nodes.title("", chapter_head.BOX), classes=["tip"])
    box += nodes.paragraph("", "After this chapter you can")
    box += nodes.bullet_list("", nodes.list_item("", nodes.paragraph("", "read;")))
    for bold, rest in ((takes[:8], takes[8:]), ("Before you start:", " a matrix.")):
        box += nodes.paragraph("", "", nodes.strong("", bold), nodes.Text(rest))
    told = nodes.document(None, None)
    section = nodes.section("", nodes.title("", "One"), nodes.paragraph("", "Text."), box)
    told += section
    return told, section


@pytest.mark.parametrize("name", CHAPTERS)
def test_what_every_chapter_says_of_its_time_fits_a_line(name):
    text = (ROOT / f"chapters/{name}.md").read_text()
    takes = re.search(r"^\*\*It takes\*\*.*?(?=\n:::)", text, re.S | re.M)[0].replace("*", "")
    told = chapter_head.facts(takes).replace("\xa0", " ")
    reading, exercises = re.match(r"(\d+) min to read · (\d+) min of exercises · ", told).groups()
    assert f"about {reading} minutes" in takes
    assert f"and {exercises} for" in takes or (exercises == reading and "as long again" in takes)
    assert re.fullmatch(
        r".* · runs in (?:(?:about|under) )?[\d–]+ (?:s|min) on any CPU, \d GB", told
    )


def test_an_unknown_time_stays_in_its_words_and_another_sentence_is_refused():
    takes = TAKES.format(7, "as long again for", "half a day, 90 GB of memory, any CPU, and")
    told = chapter_head.facts(takes)
    assert told == "7 min to read · 7 min of exercises · runs in half a day on any CPU, 90\xa0GB"
    with pytest.raises(ValueError, match="'It takes long.' is not written as 'It takes about"):
        chapter_head.facts("It takes long.")


def test_the_box_becomes_a_line_below_the_title_and_a_list():
    told, section = chapter()
    chapter_head._take_apart(None, told, "chapters/01_a")
    kinds = [node.get("classes") for node in section]
    assert kinds == [[], ["chapter-before"], [], ["chapter-goals"], ["chapter-run"]]
    assert section[1].astext().split() == ["Before:", "a", "matrix."]
    assert section[3].astext().split() == ["You", "will", "be", "able", "to", "read;"]
    assert told["facts"].startswith("40 min to read · 50 min of exercises")


def test_a_box_that_lacks_a_part_is_refused_by_the_pages_name():
    told, section = chapter("It costs nothing.")
    with pytest.raises(ExtensionError, match="chapters/01_a: .* begins with 'It takes'"):
        chapter_head._take_apart(None, told, "chapters/01_a")


def test_where_a_chapter_can_be_run_is_said_in_words():
    alone = chapter_head.ways_to_run([], "../_sources/a.ipynb")
    assert BeautifulSoup(alone, "html.parser").get_text() == "Download this chapter as a notebook"
    launch = {"label": "launch-buttons", "buttons": [{"type": "link", "url": "u", "text": "Colab"}]}
    several = BeautifulSoup(chapter_head.ways_to_run([launch], "a.ipynb"), "html.parser")
    assert several.get_text() == "Run this chapter: Colab · download the notebook"
    assert [link["href"] for link in several.select("a")] == ["u", "a.ipynb"]


@pytest.mark.built
@pytest.mark.parametrize("name", CHAPTERS)
def test_each_page_has_the_head_and_a_notebook_to_download(name):
    built_book()
    page = BeautifulSoup((HTML / f"chapters/{name}.html").read_text(), "html.parser")
    head = page.select_one("article h1").find_next_siblings(limit=2)
    assert [node["class"] for node in head] == [["chapter-facts"], ["chapter-before"]]
    assert head[1].get_text().startswith("Before: ") and "start" not in head[1].get_text()
    assert 4 <= len(page.select(".chapter-goals li")) <= 6
    assert not page.select(".admonition.tip > p.admonition-title:-soup-contains('be able to')")
    link = page.select_one(".chapter-run a[download]")["href"]
    assert (HTML / "chapters" / link).resolve().suffix == ".ipynb"
    assert (HTML / "chapters" / link).resolve().exists()


SIZES = """() => {
  const place = (what) => document.querySelector(what).getBoundingClientRect();
  return { goals: place(".chapter-goals").height, heading: place("article section section h2").top,
    sideways: document.documentElement.scrollWidth - innerWidth };
}"""


@pytest.mark.built
@pytest.mark.parametrize(
    "name", ["02_inside_gpt2", "11_attention_as_gradient_descent", "12_a_bound"]
)
def test_the_first_section_begins_on_the_first_screen(browser, sites, name):  # noqa: F811
    with opened(browser, f"{sites['file']}/chapters/{name}.html") as page:
        told = page.evaluate(SIZES)
        assert told["goals"] <= 200 and told["heading"] <= 640, told
        page.set_viewport_size({"width": 390, "height": 844})
        told = page.evaluate(SIZES)
        assert told["goals"] <= 330 and told["sideways"] <= 0, told
