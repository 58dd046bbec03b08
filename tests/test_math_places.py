r"""A formula in the text has a place of its width before it is set."""

import sys
from types import SimpleNamespace

import pytest
from test_chapters import ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import math_places


@pytest.mark.parametrize(
    "tex, measured",  # in em, as MathJax 3 sets it in the book
    [
        (r"\(N\)", 0.98),
        (r"\(W_{\text{in}}\)", 1.69),
        (r"\(\xi = 0.99\)", 3.91),
        (r"\(\sigma_1^2\)", 1.11),
        (r"\(R = \frac12\)", 3.19),
        (r"\(\mathcal{N}(0, \sigma^2 1)\)", 4.64),
        (r"\(P = V_{:r}V_{:r}^\top\)", 5.22),
        (r"\(W_K \to A^{-\top} W_K\)", 7.51),
    ],
)
def test_a_place_is_nearly_as_wide_as_its_formula(tex, measured):
    assert math_places.width(tex) == pytest.approx(measured, abs=0.5)


@pytest.mark.parametrize("tex", [r"\(\)", r"\({\)", r"\(a_\)", r"\(\frac\)", r"\(}\)", r"\(\hat\)"])
def test_a_broken_formula_has_a_place_too(tex):
    assert 0 <= math_places.width(tex) < 3


def test_only_formulas_in_the_text_get_a_place():
    inline = r'<span class="math notranslate nohighlight">\(a &lt; b\)</span>'
    block = r'<div class="math notranslate nohighlight">\[a\]</div>'
    context = {"body": f"<p>{inline} and {inline}, so</p>{block}"}
    math_places._keep_places(SimpleNamespace(), "a", "a", context, None)
    placed = f'style="--em: {math_places.width("a < b"):.2f}em"'
    assert placed in context["body"] and context["body"].endswith(block)
    assert context["body"].count("--em") == 2
    assert (
        context["body"].count('<span class="joined"><span') == 1
        and "</span>,</span> so" in (context["body"])
    )


def test_a_bracket_stays_with_its_formula():
    inline = r'<span class="math notranslate nohighlight">\(n\)</span>'
    context = {"body": f"<p>a tall one ({inline}) is</p>"}
    math_places._keep_places(SimpleNamespace(), "a", "a", context, None)
    assert 'a tall one <span class="joined">(<span' in context["body"]
    assert context["body"].endswith("</span>)</span> is</p>")
