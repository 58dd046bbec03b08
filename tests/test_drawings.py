"""The drawings: valid, told to who cannot see them, in the book's colours, and each in the book."""

import math
import re
import sys
from xml.etree import ElementTree

import pytest
from browsers import opened
from test_browser import HTML, sites  # noqa: F401
from test_chapters import CHAPTERS, ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import drawings

FILES = sorted((ROOT / "book/drawings").glob("*.svg"))
STYLE = (ROOT / "book/assets/pictures.css").read_text()
SVG = "{http://www.w3.org/2000/svg}"
USE = re.compile(r"^```\{drawing\} (\S+)\n(.+?)^```$", re.MULTILINE | re.DOTALL)


def uses():
    """Where each drawing stands: [(page, name, caption), …]."""
    return [
        (page, *found)
        for page in (*CHAPTERS, "intro", "should_i")
        for found in USE.findall(
            (ROOT / ("chapters" if page in CHAPTERS else "book") / f"{page}.md").read_text()
        )
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_drawing_is_told_and_has_the_colours_of_the_book_alone(file):
    """Colours come from the classes of the style sheet, so that the dark page has dark drawings."""
    tree = ElementTree.parse(file).getroot()
    title, description = tree.find(f"{SVG}title"), tree.find(f"{SVG}desc")
    assert tree.get("role") == "img"
    assert tree.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert len(title.text) > 15 and len(description.text) > 80
    assert tree.get("viewBox").startswith("0 0 520 "), "letters are made for this width"
    used = set()
    for node in tree.iter():
        assert not {"fill", "stroke", "style", "color", "font-size"} & set(node.attrib), node.attrib
        assert node.get("id", file.stem).startswith(file.stem), "names are one page's"
        used |= set(node.get("class", "").split())
    assert {
        name for name in used if not re.search(rf"\.drawing svg [^{{]*\.{name}\b", STYLE)
    } == set()


def test_each_drawing_stands_in_the_book_once_with_a_caption_that_says_what_to_see():
    found = uses()
    assert sorted(name for _, name, _ in found) == [file.stem for file in FILES]
    assert len(found) >= 8
    for _, name, caption in found:
        assert len(caption.split()) > 15, name


def test_the_two_bells_have_the_accuracies_and_areas_that_are_written_beside_them():
    """Normal distributions of one spread: accuracy at the line, and the area under the curve."""
    text = (ROOT / "book/drawings/reading_and_lean.svg").read_text()
    paths = re.findall(r'<path d="M([^"]+)Z" class="(?:one|two) area"', text)
    ends = [[float(x) for x in (path.split()[0], path.split()[-2])] for path in paths]
    (line,) = set(re.findall(r'd="M(\d+) \d+V\d+" class="wire dash"', text))
    says = re.findall(r"(?:accuracy|AUC) ([\d.]+)<", text)
    phi = lambda z: (1 + math.erf(z / math.sqrt(2))) / 2
    for row in range(3):
        neg, pos = (sum(pair) / 2 for pair in ends[2 * row : 2 * row + 2])
        spread = (ends[2 * row][1] - ends[2 * row][0]) / 6
        right = (phi((int(line) - neg) / spread) + phi((pos - int(line)) / spread)) / 2
        apart = phi((pos - neg) / spread / math.sqrt(2))
        assert [float(one) for one in says[2 * row : 2 * row + 2]] == [
            pytest.approx(right, abs=0.006),
            pytest.approx(apart, abs=0.006),
        ]


def test_an_unknown_drawing_is_refused_with_those_there_are():
    class Bare(drawings.Drawing):
        def __init__(self):
            self.arguments, self.content = ["blok"], ["A block."]

        def error(self, message):
            return ValueError(message)

    with pytest.raises(ValueError, match="no drawing 'blok' in book/drawings; there are: .*block"):
        Bare().run()


@pytest.mark.built
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_drawing_can_be_read_on_a_phone_and_in_the_dark(browser, sites, theme):  # noqa: F811
    """Letters of 11 pixels at least, none past its frame, each lighter than the ground in the
    dark and darker in the light."""
    seen = 0
    for chapter in {page for page, _, _ in uses()}:
        folder = "chapters" if chapter in CHAPTERS else "book"
        with opened(browser, f"{sites['file']}/{folder}/{chapter}.html", 390, theme) as page:
            for size, past, lightness, text in page.evaluate(LETTERS):
                assert size >= 11 and past <= 1, (chapter, text)
                assert (lightness > 0.5) == (theme == "dark"), (chapter, text)
                seen += 1
    assert seen > 100


LETTERS = """() => [...document.querySelectorAll(".drawing svg text:not(.on)")].map((node) => {
  const box = node.getBoundingClientRect(), style = getComputedStyle(node);
  const frame = node.ownerSVGElement.getBoundingClientRect();
  const [r, g, b] = style.fill.match(/[\\d.]+/g).map(Number);
  return [parseFloat(style.fontSize) * node.getScreenCTM().a,
    Math.max(box.right - frame.right, frame.left - box.left),
    (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255, node.textContent];
})"""


def test_no_text_of_a_drawing_touches_another_or_the_edge_of_its_box(browser, tmp_path):
    """In the book's letters, as wide as on a page. Gaps are in the drawing's units, 520 across."""
    sheets = [
        f'<link rel="stylesheet" href="{(ROOT / "book/assets" / name).as_uri()}.css">'
        for name in ("fonts", "palette", "pictures")
    ]
    drawn = [f'<div class="drawing">{file.read_text()}</div>' for file in FILES]
    (tmp_path / "all.html").write_text("".join(["<!doctype html>", *sheets, *drawn]), "utf-8")
    with opened(browser, (tmp_path / "all.html").as_uri(), 540) as page:
        texts, close = page.evaluate(CLOSE)
    assert texts > 80 and close == []


CLOSE = """async () => {
  await Promise.all([...document.fonts].map((face) => face.load().catch(() => null)));
  const close = [], place = (node) => [node, node.getBBox()];
  for (const svg of document.querySelectorAll("svg")) {
    const texts = [...svg.querySelectorAll("text")].map(place);
    const boxes = [...svg.querySelectorAll("rect")].map(place);
    texts.forEach(([node, a], i) => {
      for (const [other, b] of texts.slice(i + 1)) {
        const along = Math.max(a.x, b.x) - Math.min(a.x + a.width, b.x + b.width);
        const shared = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
        if (along < 6 && shared > 0.35 * Math.min(a.height, b.height))
          close.push([along, node.textContent, other.textContent]);
      }
      const [x, y] = [a.x + a.width / 2, a.y + a.height / 2];
      for (const [, b] of boxes)
        if (b.x < x && x < b.x + b.width && b.y < y && y < b.y + b.height) {
          const left = Math.min(a.x - b.x, b.x + b.width - a.x - a.width);
          if (left < 3) close.push([left, node.textContent]);
        }
    });
  }
  return [document.querySelectorAll("svg text").length, close];
}"""
