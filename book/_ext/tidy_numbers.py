"""Passes the numbers of every page through `svdicl_lite.numbers.tidy`: minus signs for hyphens, no
sign before a zero, powers of ten, and in tables – for nan and one way of writing p-values; and no
line ends within 5 × 10⁻¹² or 768 × 3072. Code, what programs print and formulas stay as they are.

So whatever a chapter glues or a table holds is written alike, however it was formatted.
"""

import re

from docutils import nodes

from svdicl_lite.numbers import UNDEFINED, p_value, tidy

AS_THEY_ARE = (nodes.FixedTextElement, nodes.literal, nodes.math, nodes.math_block, nodes.raw)
SCRIPT_OR_TABLE = re.compile(r"<(script|table)\b.*?</\1>", re.DOTALL)
ROW = re.compile(r"<tr\b.*?</tr>", re.DOTALL)
CELL = re.compile(r"(<t[hd]\b[^>]*>)(.*?)(</t[hd]>)", re.DOTALL)
P_VALUE = re.compile(r"\s*(?:(?:&lt;|<)\s*)?((?:\d|\d?\.\d+)(?:e-\d+)?)\s*")
SHORT_EXPONENT = re.compile(
    r"(?<![\w.])(\d+(?:\.\d+)?)e(\d{1,2})(?![\w.])"
)  # as JavaScript writes it
# Between two numbers or letters, not words; or where a text goes on behind a number.
TIMES = re.compile(r"(?<=[\w)%])(?<![^\W\d]{2}) × (?=[\w(])(?![^\W\d]{2})|^ × (?=\d)")
TAG_OR_CODE = re.compile(r"(<(code|pre|svg|script)\b.*?</\2>|<[^>]*>)", re.DOTALL)


def whole(text: str) -> str:
    """A text with tidy numbers, none of which a line may break at its ×."""
    return TIMES.sub("\u00a0×\u00a0", tidy(text))


def tidy_html(html: str) -> str:
    """The HTML with the text in its tables tidied; all else as it was."""

    def tidied(found):
        table = found[1] == "table"  # one within a script is data
        return _tidy_table(_p_values(found[0])) if table else found[0]

    return SCRIPT_OR_TABLE.sub(tidied, html)


def _p_values(html):
    """A table in which columns headed by p, as in "p (Holm)", say .03, < .001 and 1."""
    head, tag, body = html.partition("</thead>")
    columns = {
        at
        for row in ROW.findall(head)
        for at, (_, heading, _) in enumerate(CELL.findall(row))
        if re.match(r"\s*p\b(?!\s*&lt;)", re.sub(r"<[^>]*>", "", heading))
    }

    def cell(at, found):
        start, value, end = found
        probability = at in columns and P_VALUE.fullmatch(value)
        if not probability or float(probability[1]) > 1:
            return start + value + end
        least = "0" if "<" in value or "&lt;" in value else probability[1]
        return start + p_value(float(least), "").replace("<", "&lt;") + end

    def row(found):
        numbers = iter(range(1000))
        return CELL.sub(lambda part: cell(next(numbers), part.groups()), found[0])

    return head + tag + (ROW.sub(row, body) if columns else body)


def _tidy_table(html):
    parts = TAG_OR_CODE.split(html)  # text, tag, name of code or None, text, …
    for at in range(0, len(parts), 3):
        nan = parts[at].strip().lower() in ("nan", "<na>", "&lt;na&gt;")
        parts[at] = UNDEFINED if nan else whole(SHORT_EXPONENT.sub(r"\1e+\2", parts[at]))
        if at + 2 < len(parts):
            parts[at + 2] = ""
    return "".join(parts)


def tidy_tree(doctree: nodes.document) -> None:
    """Tidies the texts and tables of a page, and what describes its pictures."""
    for text in list(doctree.findall(nodes.Text)):
        tidied = whole(text)
        if tidied != text and not _stays(text):
            text.parent.replace(text, nodes.Text(tidied))
    for image in doctree.findall(nodes.image):
        if image.get("alt"):
            image["alt"] = tidy(image["alt"])
    for raw in doctree.findall(nodes.raw):
        if "html" in raw.get("format", "").split():
            raw.children = [nodes.Text(tidy_html(raw.astext()))]
            raw.children[0].parent = raw


def _stays(node):
    while node := node.parent:
        if isinstance(node, AS_THEY_ARE) or node.tagname.startswith("desc_sig"):
            return True
    return False


def _tidy(app, doctree, docname):
    tidy_tree(doctree)


def setup(app):
    app.connect("doctree-resolved", _tidy, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
