"""Sets a letter that stands for a number as formulas have it, in MathJax's italic, where no formula
is written: `n = 400` in a table or a caption, a p or an n in a sentence, a column called k, and W,
Vh and mn in what the module says of itself, where a parameter of one letter is none of code either:
no sentence has the same letter in two faces. (Greek letters have that face by themselves:
`book/assets/fonts.css`.)
"""

import re

# Followed by what it is; or no word of English: p, n, a t-test, K and N, but no initials.
KNOWN = re.compile(
    r"(?<![\w.'’])[B-HJ-Zb-z](?= (?:[=≤≥]|&lt;|&gt;) )"
    r"|(?<![\w.'’/&-])(?:[np](?![\w'’/]|\.\w|\. \d|-\d)|t(?=-test)|[KN](?![\w'’./&-]))|(?<=\b1/)N\b"
)
# Alone in the head of a column.
ALONE = re.compile(r"(<th\b[^>]*>(?:<p>)?)([nkprN])((?:</p>)?</th>)")
# In docstrings: no word (a, I), no unit (3 s), no "e.g."; and products and names of two letters.
ANY = re.compile(r"(?<![\w.'’])(?<!\d[ \xa0])(?:[B-HJ-Zb-z](?![\w'’]|\.\w)|(?:Vh|mn|xs|ys)(?!\w))")
AS_CODE = re.compile(
    r'<code class="docutils literal[^>]*><span class="pre">([A-Za-z]|Vh|[xy]s)</span></code>'
)
VALUE = re.compile(
    r"(?<![\w>])(?:[αβεκλξσ]|<var>\w</var>) (?:=|≤|≥|&lt;|&gt;) [−+]?\d[\d.,]*(?<![.,])"
)  # stays on its line
MARKUP = re.compile(
    r"<(dt|code|pre|script|style|svg|h\d|textarea|var|kbd)\b.*?</\1>"
    r"|<(span|div) class=\"math\b.*?</\2>|<[^>]*>",
    re.DOTALL,
)


def with_variables(html: str, letter: re.Pattern = KNOWN) -> str:
    """A page with such letters in `<var>`; code, formulas, drawings and headings stay."""
    mark = lambda text: VALUE.sub(
        r'<span class="joined">\g<0></span>', letter.sub(r"<var>\g<0></var>", text)
    )
    parts, at = [], 0
    for markup in MARKUP.finditer(html):
        parts += [mark(html[at : markup.start()]), markup[0]]
        at = markup.end()
    text = "".join([*parts, mark(html[at:])])
    return ALONE.sub(r"\1<var>\2</var>\3", text)


def of_the_module(html: str) -> str:
    """A page of the module: each such letter in it, also one that is written as code."""
    return with_variables(AS_CODE.sub(r"<var>\1</var>", html), ANY)


def _set(app, pagename, templatename, context, doctree):
    if "body" in context:
        mark = of_the_module if pagename.startswith("book/api/") else with_variables
        context["body"] = mark(context["body"])


def setup(app):
    app.connect("html-page-context", _set, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
