"""Figures: as SVG, for a page and for a phone, light and dark, and large at a click."""

import base64
import importlib.util
import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
import seaborn as sns
from browsers import opened
from test_browser import HTML, sites  # noqa: F401
from test_chapters import CHAPTERS, ROOT

from svdicl_lite import figures, plots

SPEC = importlib.util.spec_from_file_location("page_figures", ROOT / "book/_ext/figures.py")
page_figures = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(page_figures)
FONT = re.compile(r"<text style=\"font-size: ([\d.]+)px")  # subscripts are smaller


@pytest.fixture(autouse=True)
def look():
    plots.style()
    yield
    plt.close("all")


def grid(rows, columns):
    """A grid of panels which share their axes, with titles above and labels at the left."""
    fig, axes = plt.subplots(
        rows, columns, figsize=(9, 6), sharex=True, sharey=True, layout="constrained", squeeze=False
    )
    for i, row in enumerate(axes):
        for j, ax in enumerate(row):
            ax.plot([0, 1, 2], [i, j, 2], label="a line")
            if i == 0:
                ax.set_title(f"column {j}", loc="left")
        row[0].set_ylabel(f"row {i}")
    for ax in axes[-1]:
        ax.set_xlabel("steps")
    return fig


def narrowed(fig):
    figures.narrow(fig)
    return [ax.get_subplotspec() for ax in fig.axes]


def test_on_a_phone_a_title_stands_off_the_axis_of_the_panel_above():
    fig = grid(1, 2)
    figures.narrow(fig)
    fig.canvas.draw()
    above, below = fig.axes
    gap = above.xaxis.label.get_window_extent().y0 - below._left_title.get_window_extent().y1
    assert gap / fig.dpi * 72 > 10, "points"


def test_a_figure_is_kept_once_with_the_one_for_a_phone_inside():
    fig = grid(1, 2)
    pictures = page_figures.parted(figures.both(fig))
    assert pictures.keys() == {"wide", "phone"}
    wide, phone = (page_figures.size(pictures[name]) for name in ("wide", "phone"))
    assert wide == (864, 576) and phone[0] == round(figures.NARROW * 96) and phone[1] > phone[0]
    assert plt.get_fignums() == [fig.number], "the copy is gone, and the figure is as it was"
    assert fig.get_figwidth() == 9 and len({spec.colspan.start for spec in narrowed(fig)}) == 1


def test_it_is_the_same_text_each_time_and_numbers_on_it_stay_whole():
    fig, ax = plt.subplots(layout="constrained")
    plots.rate_axis(ax, [0, 0.95, 0.995])
    text = figures.both(fig)
    assert text == figures.both(fig)
    assert ">0.995<" in text and not re.search(r' d="[^"]*\.\d{3}', text)


def test_no_letter_on_a_phone_is_below_eleven_pixels():
    """390 pixels less the margins of a page, 342, are 4.4 inches: a point is 1.08 pixels."""
    fig = grid(1, 2)
    fig.axes[0].annotate("small", (1, 1), fontsize=6)
    phone = page_figures.parted(figures.both(fig))["phone"]
    sizes = [float(size) for size in FONT.findall(phone)]
    assert len(sizes) > 10 and min(sizes) * 342 / (figures.NARROW * 72) >= 11


def test_two_columns_become_one_and_each_panel_says_all():
    fig = grid(2, 2)
    specs = narrowed(fig)
    assert [(spec.rowspan.start, spec.colspan.start) for spec in specs] == [
        (0, 0),
        (1, 0),
        (2, 0),
        (3, 0),
    ]
    said = [(ax.get_title(loc="left"), ax.get_ylabel(), ax.get_xlabel()) for ax in fig.axes]
    assert said[3] == ("column 1", "row 1", "steps") and said[0] == ("column 0", "row 0", "steps")


def test_three_columns_in_two_rows_are_turned():
    specs = narrowed(grid(2, 3))
    assert specs[4].get_gridspec().get_geometry() == (3, 2)
    assert (specs[4].rowspan.start, specs[4].colspan.start) == (1, 1)
    assert (specs[2].rowspan.start, specs[2].colspan.start) == (2, 0)


def test_a_list_of_names_keeps_its_height():
    fig, ax = plt.subplots(figsize=(7, 6), layout="constrained")
    ax.set_yticks(range(12), [f"setting {i}" for i in range(12)])
    narrowed(fig)
    assert fig.get_figheight() == 6
    fig, ax = plt.subplots(figsize=(7, 6), layout="constrained")
    narrowed(fig)
    assert fig.get_figheight() == figures.TALLEST


def test_a_legend_of_the_figure_gets_as_many_columns_as_have_room():
    fig = grid(1, 2)
    names = [f"a rather long name, number {i}" for i in range(4)]
    fig.legend([fig.axes[0].lines[0]] * 4, names, loc="outside lower center", ncols=4)
    figures.narrow(fig)
    (legend,) = fig.legends
    box = legend.get_window_extent(fig.canvas.get_renderer())
    assert box.x0 >= 0 and box.x1 <= fig.bbox.x1


def test_greys_turn_round_and_colours_get_light():
    assert page_figures.dark("#000000") > "#e0e0e0" and page_figures.dark("#ffffff") < "#202020"
    blue = page_figures.dark("#0173b2")
    r, g, b = (int(blue[i : i + 2], 16) for i in (1, 3, 5))
    assert r < g < b and g > 0x90
    assert (
        len({page_figures.dark(colour) for colour in sns.color_palette("viridis", 8).as_hex()}) == 8
    )


def test_the_dark_twin_changes_all_colours_but_those_of_values():
    fig, ax = plt.subplots(layout="constrained")
    sns.heatmap(np.eye(2), annot=True, cmap="viridis", cbar=False, ax=ax)
    ax.set(title="a heading")
    light = figures.svg(fig)
    tree = ElementTree.fromstring(page_figures.twin(light))
    kept = [node for node in tree.iter() if node.get("id", "").startswith(figures.AS_IT_IS)]
    before = [
        node
        for node in ElementTree.fromstring(light).iter()
        if node.get("id", "").startswith(figures.AS_IT_IS)
    ]
    assert len(kept) == 5  # the mesh and four numbers
    for one, other in zip(kept, before):
        inner = [[node.attrib for node in group.iter()][1:] for group in (one, other)]
        assert inner[0] == inner[1]
    heading = next(node for node in tree.iter() if node.text == "a heading")
    assert "fill: #262626" in light and "fill: #262626" not in heading.get("style")


def test_a_figure_that_cannot_be_copied_is_shown_as_it_is():
    fig, ax = plt.subplots()
    ax.xaxis.set_major_formatter(lambda value, place: f"{value:g} %")
    assert page_figures.parted(figures.both(fig)).keys() == {"wide"}


@pytest.mark.built
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_one_picture_of_a_figure_is_fetched_and_fits_theme_and_width(browser, sites, chapter):  # noqa: F811
    for theme, width, which in (("light", 1280, "wide"), ("dark", 390, "phone")):
        url = f"{sites['http']}/chapters/{chapter}.html"
        with opened(browser, url, width, theme) as page:
            if (shown := page.get_by_role("button", name="Always show all figures")).count():
                shown.first.press("Enter")
            found = page.locator("picture.figure").count()
            shown = page.locator("picture.figure:visible img")
            assert 2 * shown.count() == found
            for image in shown.all():
                image.scroll_into_view_if_needed()
                image.evaluate("image => image.decode()")
                source = image.evaluate("image => image.currentSrc")
                assert source.endswith(f"{which}-{theme}.svg")
                least = min(map(float, FONT.findall((HTML / source.split("/", 3)[3]).read_text())))
                box = image.bounding_box()
                scale = box["width"] / image.evaluate("image => image.naturalWidth") * 96 / 72
                assert least * scale >= (11 if width == 390 else 13.9), source
                assert box["x"] >= 0 and box["x"] + box["width"] <= width
            loaded = page.evaluate("performance.getEntriesByType('resource').map((r) => r.name)")
            other = "light" if theme == "dark" else "dark"
            assert not [name for name in loaded if name.endswith(f"{which}-{other}.svg")]
            assert page.faults == []


def test_a_figure_on_a_slide_is_an_image_that_is_described(tmp_path):
    spec = importlib.util.spec_from_file_location("slides", ROOT / "book/teaching/slides.py")
    slides = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(slides)
    cell = slides.nbformat.v4.new_code_cell(
        "draw()", metadata={"mystnb": {"image": {"alt": 'A "falling" line'}}}
    )
    data = {"image/svg+xml": figures.both(grid(1, 2))}
    cell.outputs = [slides.nbformat.v4.new_output("display_data", data=data)]
    (shown,) = slides.of_code(cell, say=lambda one: one["caption"])[0].outputs
    image = shown.data["text/html"]
    assert 'alt="A &quot;falling&quot; line"' in image and shown.data.keys() == {"text/html"}
    picture = base64.b64decode(re.search(r"base64,([^\"]+)", image)[1]).decode()
    assert picture.startswith("<svg") and 'id="phone"' not in picture


def test_beside_a_panel_with_the_same_axis_only_what_differs_is_said():
    fig = grid(2, 3)
    figures.narrow(fig)
    left, right = fig.axes[1], fig.axes[4]  # one below the other, and now side by side
    assert left.get_ylabel() == "row 0" and right.get_ylabel() == "row 1"
    seen = [ax.yaxis.get_tick_params()["labelleft"] for ax in (left, right)]
    assert seen == [True, False]


def test_a_name_that_is_longer_than_its_panel_is_broken():
    fig, ax = plt.subplots(layout="constrained")
    ax.set_xlabel("a name of an axis which is far too long for the width that a phone has for it")
    ax.set_ylabel("short")
    figures.narrow(fig)
    fig.canvas.draw()
    assert ax.get_xlabel().count("\n") == 1 and ax.get_ylabel() == "short"
    box = ax.xaxis.label.get_window_extent(fig.canvas.get_renderer())
    assert box.x0 >= 0 and box.x1 <= fig.bbox.x1


def test_names_of_rows_stand_upright_in_every_panel():
    fig, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True, layout="constrained")
    for ax in axes:
        sns.heatmap(np.eye(3), yticklabels=["one row", "two row", "red row"], cbar=False, ax=ax)
    axes[0].tick_params(axis="y", labelrotation=0)
    figures.narrow(fig)
    assert {label.get_rotation() for ax in axes for label in ax.get_yticklabels()} == {0}
