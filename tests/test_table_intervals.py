"""Estimates and intervals of a column stand point below point and bracket below bracket, and no
line ends within a number.
"""

import re
import sys

import pytest
from browsers import opened
from bs4 import BeautifulSoup
from test_browser import HTML, sites  # noqa: F401
from test_chapters import CHAPTERS, ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import tables
import tidy_numbers
from table_widths import width

HEAD = "<table><thead><tr><th></th><th>gain</th><th>n</th></tr></thead><tbody>{}</tbody></table>"


def made(*values):
    rows = "".join(f"<tr><th>x</th><td>{value}</td><td>8</td></tr>" for value in values)
    return BeautifulSoup(tables.one_style(HEAD.format(rows)), "html.parser").select(
        "tbody td:nth-child(2)"
    )


def room_of(interval):
    """How wide an interval is, in em: its letters, and the room that is left."""
    left = [interval, *interval.select(".room")]
    room = sum(float(node["style"].split(":")[1]) for node in left if node.get("style"))
    return width(interval.get_text()) + room * width("0")


def test_intervals_of_a_column_are_of_one_width_and_say_what_they_said():
    texts = ["0.000 [−0.002, +0.003]", "−0.012 [0.0, 10.003]", "1.000 [0.9, 1]"]
    cells = made(*texts)
    assert [cell.get_text() for cell in cells] == texts
    widths = [room_of(cell.select_one(".interval")) for cell in cells]
    assert widths == pytest.approx([widths[0]] * 3, abs=0.01)
    assert not cells[0].select(".room + .room") and cells[1].select_one(".room")


def test_a_number_without_an_interval_stands_where_the_others_do():
    cells = made("0.5 [0.4, 0.6]", "0.7", "–", "0.2 [−0.1, 0.3]")
    rooms = [cell.select_one(".interval") for cell in cells]
    assert [room_of(room) for room in rooms[1:3]] == pytest.approx(
        [room_of(rooms[0]) + width(" ")] * 2, abs=0.01
    )
    assert cells[1].get_text() == "0.7" and "none" in rooms[1]["class"]


@pytest.mark.parametrize("values", [("0.5 [0.4, 0.6]", "0.7"), ("0.5", "0.7"), ("1 / 2", "12 / 3")])
def test_a_column_without_two_intervals_stays_as_it_is(values):
    assert not any(cell.select("[style]") for cell in made(*values))


@pytest.mark.parametrize(
    "text, unbroken",
    [
        ("about 5e-12 of it", "about 5_×_10⁻¹² of it"),
        ("3 × 10⁻⁶", "3_×_10⁻⁶"),
        ("768 × 3072, (m × n)", "768_×_3072, (m_×_n)"),
        ("layers × heads", "layers × heads"),
        ("1.5 × forwards", "1.5 × forwards"),
    ],
)
def test_no_line_ends_at_the_sign_within_a_number(text, unbroken):
    assert tidy_numbers.whole(text) == unbroken.replace("_", "\u00a0")
    table = tidy_numbers.tidy_html(f"<table><tr><td>{text}</td></tr></table>")
    assert unbroken.replace("_", "\u00a0") in table


# Of the intervals of each column that are shown: where their first brackets stand.
BRACKETS = """() => [...document.querySelectorAll("table.table")].flatMap((table) => {
  const columns = {};
  for (const interval of table.querySelectorAll("td.number > .interval:not(.none)")) {
    const range = new Range();
    range.setStart(interval.firstChild, 0), range.setEnd(interval.firstChild, 1);
    const [box] = range.getClientRects();
    if (box && interval.textContent[0] === "[" && interval.querySelector(".room"))
      (columns[interval.parentElement.cellIndex] ??= []).push(box.left);
  }
  return Object.values(columns).map((lefts) => Math.max(...lefts) - Math.min(...lefts));
})"""
CUT = """() => [...document.querySelectorAll(".bd-article table.table")].filter((table) => {
  const { borderRadius, overflowX } = getComputedStyle(table.parentElement);
  return overflowX !== "visible" && parseFloat(borderRadius);
}).length"""


@pytest.mark.built
@pytest.mark.parametrize("across", [1280, 390])
def test_in_a_page_brackets_stand_below_each_other_and_no_corner_cuts_a_rule(
    browser,  # noqa: F811
    sites,  # noqa: F811
    across,
):
    page = f"{sites['file']}/chapters/14_other_domains.html"
    with opened(browser, page, width=across) as shown:
        apart = shown.evaluate(BRACKETS)
        assert len(apart) > 3 and max(apart) < 1
        assert shown.evaluate(CUT) == 0


def dashes(table):
    """The rows and columns of a table that say nothing."""
    rows = [[cell.get_text(strip=True) for cell in row.select("td")] for row in table.select("tr")]
    rows = [row for row in rows if len(row) > 1]
    columns = list(zip(*rows)) if len({*map(len, rows)}) == 1 and len(rows) > 1 else []
    return [line for line in [*rows, *columns] if not {*line} - {"–", "—", "-"}]


def test_a_row_or_column_of_dashes_is_seen():
    row = "<tr><th>a</th><td>{}</td><td>–</td></tr>"
    table = BeautifulSoup("".join(map(row.format, "1–2")), "html.parser")
    assert dashes(table) == [["–", "–"], ("–", "–", "–")]


@pytest.mark.built
@pytest.mark.parametrize("name", CHAPTERS)
def test_no_table_of_a_chapter_has_a_row_or_column_of_dashes_alone(sites, name):  # noqa: F811
    page = (HTML / f"chapters/{name}.html").read_text(encoding="utf-8")
    found = re.findall(r"<table\b.*?</table>", page, re.DOTALL)
    assert not [line for table in found for line in dashes(BeautifulSoup(table, "html.parser"))]
