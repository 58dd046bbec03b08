"""Sets a letter that stands for a number as formulas have it, in MathJax's italic, where no formula
is written: `n = 400` in a table or a caption, a column called k, W and p in what the module says of
itself. (Greek letters have that face by themselves: `book/assets/fonts.css`.)
"""

import re

# Followed by what it is, or alone in the head of a column.
EQUAL = re.compile(r"(?<![\w.'’])([B-HJ-Zb-z])(?= (?:[=≤≥]|&lt;|&gt;) )")
ALONE = re.compile(r"(<th\b[^>]*>(?:<p>)?)([nkprN])((?:</p>)?</th>)")
# In docstrings: no word (a, I), no unit (3 s), no "e.g.".
ANY = re.compile(r"(?<![\w.'’])(?<!\d[ \xa0])([B-HJ-Zb-z])(?![\w'’]|\.\w)")
VALUE = re.compile(
    r"(?<![\w>])[αβεκλξσ] (?:=|≤|≥|&lt;|&gt;) [−+]?\d[\d.,]*(?<![.,])"
)  # stays on its line
MARKUP = re.compile(
    r"<(dt|code|pre|script|style|svg|h\d|textarea)\b.*?</\1>"
    r"|<(span|div) class=\"math\b.*?</\2>|<[^>]*>",
    re.DOTALL,
)


def with_variables(html: str, letter: re.Pattern = EQUAL) -> str:
    """A page with such letters in `<var>`; code, formulas, drawings and headings stay."""
    mark = lambda text: VALUE.sub(
        r'<span class="joined">\g<0></span>', letter.sub(r"<var>\1</var>", text)
    )
    parts, at = [], 0
    for markup in MARKUP.finditer(html):
        parts += [mark(html[at : markup.start()]), markup[0]]
        at = markup.end()
    text = "".join([*parts, mark(html[at:])])
    return ALONE.sub(r"\1<var>\2</var>\3", text)


def _set(app, pagename, templatename, context, doctree):
    if "body" in context:
        letter = ANY if pagename.startswith("book/api/") else EQUAL
        context["body"] = with_variables(context["body"], letter)


def setup(app):
    app.connect("html-page-context", _set, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
