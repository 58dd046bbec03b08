r"""Keeps a place for each formula in the text, as wide as the formula will be, so that no line
breaks otherwise when MathJax has set it.

MathJax comes behind the first picture of a page (`offline.py`). Until then `\(W_{\text{in}}\)`
would stand there, thrice as wide as what it becomes. The width is added up from its parts; half of
the book's formulas come within a sixth of an em, nine in ten within two thirds.

Also says how the sign of a transpose looks: as an upright T. TeX's own, ⊤, is of lines half a pixel
thick on a phone.
"""

import html
import re

PLACE = re.compile(
    r'([(\[]*)<span class="math notranslate nohighlight">(\\\(.*?\\\))</span>([,.;:?!)\]]*)',
    re.DOTALL,
)
TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|\S")
EM = 1.105  # what MathJax makes of a letter's size beside the serif of the book
RELATIONS = r"= < > \le \ge \to \approx \in \sim \propto \ne \ll \gg \leq \geq \neq \mapsto \equiv"
WIDTHS = {
    **dict.fromkeys(RELATIONS.split(), 1.33),
    **dict.fromkeys(r"+ - \cdot \times \otimes \pm \odot".split(), 1.2),
    **dict.fromkeys("( ) [ ]".split(), 0.39),
    **dict.fromkeys("fijlrtI", 0.4)
    | dict.fromkeys("mw", 0.92)
    | {"W": 0.88}
    | dict.fromkeys("abcdegkos", 0.48),
    **dict.fromkeys(r"\log \det \exp \min \max".split(), 1.6),
    **dict.fromkeys(
        r"{ } \left \right \big \Big \bigl \bigr \limits \; \! \displaystyle".split(), 0
    ),
    **{",": 0.44, ".": 0.28, "|": 0.28, "'": 0.3, r"\|": 0.5, r"\,": 0.17, r"\quad": 1.0},
    **{r"\sum": 1.2, r"\dots": 1.2, r"\ldots": 1.2, r"\sqrt": 0.83, r"\infty": 1.0, "/": 0.5},
    **{r"\top": 0.72, r"\{": 0.5, r"\}": 0.5, r"\ ": 0.25, r"\cdots": 1.3, r"\%": 0.83},
}
MACROS = {"top": r"{\mathrm{T}}"}
AROUND = re.compile(
    r"\\(?:text|mathrm|operatorname|mathit|mathsf|mathtt|mathbf|mathcal|hat|bar|tilde|vec)$"
)


def _letter(token: str) -> float:
    if token in WIDTHS:
        return WIDTHS[token]
    if token.startswith("\\"):
        return 0.72 if token[1].isupper() else 0.57  # a Greek letter
    return 0.82 if token.isupper() else 0.5 if token.isdigit() else 0.53


def _group(tokens: list[str]) -> float:
    """The width of the next group, which is taken off the list: {…}, or one token and its own."""
    if not tokens:
        return 0.0
    token = tokens.pop(0)
    if token == "{":
        width = 0.0
        while tokens and tokens[0] != "}":
            width += _next(tokens)
        if tokens:
            tokens.pop(0)
        return width
    if AROUND.match(token):
        return _group(tokens)
    return _letter(token)


def _next(tokens: list[str]) -> float:
    """The width of the next thing with what stands below and above it."""
    if tokens[0] in (r"\frac", r"\tfrac", r"\dfrac"):
        tokens.pop(0)
        return 0.24 + 0.71 * max(_group(tokens), _group(tokens))
    width, scripts = _group(tokens), [0.0]
    while tokens and tokens[0] in "_^":
        tokens.pop(0)
        scripts.append(0.71 * _group(tokens))
    return width + max(scripts)


def width(tex: str) -> float:
    r"""About how wide `\(…\)` becomes, in letters of the text around it (em)."""
    tokens, total = TOKEN.findall(tex.removeprefix(r"\(").removesuffix(r"\)")), 0.0
    while tokens:
        total += _next(tokens)
    return round(EM * total, 2)


def _keep_places(app, pagename, templatename, context, doctree):
    def placed(found: re.Match) -> str:
        before, formula, behind = found.groups()
        em = width(html.unescape(formula))
        span = f'<span class="math notranslate nohighlight" style="--em: {em}em">{formula}</span>'
        joined = f'<span class="joined">{before}{span}{behind}</span>'
        return joined if before or behind else span

    if "body" in context:
        context["body"] = PLACE.sub(placed, context["body"])


def _say_macros(app, config):
    config.mathjax3_config = {**(config.mathjax3_config or {}), "tex": {"macros": MACROS}}


def setup(app):
    app.connect("config-inited", _say_macros, priority=900)
    app.connect("html-page-context", _keep_places)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
