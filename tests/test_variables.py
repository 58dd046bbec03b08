"""A letter that stands for a number is set as in formulas, also where no formula is written."""

import sys

import pytest
from test_chapters import ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import variables

JOINED = '<span class="joined">'
CODE = '<code class="docutils literal notranslate"><span class="pre">{}</span></code>'


@pytest.mark.parametrize(
    "plain, marked",
    [
        ("<p>a W of k</p>", "<p>a <var>W</var> of <var>k</var></p>"),
        ("<p>the p-value, e.g. 3 s</p>", "<p>the <var>p</var>-value, e.g. 3 s</p>"),
        ("<dt>def f(x)</dt><code>k = 1</code>", "<dt>def f(x)</dt><code>k = 1</code>"),
        ("<p>σ<sub>max</sub>, B’s</p>", "<p>σ<sub>max</sub>, B’s</p>"),
        ("<p>r &lt; mn, Vh</p>", "<p><var>r</var> &lt; <var>mn</var>, <var>Vh</var></p>"),
    ],
)
def test_in_what_the_module_says_of_itself_every_such_letter_is_a_variable(plain, marked):
    assert variables.with_variables(plain, variables.ANY) == marked


@pytest.mark.parametrize(
    "plain, marked",
    [
        ("<td>n = 400</td>", '<td><span class="joined"><var>n</var> = 400</span></td>'),
        ("<th>n</th><th>No of all</th>", "<th><var>n</var></th><th>No of all</th>"),
        ("<i>p &lt; 5, plan B</i>", f"<i>{JOINED}<var>p</var> &lt; 5</span>, plan B</i>"),
        ("<p>a p below .05, p-values</p>", "<p>a <var>p</var> below .05, <var>p</var>-values</p>"),
        ("<th>p (Holm)</th>", "<th><var>p</var> (Holm)</th>"),
        ("<p>N. Kumar, p. 12, R&amp;D, 1/N</p>", "<p>N. Kumar, p. 12, R&amp;D, 1/<var>N</var></p>"),
        (r'<span class="math">\(k = 1\)</span>', r'<span class="math">\(k = 1\)</span>'),
        ("<pre>n = 4</pre><svg><text>k = 2</text></svg>",) * 2,
        ('<img alt="n = 4">',) * 2,
        ("<p>at ξ = 0.5, σ.</p>", '<p>at <span class="joined">ξ = 0.5</span>, σ.</p>'),
    ],
)
def test_elsewhere_it_is_one_where_it_is_said_what_it_is(plain, marked):
    assert variables.with_variables(plain) == marked


def test_what_the_module_calls_by_one_letter_is_no_code_in_a_sentence():
    """In "The rank that is left of `k` values at ξ = 1 − r/k" it would have two faces."""
    told = f"<dd>of {CODE.format('k')} at 1 − r/k, {CODE.format('rank')}</dd>"
    kept = "<dd>of <var>k</var> at 1 − <var>r</var>/<var>k</var>, "
    assert variables.of_the_module(told) == f"{kept}{CODE.format('rank')}</dd>"
