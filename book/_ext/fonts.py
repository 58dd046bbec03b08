"""Cuts the book's letters out of Adobe's Source families, once, when they are fetched: `make
vendor` runs `python book/_ext/fonts.py FOLDER`, where npm has unpacked the three packages.

A page has files of 14 to 24 kB with every letter and sign that the book writes, so that none of
them comes from another face; figures have the sans as a TrueType file, which Matplotlib reads. The
licence reserves the name Source for uncut fonts: the cut ones are called Book.
"""

import sys
from pathlib import Path

from fontTools.ttLib import TTFont

from svdicl_lite import letters

ROOT = Path(__file__).parents[2]
PACKAGES = ("source-serif", "source-sans", "source-code-pro")
PAGES, FIGURES = ROOT / "book/assets/fonts", ROOT / "svdicl_lite/fonts"
FACES = {  # what it is called → where npm has it
    "serif-regular": "source-serif/TTF/SourceSerif4-Regular.ttf",
    "serif-italic": "source-serif/TTF/SourceSerif4-It.ttf",
    "serif-bold": "source-serif/TTF/SourceSerif4-Semibold.ttf",
    "serif-bold-italic": "source-serif/TTF/SourceSerif4-SemiboldIt.ttf",
    "sans-regular": "source-sans/TTF/SourceSans3-Regular.ttf",
    "sans-italic": "source-sans/TTF/SourceSans3-It.ttf",
    "sans-bold": "source-sans/TTF/SourceSans3-Semibold.ttf",
    "sans-bold-italic": "source-sans/TTF/SourceSans3-SemiboldIt.ttf",
    "code-regular": "source-code-pro/TTF/SourceCodePro-Regular.ttf",
    "code-bold": "source-code-pro/TTF/SourceCodePro-Semibold.ttf",
}
DRAWN = ("sans-regular", "sans-bold")  # the faces that figures have, besides MathJax's italic
ITALIC = "vendor/mathjax/output/chtml/fonts/woff-v2/MathJax_Math-Italic.woff"
SCALE = 1.09  # by which it is as high as the sans
HEIGHTS = {"sTypoAscender": 712, "sTypoDescender": -210, "sTypoLineGap": 280}
"""Of a line in a figure: as high as its letters, so that what Matplotlib centres is centred."""
LETTERS = {
    *range(0x20, 0x7F),
    *range(0xA0, 0x100),  # Western European
    *range(0x391, 0x3CA),  # Greek
    *(ord(letter) for letter in "ĄąĆćČčĘęĞğİıŁłŃńŐőŒœŚśŞşŠšŰűŷŹźŻżŽž\u0302\u0303\u0304"),
    *(ord(letter) for letter in "‐‑–—‖‘’“”„†•…′″⁄€™✓✗■□▲△▶▸▼▾◆◇○●"),
    *(ord(letter) for letter in "ᵀᵢℓ−∂∆∇∈∏∑√∝∞≈≠≤≥⊗←↑→↓↔⇒"),
    *(ord(letter) for letter in "⁰⁴⁵⁶⁷⁸⁹⁺⁻ⁿ₀₁₂₃₄₅₆₇₈₉₊₋⅓⅔"),
}
FEATURES = ["kern", "liga", "ccmp", "locl", "mark"]  # figures are of one width as they are
VARIABLES = set(range(0x3B1, 0x3CA))  # ξ, σ, κ … look as in formulas (book/assets/fonts.css)
FAMILY, FULL, POSTSCRIPT = (1, 16), 4, 6  # numbers of names in a font


def cut(source: Path, name: str, wanted: set[int]) -> TTFont:
    """The font at `source` with the wanted letters only, and called Book."""
    font = letters.cut(
        source, wanted, layout_features=FEATURES, name_IDs=["*"], notdef_outline=True
    )
    _rename(font, *name.split("-", 1))
    return font


def _rename(font: TTFont, kind: str, style: str) -> None:
    family = f"Book {kind.capitalize()}"
    style = style.replace("-", " ").title()
    if style.startswith("Bold"):
        font["OS/2"].usWeightClass = 700
    for record in list(font["name"].names):
        if record.nameID in FAMILY:
            record.string = family
        elif record.nameID in (2, 17):
            record.string = style
        elif record.nameID == FULL:
            record.string = f"{family} {style}"
        elif record.nameID == POSTSCRIPT:
            record.string = f"Book{kind.capitalize()}-{style.replace(' ', '')}"
        elif record.nameID not in (0, 13, 14):  # copyright and licence stay
            font["name"].names.remove(record)


def drawn(font: TTFont) -> TTFont:
    """The font with the heights that figures need: the line of a page is half as high again."""
    for name, height in HEIGHTS.items():
        setattr(font["OS/2"], name, height)
    return font


def variables() -> TTFont:
    """MathJax's italic, for the variables in figures."""
    font = TTFont(Path(__file__).parent / ITALIC, recalcTimestamp=False)
    font["head"].unitsPerEm = round(font["head"].unitsPerEm / SCALE)
    _rename(font, "variable", "italic")
    del font["FFTM"]  # FontForge's, which cutting would complain of
    font.flavor = None
    return font


def licence(packages: Path) -> str:
    """Whose the fonts are, and the licence that all three are under."""
    texts = [
        (packages / name / "LICENSE.md").read_text("utf-8").split("\n", 1) for name in PACKAGES
    ]
    return "\n".join([*(owner for owner, _ in texts), texts[0][1]])


def main(packages: Path) -> None:
    for folder in (PAGES, FIGURES):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "OFL.txt").write_text(licence(packages), "utf-8")
    for name, file in FACES.items():
        if name in DRAWN:
            drawn(cut(packages / file, name, LETTERS)).save(FIGURES / f"{name}.ttf")
        font = cut(packages / file, name, LETTERS if "code" in name else LETTERS - VARIABLES)
        font.flavor = "woff2"
        font.save(PAGES / f"{name}.woff2")
    variables().save(FIGURES / "variable.ttf")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
