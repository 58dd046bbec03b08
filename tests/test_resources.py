"""The memory that a chapter names at its beginning is what it needs; its minutes are compared by
`benchmarks/budget.py`, because a test's machine may be busy.
"""

import sys

import nbformat
import pytest
from test_chapters import CHAPTERS, ROOT, built_book

sys.path.insert(0, str(ROOT / "book/_ext"))
from resources import SECONDS, named


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_names_its_minutes_and_its_memory(chapter):
    seconds, megabytes = named((ROOT / f"chapters/{chapter}.md").read_text())
    assert seconds <= 150 and 500 <= megabytes <= 3000


@pytest.mark.built
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_smallest_sizes_need_no_more_memory_than_is_named(chapter):
    built_book()
    status = nbformat.read(ROOT / f"_build/ci/chapters/{chapter}.ipynb", 4).metadata["status"]
    assert status["megabytes"] <= named((ROOT / f"chapters/{chapter}.md").read_text())[1]


def test_words_are_read_and_others_refused():
    assert named("Running it takes about a minute, 600 MB of\nmemory, any CPU") == (90, 600)
    assert named("Running it takes one to two minutes, 2 GB of memory") == (120, 2000)
    assert sorted(SECONDS.values()) == list(SECONDS.values())
    with pytest.raises(ValueError, match="one of: less than half a minute, about half a minute"):
        named("Running it takes a while, 2 GB of memory")
