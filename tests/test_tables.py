"""One style for all tables: whatever pandas or a text wrote, a reader sees the same rules, numbers
on the right, heads above what they head, and no index that only counts.
"""

import sys

import pandas as pd
import pytest
from browsers import opened
from bs4 import BeautifulSoup
from test_browser import sites  # noqa: F401
from test_chapters import ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import tables
from table_grid import Grid
from table_numbers import is_list, is_number


def made(frame, **options):
    """A DataFrame, or one styled, as it stands on a page."""
    html = tables.one_style(frame.to_html(**options))
    return BeautifulSoup(html, "html.parser").table


def heads(table):
    return [[cell.get_text() for cell in row.select("th, td")] for row in table.select("thead tr")]


def rows(table):
    return [
        [cell.get_text().strip() for cell in row.select("th, td")]
        for row in table.select("tbody tr")
    ]


@pytest.mark.parametrize(
    "text",
    "0.9|−0.05|+1.4 [−1.6, +2.9]|0.92 [0.88, 0.96]|< .001|.079|3 of 12|9 × 10⁻⁷|10⁻⁴|59,339|12.5%"
    "|20.0 %|(128, 512)|576 × 1536|0.80 → 0.83|0.698 / 0.877|0.815 to 0.861|18 (8 to 34)"
    "|+0.193 ± 0.033|0.698 [0.651, 0.740], n = 400|23 (19–67)|81 seconds|1,932 to 765,637".split(
        "|"
    ),
)
def test_numbers_are_known_with_intervals_units_and_signs(text):
    assert is_number(text)


@pytest.mark.parametrize(
    "text",
    "|–|mlp|2.4.6|9:00|0, 1, 2|MLP 3, ξ = 0.99|icl-gpt2|q (576 × 576)|no clip|1, fc_in, 0.99"
    "|2026-11-30x".split("|"),
)
def test_words_versions_times_and_lists_are_no_numbers(text):
    assert not is_number(text)


def test_a_list_of_numbers_is_one():
    assert is_list("2, 4, 8") and not is_list("1,000") and not is_list("8")


GAINS = ["+1.0 [−0.2, +2.0]", "no clip", "0.0 [0.0, 0.0]"]
FRAME = pd.DataFrame({"task": ["a", "b", "c"], "gain": GAINS, "n": [8, 16, 32]})


@pytest.mark.parametrize("frame", [FRAME, FRAME.style, FRAME.style.hide(axis="index")])
def test_an_index_that_only_counts_is_not_shown_and_columns_of_numbers_are_known(frame):
    table = made(frame)
    assert heads(table) == [["task", "gain", "n"]]
    assert rows(table) == [[*row] for row in zip("abc", GAINS, ["8", "16", "32"])]
    kinds = [cell.get("class") for cell in table.select("tr:first-child > *")]
    assert kinds == [None, *[["number"]] * 2, ["short"], *[["number"]] * 2]
    assert table.select_one(".interval").text == "[−0.2, +2.0]"
    assert not table.select("[id], [style]:not(.room), [border]") and table["class"] == ["table"]


@pytest.mark.parametrize("index", [["x", "y", "z"], [3, 1, 2], pd.Index([0, 1, 2], name="layer")])
def test_an_index_that_says_something_stays(index):
    table = made(FRAME.set_axis(index))
    assert [row[0] for row in rows(table)] == [str(value) for value in index]


@pytest.mark.parametrize("styled", [False, True])
def test_the_names_of_index_and_columns_need_no_row_of_their_own(styled):
    frame = pd.DataFrame([[0.5, 0.25], [0.75, 1.5]], pd.Index([0, 1], name="layer"), ["q", "k"])
    frame.columns.name = "role"
    table = made(frame.style if styled else frame)
    assert heads(table) == [["", "role"], ["layer", "q", "k"]]
    group = table.select_one("th.group")
    assert group["colspan"] == "2" and group["scope"] == "colgroup"
    frame.columns.name = None
    assert heads(made(frame)) == [["layer", "q", "k"]]


def test_groups_of_columns_stand_above_their_columns_and_groups_of_rows_are_marked():
    columns = pd.MultiIndex.from_product([["look", "fetch"], [0, 1]], names=[None, "head"])
    index = pd.MultiIndex.from_product([["gpt2", "llama"], ["q", "k"]], names=["model", "role"])
    table = made(pd.DataFrame(0.5, index, columns))
    assert heads(table) == [["", "", "look · head", "fetch · head"], ["model", "role", *"0101"]]
    assert len(table.select("th.group")) == 2 and "levels" in table["class"]
    assert [row.get("class") for row in table.select("tbody tr")] == [["begins"], None] * 2


def test_a_pivot_s_columns_stand_below_their_name_and_what_was_the_index_does_not():
    frame = pd.DataFrame({"module": ["attn", "mlp"], "0": [0.1, 0.2], "0.5": [0.3, 0.4]})
    frame.columns.name = "ξ"
    table = made(frame, index=False)
    assert heads(table) == [["", "ξ"], ["module", "0", "0.5"]]
    assert rows(table) == [["attn", "0.1", "0.3"], ["mlp", "0.2", "0.4"]]


def test_what_spans_rows_and_columns_leaves_others_in_their_places():
    html = (
        "<table><tbody><tr><th rowspan=2>a</th><td colspan=2>b</td><td>c</td></tr>"
        "<tr><td>d</td><td>e</td><td>f</td></tr></tbody></table>"
    )
    grid = Grid(BeautifulSoup(html, "html.parser").table)
    assert [[at for at, _ in row] for row in grid.rows] == [[0, 1, 3], [1, 2, 3]]
    assert grid.width == 4 and grid.levels == 1


def test_what_is_no_table_of_the_text_stays_as_it_is():
    for html in (
        "<p>a</p><script>'<table><td>1</td></table>'</script>",
        '<table class="indextable"><tr><td>x</td></tr></table>',
    ):
        assert tables.one_style(html) == html


@pytest.mark.parametrize(
    "columns, cell, kinds",
    [
        (2, "0.92 [0.88, 0.96]", []),
        (3, "0.92 [0.88, 0.96]", ["full-on-phones"]),
        (4, "0.92 [0.88, 0.96]", ["below-on-phones", "full-on-phones"]),
        (5, "0.92 [0.88, 0.96]", ["below-on-phones", "tight", "full-on-phones"]),
        (8, "0.92 [0.88, 0.96]", ["below", "tight", "wide", "full", "full-on-phones"]),
        (9, "0.123", ["tight", "full-on-phones"]),
        (14, "0.123", ["tight", "wide", "full", "full-on-phones"]),
    ],
)
def test_what_a_table_does_where_it_is_too_wide_is_decided_by_its_width(columns, cell, kinds):
    table = made(pd.DataFrame([[cell] * columns] * 2, index=["a", "b"], columns=range(columns)))
    assert table["class"] == ["table", *kinds]


def test_long_words_of_the_heads_are_divided_only_where_that_makes_a_table_fit():
    names = "task accuracy discrimination calibrated imbalance canonical".split()
    values = pd.DataFrame(dict.fromkeys(names, ["0.95"] * 2))
    table = made(values)
    assert "tight" in table["class"] and "wide" not in table["class"]
    assert len(table.select("thead .divided")) == 6 and heads(table) == [names]
    assert not made(values.iloc[:, :3]).select(".divided")


def test_an_interval_in_a_text_and_words_beside_numbers_are_marked():
    texts = ["MLP 6: −0.077 [−0.112, −0.040]", "MLP 26: −0.012 [−0.016, −0.007]", "none"]
    table = made(pd.DataFrame({"where": texts, "reading": ["0.1", "no clip", "0.2"]}, list("abc")))
    assert table.select_one(".interval").text == "[−0.112, −0.040]"
    assert [cell["class"] for cell in table.select(".number.words")] == [["number", "words"]]


LOOK = """() => [...document.querySelectorAll(".bd-article table")]
  .filter((table) => table.checkVisibility() && !table.closest(".svdicl"))
  .map((table) => {
    const style = getComputedStyle(table), box = table.parentElement.closest("div, details");
    const aligned = (cell) => getComputedStyle(cell).textAlign;
    const rows = table.matches(".prose") && innerWidth < 600;  // one value below the other
    const cells = rows ? [] : [...table.querySelectorAll("tbody .number, thead .number")];
    return {
      size: style.fontSize, lines: style.borderTopWidth + " " + style.borderBottomWidth,
      figures: style.fontVariantNumeric, numbers: [...new Set(cells.map(aligned))],
      words: [...new Set([...table.querySelectorAll("td:not(.number)")].map(aligned))],
      counts: [...table.querySelectorAll("tbody tr")].every(
        (row, i) => row.cells[0].matches("th") && row.cells[0].textContent.trim() === String(i))
        && !table.tHead?.rows[table.tHead.rows.length - 1].cells[0].textContent.trim(),
      broken: cells.filter((cell) => !cell.closest("thead") && !cell.matches(".words")
        && getComputedStyle(cell).whiteSpace !== "nowrap").map((cell) => cell.textContent),
      wraps: box.scrollWidth > box.clientWidth + 2
        && [...table.querySelectorAll("tbody td")].some(
          (cell) => getComputedStyle(cell).whiteSpace !== "nowrap"),
      text: table.innerText.slice(0, 60),
    };
  })"""
SIZES = {False: ["14px"], True: ["13px", "12px"]}  # on a desk; on a phone, and where it is tight
NAMES = "chapters/02_inside_gpt2 chapters/05_clip_and_see chapters/10_rivals book/models".split()


@pytest.mark.built
@pytest.mark.parametrize("name", NAMES)
def test_on_a_page_all_tables_look_alike(browser, sites, name):  # noqa: F811
    with opened(browser, f"{sites['file']}/{name}.html", reduced_motion="reduce") as page:
        page.evaluate("document.querySelectorAll('article details').forEach((d) => d.open = true)")
        seen = {}
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(200)
            seen[width] = page.evaluate(LOOK)
        for table in [*seen[1280], *seen[390]]:
            assert table["size"] in SIZES[table in seen[390]], table
            assert table["lines"] in ("1.5px 1.5px", "1px 1px"), table
            assert "tabular-nums" in table["figures"] and not table["counts"], table
            assert table["numbers"] in ([], ["right"]), table
            assert set(table["words"]) <= {"left", "start"} and table["broken"] == [], table
        assert len(seen[1280]) >= 8
        assert not [table for table in seen[390] if table["wraps"]]
