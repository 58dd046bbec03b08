"""The one design: its colours are the same wherever they are named and can be told from the ground,
and a page does not jump while it comes.
"""

import re
import sys

import pytest
from browsers import opened
from test_browser import sites  # noqa: F401
from test_chapters import ROOT

from svdicl_lite import plots

sys.path.insert(0, str(ROOT / "book/_ext"))
import figures

ROLES = {"clip", "attn", "mlp", "one", "two", "three", "four", "gone"}
GROUNDS = {"light": "#ffffff", "dark": "#14181e"}
SHIFTS = """window.shifts = [];
new PerformanceObserver((list) => {
  for (const { value, hadRecentInput, sources } of list.getEntries())
    if (!hadRecentInput)
      shifts.push([value, ...sources.map(({ node }) => node?.outerHTML?.slice(0, 80))]);
}).observe({ type: "layout-shift", buffered: true });"""


def palette():
    """Name → (light, dark), as the page on the design says it."""
    text = (ROOT / "book/assets/README.md").read_text()
    rows = re.findall(r"^\| `--(\w+)` \| `(#\w{6})` \| `(#\w{6})` \|", text, re.MULTILINE)
    return {name: (light, dark) for name, light, dark in rows}


def named(sheet):
    """The same of a style sheet: the first definition is the light one, the next the dark one."""
    found = {}
    for name, colour in re.findall(r"--(\w+): (#\w{6});", (ROOT / sheet).read_text()):
        found.setdefault(name, []).append(colour)
    return {name: tuple(colours) for name, colours in found.items()}


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear))


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_colours_are_those_of_the_style_sheets():
    colours = palette()
    assert colours.keys() == ROLES
    page, widgets = named("book/assets/palette.css"), named("svdicl_lite/widgets/base.css")
    assert {name: page[name] for name in colours} == colours
    assert {name: widgets[name] for name in colours} == colours
    assert {name: getattr(plots, name.upper()) for name in colours} == {
        name: light for name, (light, _) in colours.items()
    }
    for name in colours.keys() - {"gone"}:  # greys are turned round
        assert figures.dark(colours[name][0]) == colours[name][1], name


@pytest.mark.parametrize("name", sorted(ROLES))
def test_a_colour_can_be_told_from_the_ground(name):
    """WCAG 2.1: 4.5 for text, 3 for what is none."""
    for colour, ground in zip(palette()[name], GROUNDS.values()):
        assert contrast(colour, ground) >= (3 if name == "gone" else 4.5), (name, colour)


def test_contrast_is_what_it_is_between_black_and_white():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.built
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize(
    "name",
    ["book/intro", "book/glossary", "chapters/01_singular_values", "chapters/05_clip_and_see"],
)
def test_a_page_does_not_jump_while_it_comes_nor_while_it_is_scrolled(browser, sites, name, width):  # noqa: F811
    context = browser.new_context(viewport={"width": width, "height": 900})
    context.add_init_script(SHIFTS)
    page = context.new_page()
    page.goto(f"{sites['http']}/{name}.html")
    page.wait_for_timeout(3000)
    height = page.evaluate("document.documentElement.scrollHeight")
    for y in range(0, height, 700):
        page.evaluate("y => scrollTo(0, y)", y)
        page.wait_for_timeout(60)
    shifts = page.evaluate("shifts")
    assert sum(shift[0] for shift in shifts) <= 0.01, sorted(shifts, key=lambda s: -s[0])[:3]
    context.close()


@pytest.mark.built
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_callout_is_coloured_by_what_it_means(browser, sites, theme):  # noqa: F811
    with opened(browser, f"{sites['file']}/book/related.html", theme=theme) as page:
        tip = page.locator("article .admonition.tip").first.evaluate(
            "node => getComputedStyle(node).borderLeftColor"
        )
    with opened(browser, f"{sites['file']}/chapters/05_clip_and_see.html", theme=theme) as page:
        rgb = lambda colour: f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"
        which = ["light", "dark"].index(theme)
        words = page.locator("section > p:not([class])").first.evaluate(
            "node => getComputedStyle(node).color"
        )
        assert tip != words
        coloured = [rgb(both[which]) for name, both in palette().items() if name != "gone"]
        assert tip not in coloured and words not in coloured
        asks = page.locator(".asks, .asks *, .strip, .strip *").evaluate_all(
            "nodes => nodes.map(getComputedStyle).flatMap((s) => [s.color, s.borderLeftColor,"
            " s.backgroundColor, s.fill, s.stroke])"
        )
        assert len(asks) > 100 and not set(asks) & set(coloured), "what asks has text and grey"
