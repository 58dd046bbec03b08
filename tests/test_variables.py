"""A letter that stands for a number is set as in formulas, also where no formula is written."""

import sys

import pytest
from test_chapters import ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import variables


@pytest.mark.parametrize(
    "plain, marked",
    [
        ("<p>a W of k</p>", "<p>a <var>W</var> of <var>k</var></p>"),
        ("<p>the p-value, e.g. 3 s</p>", "<p>the <var>p</var>-value, e.g. 3 s</p>"),
        ("<dt>def f(x)</dt><code>k = 1</code>", "<dt>def f(x)</dt><code>k = 1</code>"),
        ("<p>σ<sub>max</sub>, B’s</p>", "<p>σ<sub>max</sub>, B’s</p>"),
    ],
)
def test_in_what_the_module_says_of_itself_every_such_letter_is_a_variable(plain, marked):
    assert variables.with_variables(plain, variables.ANY) == marked


@pytest.mark.parametrize(
    "plain, marked",
    [
        ("<td>n = 400</td>", "<td><var>n</var> = 400</td>"),
        ("<th>n</th><th>N of all</th>", "<th><var>n</var></th><th>N of all</th>"),
        ("<p>p &lt; 0.05, plan B</p>", "<p><var>p</var> &lt; 0.05, plan B</p>"),
        (r'<span class="math">\(k = 1\)</span>', r'<span class="math">\(k = 1\)</span>'),
        ("<pre>n = 4</pre><svg><text>k = 2</text></svg>",) * 2,
        ('<img alt="n = 4">',) * 2,
        ("<p>at ξ = 0.5, σ.</p>", '<p>at <span class="joined">ξ = 0.5</span>, σ.</p>'),
    ],
)
def test_elsewhere_it_is_one_where_it_is_said_what_it_is(plain, marked):
    assert variables.with_variables(plain) == marked
