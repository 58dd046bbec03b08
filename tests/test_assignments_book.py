"""No page and no source of the built book holds what the masters of the assignments keep back."""

import html
import json
import re
import sys
from pathlib import Path

import pytest
from test_book import HTML, pages  # noqa: F401  builds the book, or finds it built

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book/_ext"))
from masters import masters, squeezed  # noqa: E402

MASTERS = masters()
LESSONS = [
    path
    for folder in ("chapters", "svdicl_lite", "book")
    for path in (ROOT / folder).rglob("*")
    if not {"assignments", "_ext"} & set(path.parts)
]
TAUGHT = squeezed("\n".join(path.read_text() for path in LESSONS if path.suffix in (".md", ".py")))


KEPT_BACK = {
    line: kind for master in MASTERS for line, kind in master.secrets().items() if len(line) >= 24
}
OWN = {
    line
    for line, kind in KEPT_BACK.items()
    if kind in ("rubric", "hidden test", "notes") or line not in TAUGHT
}


def leaks(text):
    """What `text` holds of a master's own. A line of a solution that the lessons teach as well is
    theirs.
    """
    return [line for master in MASTERS for line in master.leaks(text) if line in OWN]


def texts(root):
    for path in sorted(root.rglob("*")):
        if (
            path.suffix in (".html", ".js", ".txt", ".md", ".ipynb", ".json")
            and path.is_file()
            and "_static" not in path.relative_to(root).parts[:1]
        ):
            yield path, path.read_text(errors="replace")


@pytest.mark.built
def test_no_page_no_source_and_no_search_index_holds_a_secret(pages):  # noqa: F811
    read = {path.relative_to(HTML).as_posix(): leaks(text) for path, text in texts(HTML)}
    assert {"searchindex.js", "book/intro.html"} <= read.keys() and any(
        name.startswith("_sources/") for name in read
    )
    assert {name: found for name, found in read.items() if found} == {}


@pytest.mark.built
def test_search_index_knows_no_master_and_no_hidden_test(pages):  # noqa: F811
    index = json.loads(
        re.search(r"Search\.setIndex\((.*)\)", (HTML / "searchindex.js").read_text(), re.DOTALL)[1]
    )
    assert not [name for name in index["docnames"] if "master" in name or "mutants" in name]
    hidden = {
        test.name
        for master in MASTERS
        for question in master.questions
        for test in question.tests
        if test.hidden
    }
    assert hidden and not hidden & index["terms"].keys()


@pytest.mark.parametrize("name", ["page.html", "_sources/page.md", "_sources/page.ipynb"])
def test_a_planted_leak_is_found(tmp_path, name):
    test = next(
        test
        for question in MASTERS[0].questions
        for test in question.tests
        if test.hidden and "random" in test.source
    )
    text = test.source
    if name.endswith("html"):  # as a highlighter colours it
        text = "<pre>" + re.sub(r"(\w+)", r"<span class=n>\1</span>", html.escape(text)) + "</pre>"
    if name.endswith("ipynb"):
        text = json.dumps({"cells": [{"cell_type": "code", "source": text.splitlines(True)}]})
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert [len(leaks(text)) > 0 for _, text in texts(tmp_path)] == [True]
