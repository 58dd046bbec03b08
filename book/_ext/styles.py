"""One style sheet for the book instead of eleven, and in it only rules that a page of the book can
use.

The theme brings a whole toolkit: half a megabyte of rules, which a browser must have read before it
shows a word. When the pages are written, their sheets are joined in their order; a rule is left out
if every one of its selectors asks for a class or an id that no page and no script of the book
names. `tests/test_styles.py` holds the pages to looking the same.
"""

import hashlib
import posixpath
import re
from pathlib import Path

import tinycss2
from icons import with_cut_fonts

SHEET = "_static/styles/book-in-one.css"
LINK = re.compile(
    r'<link(?=[^>]*rel="stylesheet")[^>]*href="(?P<root>[./]*)(?P<file>_static/[^"?]+)[^>]*>'
)
WORD = re.compile(r"[\w-]+")
NESTED = ("media", "supports", "layer", "container")


def needed(rule, names: set[str]) -> bool:
    """Whether one of the rule's selectors can match: whether all classes and ids that it asks for
    are among `names`. What stands in a function, `:not(.a)` for example, is not looked at."""
    asked, before = [set()], None
    for token in rule.prelude:
        if token == ",":
            asked.append(set())
        elif token.type == "hash" or (token.type == "ident" and before == "."):
            asked[-1].update(WORD.findall(token.value))
        before = token
    return any(selector <= names for selector in asked)


def trimmed(rules, names: set[str]) -> str:
    """The rules of a sheet, or of a block in it, as text, without those that no page can use."""
    kept = []
    for rule in rules:
        if rule.type == "at-rule" and rule.lower_at_keyword in NESTED and rule.content is not None:
            inner = trimmed(
                tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True),
                names,
            )
            if inner:
                kept.append(f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{inner}}}")
        elif rule.type == "at-rule" or (rule.type == "qualified-rule" and needed(rule, names)):
            kept.append(rule.serialize())
    return "\n".join(kept)


def sheet(folder: Path, file: str, names: set[str]) -> str:
    """A sheet of the site with what it imports, trimmed, its addresses as seen from where `SHEET`
    lies.
    """
    here, text = posixpath.dirname(file), ""
    for rule in tinycss2.parse_stylesheet(
        (folder / file).read_text(), skip_comments=True, skip_whitespace=True
    ):
        if rule.type == "at-rule" and rule.lower_at_keyword == "import":
            (address,) = (token.value for token in rule.prelude if token.type in ("string", "url"))
            text += sheet(folder, posixpath.normpath(posixpath.join(here, address)), names)
        elif rule.type != "at-rule" or rule.lower_at_keyword != "charset":
            text += trimmed([rule], names) + "\n"
    there = posixpath.dirname(SHEET)
    if here == there:
        return text

    def rebased(url: re.Match) -> str:
        address = posixpath.relpath(posixpath.join(here, url[2]), there)
        return f"url({url[1]}{address}{url[1]})"

    return re.sub(r"""url\((['"]?)(?!data:|#)([^)'"]+)\1\)""", rebased, text)


def join(app, exception):
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    pages = {
        page: page.read_text() for page in folder.rglob("*.html") if "_static" not in page.parts
    }
    scripts = [
        script.read_text() for script in folder.rglob("*.js") if "vendor" not in script.parts
    ]
    names = {name for text in [*pages.values(), *scripts] for name in WORD.findall(text)}
    files = dict.fromkeys(link["file"] for text in pages.values() for link in LINK.finditer(text))
    style = f"/* joined from {' '.join(files)} */\n" + "".join(
        sheet(folder, file, names) for file in files
    )
    fonts = folder / "_static/vendor/fontawesome/webfonts"
    style = with_cut_fonts(style, fonts, pages.values())
    (folder / SHEET).write_text(style)
    version = hashlib.sha256(style.encode()).hexdigest()[:8]
    for page, text in pages.items():
        first = LINK.search(text)
        if first:
            one = f'<link rel="stylesheet" href="{first["root"]}{SHEET}?v={version}" />'
            head, tail = text[: first.start()], text[first.end() :]
            page.write_text(head + one + LINK.sub("", tail))


def setup(app):
    app.connect("build-finished", join, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
