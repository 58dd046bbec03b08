"""Figures and drawings end where the text does or where the column does, in letters of one size,
and the numbers on their axes stand at their ticks and apart.
"""

import itertools
import re

import matplotlib.pyplot as plt
import pytest
from browsers import opened
from test_browser import HTML, sites  # noqa: F401
from test_chapters import CHAPTERS, ROOT

from svdicl_lite import figures, letters, plots

SIZE = re.compile(r"figsize=\((.+?), ")
TICK = re.compile(
    r'<use [^>]*y="([\d.]+)"[^>]*/>.*?<text style="font-size: ([\d.]+)px.*? y="([\d.]+)"'
)
STYLE = re.compile(r"<style.*?</style>", re.DOTALL)
PIXELS = 342  # of a figure on a phone
PAGES = [*(f"chapters/{name}" for name in CHAPTERS), "book/models", "book/intro", "book/should_i"]


@pytest.fixture(autouse=True)
def look():
    plots.style()
    yield
    plt.close("all")


def axis_of_rates(**size):
    fig, ax = plt.subplots(**size)
    ax.plot(range(8), range(8))
    plots.rate_axis(ax, (0, 0.1, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995))
    ax.set_ylabel("accuracy")
    return fig


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_makes_a_figure_as_wide_as_the_text_or_the_column(chapter):
    widths = SIZE.findall((ROOT / f"chapters/{chapter}.md").read_text())
    assert set(widths) <= {"plots.TEXT", "plots.COLUMN"}


def test_what_is_drawn_reaches_both_edges_of_a_figure():
    fig = axis_of_rates()
    fig.canvas.draw()
    drawn = fig.get_tightbbox()
    assert fig.get_figwidth() == plots.TEXT
    assert 0 <= drawn.x0 < 0.05 and plots.TEXT - 0.05 < drawn.x1 <= plots.TEXT, "inches"


def test_numbers_on_an_upright_axis_stand_at_the_height_of_their_ticks():
    """The middle of a numeral is 0.325 of its size above the line it stands on."""
    axis = figures.svg(axis_of_rates()).partition('id="matplotlib.axis_2"')[2]
    found = [map(float, one) for one in TICK.findall(axis.replace("\n", " "))]
    assert len(found) > 3
    for tick, size, line in found:
        assert abs(line - 0.325 * size - tick) < 0.6, "points"


def test_numbers_below_a_panel_on_a_phone_are_upright_and_four_pixels_apart():
    fig = axis_of_rates(figsize=(plots.COLUMN, 3))
    figures.narrow(fig)
    boxes = [label.get_window_extent() for label in fig.axes[0].get_xticklabels()]
    gap = min(right.x0 - left.x1 for left, right in zip(boxes, boxes[1:]))
    assert gap / fig.dpi * PIXELS / figures.NARROW >= 4
    assert {label.get_rotation() for label in fig.axes[0].get_xticklabels()} == {0}


def test_what_the_panel_beside_or_below_says_of_a_shared_axis_is_said_once():
    fig, axes = plt.subplots(2, 3, sharex=True, sharey=True)
    for ax in axes.flat:
        ax.set(xlabel="layer", ylabel="accuracy")
    figures.both(fig)
    said = [(bool(ax.get_xlabel()), bool(ax.get_ylabel())) for ax in axes.flat]
    assert said == [
        (False, True),
        (False, False),
        (False, False),
        (True, True),
        (True, False),
        (True, False),
    ]


EDGES = """() => {
  const article = document.querySelector("article > section").getBoundingClientRect();
  const root = getComputedStyle(document.documentElement);
  const measure = parseFloat(root.getPropertyValue("--measure")) * parseFloat(root.fontSize);
  const text = article.left + measure;
  const ends = "picture.figure img, figure.drawing > figcaption";
  const figures = [...document.querySelectorAll(ends)]
    .filter((node) => node.checkVisibility() && !node.closest("details, .admonition, .widget"));
  return figures.map((node) => {
    const right = node.getBoundingClientRect().right;
    const off = Math.min(Math.abs(right - text), Math.abs(right - article.right));
    return [off, right, node.outerHTML.slice(0, 90)];
  });
}"""


@pytest.mark.built
@pytest.mark.parametrize("page, width", [*zip(PAGES, itertools.cycle((1280, 1440, 1920)))])
def test_each_figure_ends_with_the_text_or_with_the_column(browser, sites, page, width):  # noqa: F811
    with opened(browser, f"{sites['file']}/{page}.html", width) as shown:
        if (every := shown.get_by_role("button", name="Always show all figures")).count():
            every.first.press("Enter")
        found = shown.evaluate(EDGES)
    assert not [one for one in found if one[0] > 2]


CLOSE = """() => [...document.querySelectorAll("svg")].flatMap((svg) => {
  const box = (node) => {
    const { left, right, top, bottom } = node.getBoundingClientRect();
    const less = 0.2 * (bottom - top); // a letter is lower than its line
    return [node, { left, right, top: top + less, bottom: bottom - less }];
  };
  return [...svg.querySelectorAll('[id^="matplotlib.axis"]')].flatMap((axis) => {
    const said = [...axis.querySelectorAll('[id^="xtick"], [id^="ytick"]')]
      .map((tick) => tick.querySelector('[id^="text_"]'))
      .filter((node) => node?.textContent.trim() && !/rotate\\(-45/.test(node.innerHTML)).map(box);
    return said.flatMap(([one, a], i) => said.slice(i + 1).flatMap(([other, b]) => {
      const along = Math.max(a.left, b.left) - Math.min(a.right, b.right);
      const across = Math.max(a.top, b.top) - Math.min(a.bottom, b.bottom);
      return along < 4 && across < 0
        ? [[svg.dataset.name, along, one.textContent.trim(), other.textContent.trim()]] : [];
    }));
  });
})"""


@pytest.mark.built
def test_no_two_numbers_on_an_axis_touch_on_a_phone(browser, sites, tmp_path):  # noqa: F811
    files = sorted((HTML / "_images").glob("*-phone-light.svg"))
    assert len(files) > 40
    faces = "".join(
        f'@font-face {{ font-family: "{name}"; src: url("{(letters.FOLDER / file).as_uri()}"); }}'
        for name, file in (
            (letters.SANS, "sans-regular.ttf"),
            (letters.VARIABLE, "variable.ttf"),
        )
    )
    rules = f'text {{ font-family: "{letters.SANS}" }} svg {{ width: {PIXELS}px; height: auto }}'
    drawn = [
        STYLE.sub("", file.read_text("utf-8")).replace("<svg", f'<svg data-name="{file.name}"', 1)
        for file in files
    ]
    page = browser.new_page()
    (tmp_path / "all.html").write_text(
        "".join(["<!doctype html><meta charset=utf-8><style>", faces, rules, "</style>", *drawn])
    )
    page.goto((tmp_path / "all.html").as_uri())
    page.evaluate("Promise.all([...document.fonts].map((face) => face.load()))")
    assert page.evaluate(CLOSE) == []
    page.close()
