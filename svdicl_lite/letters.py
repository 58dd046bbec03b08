"""The letters of figures: the sans of the book's pages, carried by each picture, so that a figure
looks the same on every machine. A variable, ξ or $n$, is set as the formulas of a page are.

A picture that a page shows cannot use the page's fonts. Each carries its own letters and no others,
some 5 kB; drawn as lines they would weigh twice as much. Used by `svdicl_lite.figures`.
"""

import base64
import html
import io
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from fontTools import subset
from fontTools.ttLib import TTFont
from matplotlib import font_manager

FOLDER = Path(__file__).parent / "fonts"
SANS, VARIABLE, GREEK = "Book Sans", "Book Variable", "Book Greek"
SETTINGS = {
    "font.family": [SANS, "DejaVu Sans"],  # the second for signs that the first has not
    "mathtext.fontset": "custom",
    "mathtext.rm": SANS,
    "mathtext.sf": SANS,
    "mathtext.tt": SANS,
    "mathtext.bf": f"{SANS}:bold",
    "mathtext.it": f"{VARIABLE}:italic",
    "mathtext.bfit": f"{VARIABLE}:italic",
    "mathtext.cal": f"{VARIABLE}:italic",
    "mathtext.fallback": "stix",
}
"""Matplotlib's settings with which text is laid out in these letters."""
TEXT = re.compile(r"<text([^>]*)>(.*?)</text>", re.DOTALL)
SPAN = re.compile(r"<tspan([^>]*)>(.*?)</tspan>", re.DOTALL)
LOWER = range(0x3B1, 0x3CA)  # α to ω


def register() -> None:
    """Tells Matplotlib of the fonts in `svdicl_lite/fonts`; once is enough."""
    known = {font.fname for font in font_manager.fontManager.ttflist}
    for file in sorted(map(str, FOLDER.glob("*.ttf"))):
        if file not in known:
            font_manager.fontManager.addfont(file)


def style(svg: str) -> str:
    """The style sheet of a figure: its letters, as fonts, and which text has which."""
    used = _used(svg)
    greek = used["sans-regular"] & set(LOWER)
    faces = [
        _face(SANS, "sans-regular", used["sans-regular"] - greek, "font-weight: 400"),
        _face(SANS, "sans-bold", used["sans-bold"], "font-weight: 700"),
        _face(VARIABLE, "variable", used["variable"], "font-style: italic"),
        _face(GREEK, "variable", greek, "unicode-range: U+3B1-3C9"),
    ]
    # geometric precision: as wide as Matplotlib measured, and not rounded to pixels by letter
    said = f'font-family: "{GREEK}", "{SANS}", system-ui, sans-serif; '
    return "".join(faces) + f"text {{ {said}text-rendering: geometricPrecision; }}"


def _used(svg: str) -> dict[str, set[int]]:
    """File → the letters that a figure writes with it, as numbers."""
    used: dict[str, set[int]] = {"sans-regular": set(), "sans-bold": set(), "variable": set()}
    for about, inside in TEXT.findall(svg):
        for said, text in SPAN.findall(inside) or [(about, inside)]:
            bold = "font-weight: 700" in said or "font-weight: bold" in said
            file = "variable" if VARIABLE in said else "sans-bold" if bold else "sans-regular"
            used[file] |= set(map(ord, html.unescape(text)))
    return used


def _face(family: str, file: str, letters: set[int], said: str) -> str:
    if not letters:
        return ""
    data = _packed(file, frozenset(letters))
    return f'@font-face {{ font-family: "{family}"; {said}; src: url("{data}") format("woff"); }}\n'


@lru_cache(maxsize=64)
def _packed(file: str, letters: frozenset[int]) -> str:
    return address(cut(FOLDER / f"{file}.ttf", letters, layout_features=["kern"], name_IDs=[]))


def cut(file: Path, letters: Iterable[int], **options: Any) -> TTFont:
    """The font at `file` with these letters only; `options` are fontTools' own."""
    font = TTFont(file, recalcTimestamp=False)
    cutter = subset.Subsetter(subset.Options(hinting=False, **options))
    cutter.populate(unicodes=letters)
    cutter.subset(font)
    return font


def address(font: TTFont) -> str:
    """A font as an address that holds it, for a style sheet."""
    font.flavor = "woff"
    made = io.BytesIO()
    font.save(made)
    return f"data:font/woff;base64,{base64.b64encode(made.getvalue()).decode()}"
