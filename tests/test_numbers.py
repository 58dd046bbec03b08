"""Numbers for readers: minus signs, zeros, p-values and what is undefined, in values, in text and
in the pages that the book is built into.
"""

import sys

import numpy as np
import pytest
from docutils import nodes
from docutils.utils import new_document
from test_chapters import ROOT

from svdicl_lite.numbers import at_most, interval, number, p_value, points, tidy

sys.path.insert(0, str(ROOT / "book/_ext"))
from tidy_numbers import tidy_html, tidy_tree

# Values


@pytest.mark.parametrize(
    "value, written",
    [
        (1.74, "1.7"),
        (-0.94, "−0.9"),
        (-0.04, "0.0"),
        (-0.0, "0.0"),
        (-1234.5, "−1,234.5"),
        (float("nan"), "–"),
        (float("-inf"), "−∞"),
        (np.float32(0.25), "0.2"),
    ],
)
def test_a_number_has_a_true_minus_and_zero_has_no_sign(value, written):
    assert number(value) == written


def test_differences_show_their_sign_and_none_of_nothing():
    assert [points(share) for share in (0.017, -0.009, 0.0004, -0.0004)] == [
        "+1.7",
        "−0.9",
        "0.0",
        "0.0",
    ]
    assert interval(-0.9, 1.7) == "[−0.9, +1.7]"
    assert interval(0.123, 0.4567, digits=2, signed=False) == "[0.12, 0.46]"


@pytest.mark.parametrize(
    "p, written",
    [
        (0.03, "p = .03"),
        (0.0304, "p = .03"),
        (0.0042, "p = .0042"),
        (0.001, "p = .001"),
        (0.00099, "p < .001"),
        (2e-267, "p < .001"),
        (0.0, "p < .001"),
        (0.5, "p = .5"),
        (0.0996, "p = .1"),
        (0.997, "p = 1"),
        (1 + 1e-12, "p = 1"),
        (float("nan"), "p = –"),
    ],
)
def test_a_p_value_has_two_digits_and_is_never_0(p, written):
    assert p_value(p) == written


def test_a_p_value_in_a_table_needs_no_name_and_what_is_none_is_refused():
    assert p_value(0.03, "") == ".03" and p_value(1e-9, "") == "< .001"
    assert p_value(0.2, "p (Holm)") == "p (Holm) = .2"
    with pytest.raises(ValueError, match="lies from 0 to 1, but this one is 1.2"):
        p_value(1.2)


def test_every_p_value_can_be_read_back():
    for p in np.random.default_rng(0).random(500) ** 4:
        written = p_value(p, "")
        if written.startswith("<"):
            assert p < 0.001
        else:
            assert abs(float(written) - p) <= max(0.005, 0.005 * p)


def test_a_bound_that_rounds_to_zero_says_so():
    written = [at_most(share) for share in (0.017, -0.017, 0.0004, 0.0, float("inf"))]
    assert written == [
        "at most 1.7 points",
        "at most 1.7 points",
        "less than 0.1 points",
        "0 points",
        "at most ∞ points",
    ]
    assert at_most(0.00004, digits=2) == "less than 0.01 points"


# Text


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("gain -0.04 [-0.9, +1.7]", "gain −0.04 [−0.9, +1.7]"),
        ("-0.0 points", "0.0 points"),
        ("+0.0 [-0.0, +0.00]", "0.0 [0.0, 0.00]"),
        ("−0 of 3", "0 of 3"),
        ("−0.05 and -.5", "−0.05 and −.5"),
        ("costs +0.0, or -0.0.", "costs 0.0, or 0.0."),
        ("ξ = -1", "ξ = −1"),
        ("-1,000", "−1,000"),
        ("2.5e-05 to 3e+09", "2.5 × 10⁻⁵ to 3 × 10⁹"),
        ("1e-15, -1e-8 and 0.0e+00", "10⁻¹⁵, −10⁻⁸ and 0.0"),
    ],
)
def test_text_gets_minus_signs_and_zeros_without_one(text, wanted):
    assert tidy(text) == wanted and tidy(wanted) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "GPT-2",
        "8-bit",
        "SmolLM2-135M",
        "2026-11-30",
        "10-20",
        "0-3",
        "1e6",
        "10.1/x-1",
        "a2e-05",
        "k-1",
    ]
    + ["+0.05", "-one", "a - b", "--seed 0", "+0x", "[0.1, 0.2]", "−0.0007"],
)
def test_what_joins_stays_a_hyphen_and_a_small_number_keeps_its_sign(text):
    assert tidy(text) == text


# Pages


def test_only_tables_of_html_are_tidied_and_code_in_them_stays():
    html = (
        '<p style="top:-1px">-1</p><table class="a-1"><td style="margin:-2px">-2.5</td>'
        "<td>nan</td><td><code>-3</code> -0.0</td><td> NaN\n</td><td>banana</td></table>-4"
        "<script>'<table><td>-5</td></table>'</script>"
    )
    assert tidy_html(html) == (
        '<p style="top:-1px">-1</p><table class="a-1"><td style="margin:-2px">−2.5</td>'
        "<td>–</td><td><code>-3</code> 0.0</td><td>–</td><td>banana</td></table>-4"
        "<script>'<table><td>-5</td></table>'</script>"
    )


def test_p_values_of_a_table_are_written_in_one_way_and_small_ones_are_bounds():
    head = "<tr><th></th><th>gain</th><th>p (Holm)</th></tr>"
    row = "<tr><th>{}</th><td>{}</td><td class='a'>{}</td></tr>"
    rows = [("a", "1e-5", "2e-267"), ("b", "0.0000", "0.0000"), ("c", "1", "0.004"), ("d", "1", "")]
    html = f"<table><thead>{head}</thead>{''.join(row.format(*cells) for cells in rows)}</table>"
    tidied = [("a", "10⁻⁵", "&lt; .001"), ("b", "0.0000", "&lt; .001"), ("c", "1", ".004"), rows[3]]
    wanted = (
        f"<table><thead>{head}</thead>{''.join(row.format(*cells) for cells in tidied)}</table>"
    )
    assert tidy_html(html) == wanted
    plain = html.replace("p (Holm)", "perplexity")
    assert "2\u00a0×\u00a010⁻²⁶⁷" in tidy_html(plain) and "&lt;" not in tidy_html(plain)


def test_texts_of_a_page_are_tidied_and_code_formulas_and_output_stay():
    page = new_document("page")
    page += nodes.paragraph("", "by ", nodes.inline("", "-0.9"))
    page += nodes.paragraph("", "", nodes.literal("", "-1"), nodes.math("", "x = -2"))
    page += nodes.literal_block("", "loss -3")
    page += nodes.raw("", "<table><td>-4</td></table>", format="html")
    page += nodes.caption("", "from -5 to -0.0")
    page += nodes.image(alt="it falls by -6")
    tidy_tree(page)
    texts = [str(text) for text in page.findall(nodes.Text)]
    assert texts == [
        *("by ", "−0.9", "-1", "x = -2", "loss -3"),
        *("<table><td>−4</td></table>", "from −5 to 0.0"),
    ]
    assert [image["alt"] for image in page.findall(nodes.image)] == ["it falls by −6"]
