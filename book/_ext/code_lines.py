"""Wraps each line of code in an element that knows its indentation.

On a phone, and on paper, a line that is too long goes on below, indented further than it begins and
with a sign before it (`book/assets/page.css`, *Code*): nothing of it scrolls out of sight, and one
still sees where each line of the code begins. A comment behind code that has no room there goes
below as a whole, so that its # stands before all of it. A line is broken at spaces, and in what has
none for long behind a bracket or before a dot, but not within `--option`. What is copied stays as
it was, but for blank lines: where a cell has two, as PEP 8 asks around a function, the page has
one; its notebook keeps both.
"""

import html
import re

BLOCK = re.compile(r'(<div class="highlight"><pre>)(.*?)(</pre>)', re.DOTALL)
PIECE = re.compile(r"<span[^>]*>[^<]*</span>|[^<\s]+|\s+")
TAG = re.compile(r"<[^>]+>")
LONG = 24  # letters without a space that may be broken elsewhere
CELL = re.compile(r'(<div class="highlight-ipython3[^>]*><div[^>]*><pre>)(.*?)(</pre>)', re.DOTALL)
COMMENT = re.compile(r'<span class="c1?">.*?</span>(?=\s*$)')
OPTION = re.compile(r"(?<!\S)-+\w[\w-]*")


# A folded cell that begins with an import: what its two labels say, folded and open.
SETUP = re.compile(
    r'(<summary[^>]*>\s*<p class="collapsed admonition-title">)[^<]*'
    r'(</p>\s*<p class="expanded admonition-title">)[^<]*'
    r'(</p>\s*</summary>\s*<div class="cell_input[^>]*>\s*<div[^>]*><div[^>]*><pre>'
    r'(?:<span></span>|<span class="code-line">)*<span class="kn">)'
)
SETUP_LABEL = "Code: imports and settings"


def in_lines(code: str) -> str:
    """Highlighted code, each of its lines in a `span.code-line`, with its indentation as `--in`.

    Code that is not a row of tokens, as Pygments writes it, comes back as it is.
    """
    lines = code.replace("<span></span>", "").splitlines(keepends=True)
    if any(PIECE.sub("", line) for line in lines):
        return code
    return "".join(map(_wrapped, lines))


def _wrapped(line: str) -> str:
    text = html.unescape(TAG.sub("", line))
    indent = re.match(" *", text)[0] if text.strip() else ""
    left = len(indent)
    while left:  # its spaces may stand in several tokens: a docstring's are its own
        found = re.match(rf"((?:<[^>]+>)*)( {{1,{left}}})", line)
        line, left = found[1] + line[found.end() :], left - len(found[2])
    line, aside = _aside(line)
    runs, run = [f'<span class="code-indent">{indent}</span>' if indent else ""], []
    for piece in PIECE.findall(line):
        if re.search(r"\s", TAG.sub("", piece)):
            runs += [_broken(run), OPTION.sub(r'<span class="code-word">\g<0></span>', piece)]
            run = []
        else:
            run.append(piece)
    style = f' style="--in: {len(indent)}"' if indent else ""
    return f'<span class="code-line"{style}>{"".join(runs)}{_broken(run)}{aside}</span>'


def _aside(line: str) -> tuple[str, str]:
    """A line up to a comment that stands behind code, and the comment with the line's end."""
    found = COMMENT.search(line)
    if not found or not TAG.sub("", line[: found.start()]).strip():
        return line, ""
    return line[: found.start()], f'<span class="code-aside">{found[0]}</span>{line[found.end() :]}'


def _broken(run: list[str]) -> str:
    """Tokens without a space between them, with the places where they may be broken."""
    texts = [html.unescape(TAG.sub("", piece)) for piece in run]
    if OPTION.fullmatch("".join(texts)):
        return f'<span class="code-word">{"".join(run)}</span>'
    if sum(map(len, texts)) <= LONG:
        return "".join(run)
    made = [
        ("<wbr>" if text == "." else "") + piece + ("<wbr>" if text[-1:] in tuple("([{") else "")
        for piece, text in zip(run, texts)
    ]
    return "".join(made)


def with_single_blanks(body: str) -> str:
    """A page, in whose code cells no two blank lines follow one another: they would be holes."""
    return CELL.sub(lambda found: re.sub(r"\n{3,}", "\n\n", found[0]), body)


def _wrap(app, pagename, templatename, context, doctree):
    if "body" in context:
        context["body"] = BLOCK.sub(
            lambda found: found[1] + in_lines(found[2]) + found[3],
            SETUP.sub(rf"\1{SETUP_LABEL}\2{SETUP_LABEL}\3", with_single_blanks(context["body"])),
        )


def setup(app):
    app.connect("html-page-context", _wrap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
