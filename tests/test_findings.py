"""Findings at a glance: a verdict first, bars that say what the chapters glued, numbers in one
piece, and counts that are counted.
"""

import re
import sys

import pytest
from browsers import opened
from bs4 import BeautifulSoup
from docutils import nodes
from docutils.utils import new_document
from test_browser import HTML, sites  # noqa: F401
from test_chapters import ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import findings
import intervals

PAGE = (ROOT / "book/findings.md").read_text()
NAMED = "{glue:text}`/chapters/05_clip_and_see.ipynb::a:s` "


def of(svg, kind):
    return BeautifulSoup(svg, "html.parser").find_all(kind)


def test_an_estimate_is_read_as_the_book_writes_it():
    assert intervals.estimate_of("−4.0 [−6.6, −1.9]") == (-4.0, -6.6, -1.9)
    assert intervals.value_of("1,000") == 1000
    with pytest.raises(ValueError, match="'0.71' is no number with an interval"):
        intervals.estimate_of("0.71")


def test_a_bar_stands_where_its_numbers_are_and_says_them():
    svg = intervals.bar(intervals.Estimate(10, -20, 55), "clip", "+10 [−20, +55] points")
    (point,) = of(svg, "circle")
    assert float(point["cx"]) == pytest.approx(intervals.WIDTH * 30 / 75, abs=0.05)
    ticks, zero, whisker = (path["d"] for path in of(svg, "path"))
    at = [float(found) for found in re.findall(r"M([\d.]+) -3V", f"{ticks}{zero}")]
    scale = [intervals.WIDTH * (tick + 20) / 75 for tick in (-20, 20, 40, 0)]
    assert at == pytest.approx(scale, abs=0.06)
    assert whisker.startswith("M0.0 ") and f"H{intervals.WIDTH}.0" in whisker
    assert of(svg, "svg")[0]["aria-label"] == "+10 [−20, +55] points"
    with pytest.raises(ValueError, match="61 lies outside of the scale from -20 to 55"):
        intervals.bar(intervals.Estimate(61, 50, 70), "clip", "")


def test_a_count_fills_as_many_squares_as_it_says():
    drawn = of(intervals.squares(9, 40), "rect")
    assert [square["class"] for square in drawn].count(["is"]) == 9 and len(drawn) == 40
    rows = -(-40 // intervals.A_ROW)
    assert len({square["y"] for square in drawn}) == rows
    assert max(float(square["x"]) for square in drawn) + intervals.SIDE <= intervals.WIDTH


@pytest.mark.parametrize(
    "kind, glued, line, shape, aloud",
    [
        ("clip", ["+1.7 [−0.9, +4.3]"], f"{NAMED}here", "circle", "+1.7 [−0.9, +4.3] points"),
        ("clip", ["+1.7", "[−0.9, +4.3]"], NAMED * 2, "circle", "+1.7 [−0.9, +4.3] points"),
        ("control", ["−5.2", "+16.6"], f"{NAMED}to {NAMED}", "rect", "−5.2 to +16.6 points"),
        ("count", ["3", "14"], f"{NAMED}of {NAMED}searches", "rect", "3 of 14"),
        ("count", ["14"], f"0 of {NAMED}searches", "rect", "0 of 14"),
    ],
)
def test_a_line_of_evidence_is_drawn_as_it_begins(monkeypatch, kind, glued, line, shape, aloud):
    values = iter(glued)
    monkeypatch.setattr(intervals, "glued", lambda *_: {"a": next(values)})
    svg = findings.drawn(kind, line, ROOT)
    assert of(svg, shape) and of(svg, "svg")[0]["aria-label"] == aloud


@pytest.mark.parametrize("kind, words", [("clip", "neither '.1.7 "), ("count", "a count begins")])
def test_a_line_that_says_something_else_than_it_draws_is_refused(monkeypatch, kind, words):
    monkeypatch.setattr(intervals, "glued", lambda *_: {"a": "many"})
    with pytest.raises(ValueError, match=words):
        findings.drawn(kind, f"{NAMED}of them", ROOT)


def test_a_number_and_its_interval_are_one_piece_outside_of_tables():
    tree = new_document("page")
    tree += nodes.paragraph("", "it gains +1.7 [−0.9, +4.3], or [+0.1, +3.0] here [see it]")
    tree += nodes.entry("", nodes.paragraph("", "+1.7 [−0.9, +4.3]"))
    before = tree.astext()
    intervals.keep_whole(tree)
    whole = [node.astext() for node in tree.findall(nodes.inline) if node["classes"] == ["whole"]]
    assert whole == ["+1.7 [−0.9, +4.3]", "[+0.1, +3.0]"] and tree.astext() == before


def test_a_percent_sign_stays_with_its_number():
    glued = nodes.paragraph("", "", nodes.inline("", "94"), nodes.Text(" % of it, 95 % of all"))
    tree = new_document("page")
    tree += [glued, nodes.paragraph("", "", nodes.literal("", "5 % 2"))]
    intervals.keep_percents(tree)
    assert glued.astext() == "94\u00a0% of it, 95\u00a0% of all"
    assert tree[1].astext() == "5 % 2"


def test_the_words_for_verdicts_are_those_that_the_page_explains():
    given = re.findall(r"^verdict: (.+)$", PAGE, re.MULTILINE)
    assert len(given) >= 15 and set(given) == set(findings.SIGNS)
    for verdict in findings.SIGNS:
        assert f"\n*{verdict.capitalize()}*: " in PAGE


def test_what_stands_in_bold_is_what_was_found_and_no_claim():
    rows = re.findall(r"\{finding\} (.+)\n---\nname: .+\nverdict: (.+)\n(paper: )?", PAGE)
    assert len(rows) == PAGE.count("{finding} ")
    for found, verdict, _ in rows:
        assert found.startswith("Not shown that ") == (verdict == "not shown"), found
        assert "(claim" not in found and found.endswith("."), found
    of_paper = PAGE[: PAGE.index("(findings-added)=")].count("{finding} ")
    assert [bool(paper) for *_, paper in rows] == [i < of_paper for i in range(len(rows))]
    found, paper = [nodes.Text("It.")], [nodes.Text("x.")]
    assert findings.claim(found, []).astext() == "It."
    told = findings.claim([nodes.Text("It.")], paper)
    assert told.astext() == "It. The paper: x." and told[0].astext() == "It."


@pytest.mark.parametrize("kinds", ["", "bar count"])
def test_a_key_explains_all_marks_or_those_that_are_named(kinds):
    class Bare(findings.Key):
        def __init__(self):
            self.arguments = kinds.split()

        def error(self, message):
            return ValueError(message)

    (made,) = Bare().run()
    assert [item[0][-1].astext() for item in made] == [
        findings.KEY[kind] for kind in kinds.split() or findings.KEY
    ]
    kinds = "bar colour"
    with pytest.raises(ValueError, match="but no 'colour'"):
        Bare().run()


@pytest.mark.built
@pytest.mark.parametrize("width", [1280, 390])
def test_findings_are_taken_in_row_by_row(browser, sites, width):  # noqa: F811
    with opened(browser, f"{sites['http']}/book/findings.html", width=width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        rows = page.locator("ul.findings > li").all()
        assert len(rows) == PAGE.count("{finding} ")
        for row in rows[:4]:
            parts = (".verdict", ".claim", ".evidence")
            verdict, claim, number = (row.locator(one).first.bounding_box() for one in parts)
            assert claim["y"] < number["y"] and row.inner_text().strip().startswith(
                row.locator(".verdict").inner_text().strip()
            )
            if width == 390:
                assert verdict["y"] < claim["y"]
            else:
                assert verdict["x"] + verdict["width"] < claim["x"]
        drawn = len(re.findall(r"^  (?:clip|calibration|control|count) \|", PAGE, re.MULTILINE))
        assert page.locator(".evidence .bar[aria-label]").count() == drawn
        lines = """all => all.map((one) => new Set([...one.getClientRects()]
          .map((box) => Math.round(box.top))).size)"""
        assert max(page.locator("article .whole").evaluate_all(lines)) == 1
        zeros = page.locator(".evidence .bar:not(.count) .zero")
        at = zeros.evaluate_all("all => all.map(one => Math.round(one.getBoundingClientRect().x))")
        assert len(set(at)) == 1, "bars of one scale, one below the other"


@pytest.mark.built
def test_the_counts_of_verdicts_are_those_of_the_rows():
    soup = BeautifulSoup((HTML / "book/findings.html").read_text(), "html.parser")
    lists = soup.select("ul.findings")
    lines = soup.select(".verdict-counts p")
    assert len(lists) == len(lines) == 2
    for listed, line in zip(lists, lines):
        given = [tag.get_text(strip=True) for tag in listed.select(".verdict")]
        said = dict(
            tag.get_text(" ", strip=True).split(" ", 1)[::-1] for tag in line.select(".verdict")
        )
        assert {word: int(n) for word, n in said.items()} == {
            word: given.count(word) for word in set(given)
        }
        assert f"{len(given)} claims" in line.get_text()
