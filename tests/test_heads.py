"""The pictures at the heads of chapters: one each, of one family, and true to what was measured."""

import re
import sys
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from browsers import opened
from test_browser import overflow, sites  # noqa: F401
from test_chapters import CHAPTERS, ROOT

from svdicl_lite.clipping.spectra import chosen_layer
from svdicl_lite.search.committed import outcomes
from svdicl_lite.search.committed_spectra import spectra
from svdicl_lite.search.kept_pairs import against_whole
from svdicl_lite.stats import cluster_means

sys.path.insert(0, str(ROOT / "book/_ext"))
import heads

STYLE = (ROOT / "book/assets/pictures.css").read_text()
SVG = "{http://www.w3.org/2000/svg}"


def drawn(number):
    """The tree of a picture."""
    return ElementTree.parse(heads.FOLDER / f"{number:02d}.svg").getroot()


def places(number, kind, which="clip fill"):
    """Where the circles of a class stand, [x or y], by their order in the file."""
    found = drawn(number).iter(f"{SVG}circle")
    return np.array([float(one.get(kind)) for one in found if one.get("class") == which])


def paths(number, which):
    return [one.get("d") for one in drawn(number).iter(f"{SVG}path") if one.get("class") == which]


def steps(drawing, letter):
    """What stands behind a letter of a path, as numbers."""
    return np.array([float(x) for x in re.findall(rf"{letter}(-?[\d.]+)", drawing)])


def on_one_scale(shown, values):
    """All within rounding of one straight line: what is drawn is what was measured."""
    values = np.asarray(values, float)
    line = np.polynomial.Polynomial.fit(values, shown, 1)
    return len(shown) == len(values) and abs(line(values) - shown).max() < 0.12


def test_each_chapter_has_one_and_there_is_no_other():
    assert [f"{name[:2]}.svg" for name in CHAPTERS] == sorted(
        path.name for path in heads.FOLDER.iterdir()
    )


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_picture_is_small_told_without_letters_and_in_the_colours_of_the_book(chapter):
    file = heads.file(chapter)
    tree, name = ElementTree.parse(file).getroot(), f"head_{chapter[:2]}"
    title, description = tree.find(f"{SVG}title"), tree.find(f"{SVG}desc")
    assert [tree.get(key) for key in ("viewBox", "width", "height", "role")] == [
        *("0 0 240 120", "240", "120", "img"),
    ]
    assert tree.get("aria-labelledby") == f"{name}-title {name}-desc"
    assert [node.get("id") for node in tree.iter() if node.get("id")] == [
        *(f"{name}-title", f"{name}-desc"),
    ]
    assert len(title.text) > 15 and len(description.text) > 80
    assert not list(tree.iter(f"{SVG}text"))
    assert file.stat().st_size <= 3072 and len(file.read_text().splitlines()) <= 60
    for node in tree.iter():
        assert not {"fill", "stroke", "style", "color", "font-size"} & set(node.attrib), node.attrib
        for used in node.get("class", "").split():
            assert re.search(rf"\.drawing svg [^{{]*\.{used}\b", STYLE), used


def test_on_a_card_a_picture_is_silent_and_has_no_id():
    shown = heads.picture("08_algorithm_1", aloud=False)
    assert 'aria-hidden="true"' in shown and shown.count("<rect") > 5
    assert not re.search(r"\bid=|role=|<title|<desc|aria-labelledby", shown)


def test_the_head_holds_title_facts_what_to_read_before_and_the_picture_in_this_order():
    body = '<section>\n<h1>A<a>#</a></h1>\n<p class="chapter-before">B</p>\n<p>C</p><h1>D</h1>'
    made = heads.headed(body, "08_algorithm_1", "E · 50 minutes to read")
    assert re.sub(r"<svg.*?</svg>", "…", made, flags=re.DOTALL) == (
        '<section>\n<div class="chapter-head"><h1>A<a>#</a></h1>\n'
        '<p class="chapter-facts">E · 50 minutes to read</p>\n<p class="chapter-before">B</p>\n'
        '<div class="drawing head-picture">…</div></div>\n<p>C</p><h1>D</h1>'
    )
    assert '<div class="chapter-head"><h1>A</h1>' in heads.headed("<h1>A</h1>", "08_b", "c")


def test_a_chapter_without_a_picture_is_named():
    with pytest.raises(FileNotFoundError, match=r"16_more has no picture .*heads/16\.svg"):
        heads.file("16_more")


def test_the_matrix_of_chapter_01_is_the_sum_of_its_three():
    """A square's area is its number, a hollow one's is negative."""
    values = np.zeros((4, 4, 4))  # matrix, row, column
    for which in ("plain", "clip", "grey"):
        for sign, kind, rim in ((1, "fill", 0), (-1, "line", 1.5)):
            for drawing in paths(1, f"{which} {kind}"):
                for x, y, side in re.findall(r"M([\d.]+) ([\d.]+)h([\d.]+)", drawing):
                    x, y, side = float(x), float(y), float(side)
                    at, column = divmod(x + side / 2, 64)
                    row = int((y + side / 2 - 10) / 11.5)
                    values[int(at), row, int(column / 11.5)] = sign * (side + rim) ** 2
    assert (
        abs(values[0] - values[1:].sum(0)).max() < 5
    )  # of 100: a hollow one has a rim, however small
    sizes = [np.linalg.norm(one) for one in values[1:]]
    assert sizes == sorted(sizes, reverse=True)
    assert all(np.linalg.svd(one)[1][1] < 0.06 * sizes[0] for one in values[1:])


def test_chapter_04_shows_the_eight_sets_of_tweets_and_both_intervals():
    tweets = outcomes("baselines").set_index("task")["evaluation"]["tweets"]
    of_sets = cluster_means(tweets.correct, tweets.demonstration_sets)
    (examples,), (sets,), (half,) = (paths(4, x) for x in ("grey line", "plain line", "chance"))
    shown, values = [], []
    for place, value in (
        (places(4, "cx", "plain fill"), [*of_sets, tweets.accuracy]),
        (places(4, "cx", "grey fill"), [tweets.accuracy]),
        ([*steps(examples, "M")[:1], *steps(examples, "H")], tweets.interval),
        ([*steps(sets, "M")[:1], *steps(sets, "H")], tweets.accuracy_over_sets),
        (steps(half, "M"), [0.5]),
    ):
        shown, values = [*shown, *place], [*values, *value]
    assert on_one_scale(shown, values)


def test_chapter_05_moves_two_bells_and_leaves_them_apart_as_they_were():
    (neg, neg_after), (pos, pos_after) = (
        [steps(one, "M")[0] for one in paths(5, f"{which} area")] for which in ("two", "one")
    )
    assert pos - neg == pos_after - neg_after > 0 and neg_after > neg


def test_chapter_06_shows_four_and_ten_demonstrations_as_measured():
    cells = pd.concat([outcomes("movies_shots"), outcomes("movies_depth")])
    cells = cells[(cells["clip_rate"] == 0) | (cells["layer"] == 6) & (cells["module"] == "mlp")]
    auc = {(c.n_shots, c.clip_rate): c.evaluation.discrimination for c in cells.itertuples()}
    values = [auc[shots, rate] for shots in (10, 4) for rate in (0, 0.5, 0.9, 0.99)]
    lines = [*paths(6, "wire"), *paths(6, "wire dash")]
    shown = [float(y) for line in lines for _, y in re.findall(r"([\d.]+) ([\d.]+)", line)]
    assert on_one_scale(shown, values) and shown[0] < shown[3]


def test_chapter_07_rings_the_layer_of_the_rule_which_is_not_the_one_that_gains_most():
    table = spectra("smollm2_spectra")
    table = table[table["role"].isin(["gate", "up", "fc_out"])]
    conditions = table.groupby("layer")["condition_number"].max()
    (bars,) = paths(7, "mlp fill")
    assert on_one_scale(steps(bars, "v")[::2], conditions)
    layer_of = {x + 2.5: layer for layer, x in enumerate(steps(bars, "M"))}
    near = lambda x: layer_of[min(layer_of, key=lambda at: abs(at - x))]
    picked, told = near(*places(7, "cx", "ring")), against_whole(outcomes("movies_depth"))
    assert picked == chosen_layer(table)
    told = told[told["module"] == "mlp"]
    gains = told["compared"].map(lambda pair: pair.test_gain).groupby(told["layer"]).max()
    which = "clip hollow"
    assert [near(x) for x in places(7, "cx", which)] == [*gains.index]
    assert on_one_scale(places(7, "cy", which), gains)
    assert gains.idxmax() != picked and gains[picked] < 0


def test_chapter_09_shows_clips_controls_and_calibration_as_measured():
    kept = outcomes("algorithm1")
    pairs = against_whole(kept)
    gains = 100 * pairs["compared"].map(lambda pair: pair.test_gain)
    whole = kept[kept["clip_rate"] == 0].set_index("task")["evaluation"]
    gained = whole.map(lambda e: 100 * (e.calibrated_accuracy - e.accuracy))
    is_clip = pairs["method"] == "svd"
    (dots,), (diamonds,), (zero,) = (paths(9, name) for name in ("grey dots", "plain fill", "axis"))
    shown = [*places(9, "cx"), *steps(dots, "M"), *steps(diamonds, "M"), *steps(zero, "M")]
    values = [*gains[is_clip], *gains[~is_clip], *gained[pairs[is_clip]["task"]], 0]
    assert on_one_scale(shown, values)
    assert min(steps(diamonds, "M")) > max(places(9, "cx"))


def test_chapter_14_shows_each_language_as_measured_english_first():
    told = against_whole(outcomes("languages"))
    told = told[told["task"].str.startswith("hotels") & (told["layer"] == 24)]
    order = told["compared"].map(lambda pair: -pair.test_before.discrimination).argsort()
    told = told.iloc[order]
    assert told["task"].iloc[0] == "hotels" and len(paths(14, "plain fill")) == 1
    pairs = [*told["compared"]]
    ends = [pair.discrimination_gain_over_sets for pair in pairs]
    bars = paths(14, "clip line")
    shown = [*places(14, "cy"), *(steps(bar, "V")[0] for bar in bars)]
    assert on_one_scale(
        shown, [*(pair.discrimination_gain for pair in pairs), *(e[0] for e in ends)]
    )
    assert min(high for _, high in ends) > 0, "no language shows a loss"


BOXES = """() => [".chapter-head", ".head-picture svg", "article h1", ".chapter-facts",
  ".chapter-head ~ p"].map((where) => {
    const { left, right, top, bottom } = document.querySelector(where).getBoundingClientRect();
    return { left, right, top, bottom };
  })"""


@pytest.mark.built
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("chapter", ["02_inside_gpt2", "08_algorithm_1", "12_a_bound"])
def test_the_picture_stands_beside_the_title_or_below_it(browser, sites, chapter, width):  # noqa: F811
    with opened(browser, f"{sites['file']}/chapters/{chapter}.html", width) as page:
        head, picture, title, facts, text = page.evaluate(BOXES)
        assert page.get_by_role("img", name=re.compile(".{60}")).count()
        assert picture["bottom"] <= text["top"] and picture["right"] <= head["right"] + 1
        if width == 1280:
            assert abs(picture["right"] - head["right"]) < 1 and head["right"] > text["right"]
            assert picture["left"] > max(title["right"], facts["right"])
            assert picture["top"] < facts["top"]
        else:
            assert picture["bottom"] - picture["top"] <= 110 and picture["top"] >= facts["bottom"]
            assert abs(picture["left"] - title["left"]) < 1 and overflow(page) == 0


@pytest.mark.built
@pytest.mark.parametrize("width", [1280, 390])
def test_each_card_of_the_first_page_shows_its_chapter_s_picture(browser, sites, width):  # noqa: F811
    with opened(browser, f"{sites['file']}/book/intro.html", width) as page:
        cards = page.locator(".chapter-card")
        boxes = cards.evaluate_all(
            """all => all.map((card) => [card, card.querySelector("svg")].map((one) => {
              const { left, right, top, bottom } = one.getBoundingClientRect();
              return [left, right, top, bottom];
            }))"""
        )
        assert len(boxes) == len(CHAPTERS) and overflow(page) == 0
        for card, picture in boxes:
            assert card[0] < picture[0] < picture[1] < card[1] and picture[1] - picture[0] >= 90
            assert card[2] < picture[2] < picture[3] < card[3]
