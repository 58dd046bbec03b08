"""The pages beside the chapters type no number that they claim something with, either: their
numbers are glued from a chapter, or cited.

Not read are the notes on each chapter and the plans for courses (`book/teaching`): their numbers
are chapters, weeks and examples for the blackboard.
"""

import re

import pytest
from test_chapters import ROOT
from test_lessons import ALLOWED, CLAIM, NUMBER
from test_paper_map import glued_names

PAGES = [
    *(f"book/{name}.md" for name in "findings should_i related intro glossary paper_map".split()),
    *(f"book/teaching/{name}.md" for name in "index faq running assignments slides".split()),
]
NAMED = re.compile(  # what is counted off, or a size that the text sets
    r"[Ll]ayers?\ \d+(?:\ to\ \d+)?|[Aa]ssignments?\ \d|Python\ 3\.\d+"
    r"|\b\d+\ [GM]B\b|\b\d+\ shots\b"
)


def sentences(text: str) -> list[str]:
    """Those of a page, a table's cells apart, without code, math, glue and links."""
    text = re.sub(r"\$\$.*?\$\$|\$[^$]+\$", " ", text, flags=re.S)
    text = text.replace("```{glossary}", "")
    text = re.sub(r"```.*?```", " ", text, flags=re.S)
    text = re.sub(r"\{glue:?[^}]*\}`[^`]*`|\{(?:ref|term|doc)\}`[^`]*`|`[^`\n]*`", " _ ", text)
    text = re.sub(r"^---$", "\n\n", text, flags=re.M)
    text = re.sub(r"^(?:#.*|:::.*|:\w+:.*|\(.*\)=|\|[-|]+\|)$", "", text, flags=re.M)
    text = re.sub(r"^\s*(?:\d+\.|-) ", "\n\n", text, flags=re.M).replace("|", "\n\n")
    return [
        " ".join(sentence.split())
        for block in text.split("\n\n")
        for sentence in re.split(r"(?<=[.?!:;])\s+(?=[A-Z*])", block)
        if sentence.strip()
    ]


def typed(text: str) -> list[str]:
    found = []
    for sentence in sentences(text):
        if "{cite" in sentence or sentence.endswith("?"):
            continue
        left = ALLOWED.sub(" ", NAMED.sub(" ", sentence))
        numbers = [n for n in NUMBER.findall(left) if n.strip(",. ") not in tuple("01234")]
        if numbers and CLAIM.search(left):
            found.append(f"{', '.join(numbers)}: {sentence}")
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_number_of_a_page_is_computed_or_cited(page):
    text = (ROOT / page).read_text()
    assert len(sentences(text)) > 10
    assert typed(text) == []


@pytest.mark.parametrize("page", ["book/findings.md", "book/should_i.md"])
def test_every_glued_number_of_a_page_is_glued_by_its_chapter(page):
    glued = re.findall(r"/chapters/(\w+)\.ipynb::([\w-]+):s", (ROOT / page).read_text())
    names = {chapter: glued_names(chapter) for chapter, _ in glued}
    missing = [n for c, n in glued if not any(re.fullmatch(name, n) for name in names[c])]
    assert len(glued) > 5 and missing == []


def test_a_number_typed_into_a_table_is_seen():
    glued = "| a clip | gains {glue:text}`/chapters/x.ipynb::x_gain:s` points in layers 24 to 29 |"
    assert typed(glued) == []
    assert len(typed(f"{glued}\n| it | gains 7.2 points |")) == 1
