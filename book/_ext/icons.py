"""The few icons that pages use, as a font of a few kB written into the one style sheet.

The theme brings a script that draws icons, and a font of all of them: 541 kB and 156 kB, for
some twenty signs. The script is left out (`book/_templates/layout.html`), and of the font stays
what the book's style sheet names.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import tinycss2

from svdicl_lite import letters

PRIVATE = range(0xE000, 0xF900)  # where Font Awesome has its signs
FACE = re.compile(r"@font-face\s*\{[^}]*?font-family:\s*Font\s?Awesome[^}]*\}", re.IGNORECASE)
CLASSES = re.compile(r'class="([^"]*)"')
ASKED_BY = {  # the classes with which a page asks for a face
    "fa-solid-900": {"fa-solid", "fas"},
    "fa-regular-400": {"fa-regular", "far"},
    "fa-brands-400": {"fa-brands", "fab"},
}
SOURCE = re.compile(r"src:.*?url\(['\"]?[^)'\"]*?([\w-]+)\.(?:woff2|ttf)['\"]?\)[^;}]*", re.DOTALL)


def signs(style: str) -> set[int]:
    """The code points in the private area that a style sheet writes, as themselves or escaped."""
    tokens = tinycss2.parse_component_value_list(style)
    said, waiting = set(), list(tokens)
    while waiting:
        token = waiting.pop()
        if token.type == "string":
            said |= {ord(letter) for letter in token.value if ord(letter) in PRIVATE}
        waiting += getattr(token, "content", None) or getattr(token, "arguments", None) or []
    return said


def with_cut_fonts(style: str, fonts: Path, pages: Iterable[str]) -> str:
    """A style sheet whose Font Awesome faces hold the signs that it writes, and nothing else; of
    the faces those that a page asks for.
    """
    wanted = signs(FACE.sub("", style))
    classes = {name for text in pages for said in CLASSES.findall(text) for name in said.split()}

    def face(rule: re.Match) -> str:
        name = SOURCE.search(rule[0])
        if not name:
            return rule[0]
        if not classes & ASKED_BY.get(name[1], classes):
            return ""
        font = letters.cut(
            fonts / f"{name[1]}.ttf", wanted, layout_features=[], notdef_outline=True
        )
        address = letters.address(font)
        return SOURCE.sub(lambda _: f'src: url("{address}") format("woff")', rule[0])

    return FACE.sub(face, style)
