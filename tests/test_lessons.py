"""What every lesson owes its reader: numbers that were computed, figures that are described,
exercises whose checks can tell right from wrong.
"""

import ast
import re

import jupytext
import pytest
import yaml
from test_chapters import CHAPTERS, ROOT

WORDS = (
    "which that these those is are was were has have had costs? gains? gained lost loses? falls?"
    " rises? keeps? leaves? takes? needs? than".split()
)
CLAIM = re.compile(rf"%|\bpoints?\b|±|\b(?:{'|'.join(WORDS)})\b", re.I)
NUMBER = re.compile(r"(?<![\w.#-])[-+−]?\d[\d,.]*(?:\s?%)?")
ALLOWED = re.compile(
    r"""\b(?:1[89]|20)\d\d\b  # a year
    # a level that was chosen
    | \b95\s%(?=\ interval|\ over|\ paired|\ bootstrap) | \b(?:1|5|95)\s%\ level
    # candidate rates
    | ξ\ ?[=≥≤]\ ?0(?:\.\d+)?(?:\ and\ 0\.\d+)? | \bat\ 0\.\d+(?:\ alike)? | \brate\ 0\b
    | \b\d+(?:-|\ )bits?\b | \b(?:[23])-[dD]\b | float\d+ | bfloat\d+  # formats
    # names
    | \bGPT-?2\b | \bGPT-J(?:-\dB)?\b | LLaMA-?2(?:-\dB)?\b | SST-2
    | Remarks?\ \d | Exercise\ \d | [Ll]ayers?\ \d | Lectures?\ [\d,\ and]+ | section\ [\d.]+
    | [Cc]hapters?\ \d+ | \bFigures?\ \d
    | λ\ =\ [\d.]+ | (?<!\S)[+−]1\b  # a setting; the ends of a scale
    # sizes that the text sets
    | \b(?:width|order|rank|degree|side|class(?:es)?)\ (?:of\ )?\d+\b
    | \b\d+\ (?:×|x)\ \d+\b | k\ =\ \d
    """,
    re.X,
)


def prose(chapter: str) -> list[str]:
    """The sentences of a chapter outside of code, math, glue, headings, tables, hints and the words
    on time and memory.
    """
    cells = jupytext.read(ROOT / f"chapters/{chapter}.md").cells
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    text = re.sub(
        r":::\{admonition\} Hint.*?\n:::", "", text, flags=re.S
    )  # a hint tells the way, and claims nothing of data
    text = re.sub(r"\$\$.*?\$\$|\$[^$]+\$", " ", text, flags=re.S)
    text = re.sub(r"```.*?```", " ", text, flags=re.S)
    text = re.sub(r"\{glue:?[^}]*\}`[^`]*`|\{(?:ref|term|doc)\}`[^`]*`|`[^`\n]*`", " _ ", text)
    text = re.sub(
        r"^(?:#.*|\|.*|:::.*|:\w+:.*|\*\*It takes\*\*.*(?:\n[^\n:]+)*|\(.*\)=)$",
        "",
        text,
        flags=re.M,
    )
    text = re.sub(r"^\d+\. ", "", text, flags=re.M)
    return [
        " ".join(sentence.split())
        for block in text.split("\n\n")
        for sentence in re.split(r"(?<=[.?!:;])\s+(?=[A-Z*])|\n- ", block)
        if sentence.strip()
    ]


def typed_numbers(chapter: str) -> list[str]:
    """Sentences that claim something with a number that nobody computed, nor cited."""
    found = []
    for sentence in prose(chapter):
        if "{cite" in sentence or sentence.endswith(
            "?"
        ):  # a printed number of a source; a question asserts nothing
            continue
        left = ALLOWED.sub(" ", sentence)
        numbers = [
            number
            for number in NUMBER.findall(left)
            if number.strip(",. ") not in ("0", "1", "2", "3", "4")
        ]
        if numbers and CLAIM.search(left):
            found.append(f"{', '.join(numbers)}: {sentence}")
    return found


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_number_with_a_claim_is_computed_or_cited(chapter):
    assert typed_numbers(chapter) == []


def test_the_detector_sees_a_typed_number(tmp_path, monkeypatch):
    monkeypatch.setattr("test_lessons.ROOT", tmp_path)
    (tmp_path / "chapters").mkdir()
    page = (
        "---\njupytext:\n  text_representation:\n    extension: .md\n    format_name:"
        " myst\nkernelspec:\n  name: python3\n  display_name: p\n---\n\n"
    )
    (tmp_path / "chapters/bad.md").write_text(
        page
        + "The clip gains 17.2 points.\n\nIt was found in 1988 {glue:text}`x_gain` ago.\n\n$a = 77$"
        " is math.\n"
    )
    assert len(typed_numbers("bad")) == 1


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_figure_of_a_chapter_has_alt_text_and_a_caption(chapter):
    text = (ROOT / f"chapters/{chapter}.md").read_text()
    for cell in jupytext.read(ROOT / f"chapters/{chapter}.md").cells:
        draws = cell.cell_type == "code" and re.search(
            r"plt\.subplots\(|plots\.search_path\(", cell.source
        )
        if draws and "remove-cell" not in cell.metadata.get("tags", []):
            image, figure = (
                cell.metadata.get("mystnb", {}).get(kind, {}) for kind in ("image", "figure")
            )
            assert len(image.get("alt", "")) > 60, f"no alt text: {cell.source[:80]}"
            assert len(figure.get("caption", "")) > 30 and figure.get("name", "").startswith(
                "fig-"
            ), f"no caption: {cell.source[:80]}"
    for options in re.findall(
        r"^(?:```|:::)\{figure\}[^\n]*\n(.*?)^(?:```|:::)", text, re.M | re.S
    ):
        assert ":alt:" in options, f"a figure without alt text: {options[:80]}"


def exercises(chapter: str) -> dict[str, list]:
    """Heading of each exercise → its cells."""
    found, cells = {}, None
    for cell in jupytext.read(ROOT / f"chapters/{chapter}.md").cells:
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.startswith("#"):
                    cells = found.setdefault(line, []) if line.startswith("### Exercise") else None
        if cells is not None:
            cells.append(cell)
    return found


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_exercise_has_a_solution_that_its_check_accepts_and_an_answer_that_it_refuses(
    chapter,
):
    assert len(exercises(chapter)) >= 3
    code = "\n".join(
        cell.source
        for cell in jupytext.read(ROOT / f"chapters/{chapter}.md").cells
        if cell.cell_type == "code"
    )
    asserted = "\n".join(
        " ".join(ast.get_source_segment(code, node).split())  # one line, however it is wrapped
        for node in ast.parse(code).body
        if isinstance(node, ast.Assert)
    )
    for heading, cells in exercises(chapter).items():
        assert re.search(r"★+, \d+ minutes", heading), f"no difficulty and minutes: {heading}"
        check = re.search(
            r"def (check_\w+)\(",
            "\n".join(cell.source for cell in cells if cell.cell_type == "code"),
        )
        assert check, f"no check: {heading}"
        assert re.search(rf'{check[1]}\(.*?\)(?: == |\.startswith\()"Right', asserted), (
            f"no asserted solution: {heading}"
        )
        assert re.search(
            rf'{check[1]}\(.*\) != "Right|not {check[1]}\(|" in {check[1]}\(', asserted
        ), f"the check refuses nothing: {heading}"
        assert any("Hint" in cell.source for cell in cells), f"no hint: {heading}"


def test_the_pages_beside_the_chapters_are_in_the_table_of_contents():
    listed = yaml.safe_load((ROOT / "_toc.yml").read_text())
    files = {chapter["file"] for part in listed["parts"] for chapter in part["chapters"]}
    assert {
        f"book/{page}"
        for page in ("paper_map", "notation", "glossary", "models", "api", "status", "references")
    } <= files
