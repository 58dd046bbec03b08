"""The minutes for the exercises that a chapter names at its beginning are the sum of theirs."""

import re

import pytest
from test_chapters import CHAPTERS, ROOT


def minutes(text: str) -> tuple[int, int]:
    """(said at the beginning, the sum of the exercises')"""
    said = re.search(
        r"about (\d+) minutes to read and (?:(\d+) for the exercises|as long again)", text
    )
    assert said, "the chapter does not say how long it takes"
    each = re.findall(r"^### Exercise .*\(★+, (\d+) minutes\)$", text, re.M)
    return int(said[2] or said[1]), sum(map(int, each))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_minutes_for_the_exercises_add_up(chapter):
    said, summed = minutes((ROOT / f"chapters/{chapter}.md").read_text())
    assert said == summed


def test_minutes_that_do_not_add_up_are_seen():
    text = "about 30 minutes to read and 20 for the exercises\n### Exercise 1: x (★, 15 minutes)\n"
    assert minutes(text) == (20, 15)
