"""The letters of pages and figures: fetched from where their table says, whole, and ours."""

import base64
import hashlib
import io
import re
import sys

import matplotlib.pyplot as plt
import pytest
from fontTools.ttLib import TTFont
from test_chapters import ROOT

from svdicl_lite import figures, letters, plots

sys.path.insert(0, str(ROOT / "book/_ext"))
import fonts

TABLE = (ROOT / "book/assets/fonts/README.md").read_text()
SUMS = dict(re.findall(r"^\| `([\w/.-]+)` \| `([0-9a-f]{16})` \|$", TABLE, re.MULTILINE))
EMBEDDED = re.compile(r'font-family: "([\w ]+)"; [^}]*base64,([^"]+)"')


@pytest.fixture(autouse=True)
def look():
    plots.style()
    yield
    plt.close("all")


def test_every_font_file_is_the_one_that_the_table_says():
    files = {
        str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for folder in (fonts.PAGES, fonts.FIGURES)
        for path in folder.iterdir()
        if path.suffix in (".woff2", ".ttf")
    }
    assert len(files) == 13 and files == SUMS


def test_each_package_has_a_version_and_comes_with_its_licence():
    asked = re.search(r"^FONTS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    for name, major in (one.split("@") for one in asked.split()):
        assert re.search(rf"^\| {name} \| {major}\.\d+\.\d+ \| OFL 1\.1", TABLE, re.MULTILINE)
    for folder in (fonts.PAGES, fonts.FIGURES):
        text = (folder / "OFL.txt").read_text()
        assert text.count("Reserved Font Name 'Source'") == 2 and "SIL OPEN FONT LICENSE" in text


def test_what_is_cut_does_not_have_the_name_that_is_reserved():
    for path in fonts.FIGURES.glob("*.ttf"):
        font = TTFont(path)
        assert font["name"].getBestFamilyName().startswith("Book ")
        assert font["OS/2"].usWeightClass == (700 if "bold" in path.name else 400)


def test_every_face_of_the_style_sheet_is_there_and_every_file_is_used():
    sheet = (ROOT / "book/assets/fonts.css").read_text()
    named = set(re.findall(r'url\("(fonts/[\w-]+\.woff2)"\)', sheet))
    assert named == {f"fonts/{name}.woff2" for name in fonts.FACES}
    mathjax = set(re.findall(r'url\("(vendor/[^"]+)"\)', sheet))
    assert len(mathjax) == 2 and all((ROOT / "book/_ext" / file).exists() for file in mathjax)


def drawn(**said):
    fig, ax = plt.subplots(layout="constrained")
    ax.plot([0, 1], [0, 1])
    ax.set(**said)
    return figures.svg(fig)


def carried(svg):
    """Family → the letters that a figure brings of it."""
    return {
        family: "".join(map(chr, sorted(TTFont(io.BytesIO(base64.b64decode(data))).getBestCmap())))
        for family, data in EMBEDDED.findall(svg)
    }


def test_a_figure_carries_the_letters_it_writes_and_no_others():
    found = carried(drawn(xlabel="clip rate ξ", xticks=[], yticks=[]))
    assert found == {"Book Sans": " aceilprt", "Book Greek": "ξ"}


def test_a_variable_in_a_figure_has_the_italic_of_formulas():
    svg = drawn(xlabel=r"singular value $\sigma_i$", ylabel="$n$")
    assert carried(svg)["Book Variable"] == "inσ"
    assert re.search(r"font-family: 'Book Variable'[^>]*>σ<", svg)


def test_letters_weigh_little():
    svg = drawn(xlabel="accuracy on the test", ylabel="gain, in points", title="ABCDEFGHIJ")
    assert 2_000 < sum(len(data) for _, data in EMBEDDED.findall(svg)) < 16_000


def test_matplotlib_lays_text_out_in_these_letters():
    from matplotlib import font_manager

    file = font_manager.findfont(font_manager.FontProperties())
    assert file == str(letters.FOLDER / "sans-regular.ttf")
