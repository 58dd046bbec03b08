"""The paper map says of each claim what became of it, with a number that a chapter computes."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "book/paper_map.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| in the paper")
]
VERDICTS = {
    *("Holds", "Reproduced", "Reproduced in part", "Differs", "Corrected", "Not tested"),
    *("New", "Confirmed", "Tested"),
}
GLUED = re.findall(r"\{glue:text\}`/chapters/(\w+)\.ipynb::(\w+):s`", PAGE)


def glued_names(chapter: str) -> list[str]:
    """Patterns of the names that a chapter glues; what an f-string fills in may be anything."""
    source = (ROOT / f"chapters/{chapter}.md").read_text()
    names = re.findall(r'\bglue\(\s*f?"([^"]+)"', source)
    return [re.sub(r"\\\{.*?\\\}", ".*", re.escape(name)) for name in names]


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:40] for row in ROWS])
def test_every_row_has_a_verdict_and_a_link_or_says_that_nothing_was_tested(row):
    claim, verdict, found = row
    word = re.match(r"\*\*([^*]+)\*\*", verdict)
    assert word and word[1] in VERDICTS, f"no verdict: {claim}"
    assert "{ref}" in found or "Remarks" in claim, f"no link: {claim}"


@pytest.mark.parametrize("chapter, name", GLUED, ids=[name for _, name in GLUED])
def test_every_number_of_the_map_is_glued_by_its_chapter(chapter, name):
    assert any(re.fullmatch(pattern, name) for pattern in glued_names(chapter))


def test_most_rows_have_a_number():
    with_number = [row for row in ROWS if "{glue:text}" in row[2]]
    assert len(ROWS) > 30 and len(with_number) > 0.8 * len(ROWS)


def test_nothing_is_put_off():
    assert not re.search(r"see there|see above|being written|to come", PAGE, re.I)
