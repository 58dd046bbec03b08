"""Model cards: each shipped model has one that can be scanned: what it is for, a picture, the facts
in a line, the rest folded.
"""

import re
import sys

import pytest
from browsers import opened
from test_browser import sites  # noqa: F401
from test_chapters import ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import model_cards
import model_pictures

from svdicl_lite.models.loading import model_card, shipped_models

PAGE = (ROOT / "book/models.md").read_text()


def test_the_page_says_of_each_shipped_model_what_it_is_for():
    assert model_cards.purposes(PAGE).keys() == set(shipped_models())
    with pytest.raises(ValueError, match="but differs in new-model"):
        model_cards.purposes(f"{PAGE}\n% new-model: Is not shipped\n")


@pytest.mark.parametrize("name", ["icl-gpt2-noisy", "suite-llama", "linreg-gpt2", "recall-gpt2"])
def test_a_card_begins_with_the_purpose_and_shows_what_the_model_can_do(tmp_path, name):
    made = model_cards.model(name, model_card(name), "Serves a test", tmp_path)
    lines = [line for line in made.splitlines() if line]
    assert lines[:3] == [f"(card-{name})=", f"### {name}", "It serves a test."]
    assert f"{model_card(name)['parameters']:,} weights" in lines[4]
    picture = (tmp_path / f"ability_{name}.svg").read_text()
    assert picture.startswith("<?xml") or "<svg" in picture[:400]
    shown = made.index("{figure}"), made.index("How it was trained"), made.index("All test fig")
    assert list(shown) == sorted(shown)


def test_every_test_figure_stands_in_the_folded_table():
    test = model_card("suite-llama")["test"]
    table = "\n".join(model_cards.tests("suite-llama", test))
    assert table.count("\n| ") == len(test) + 1  # its head
    assert f"{test[0]['accuracy']:.3f} [{test[0]['low']:.3f}, {test[0]['high']:.3f}]" in table


def test_what_all_pictures_share_stands_once_above_them():
    above = PAGE[PAGE.index("## The models") : PAGE.index("% gathered models")]
    assert "95 % interval (Wilson's)" in above and "`canonical, flipped, arbitrary`" in above


def test_a_caption_says_what_is_particular_to_its_model(tmp_path):
    cards = {name: model_card(name) for name in ("icl-gpt2", "icl-gpt2-prior", "recall-gpt2")}
    said = {
        name: model_pictures.ability(name, card, tmp_path / "a.svg")[0]
        for name, card in cards.items()
    }
    for name, card in cards.items():
        assert said[name].startswith(f"`{name}` ") and said[name].endswith(".")
        assert f"$n$ = {card['test'][0]['n']:,} a dot" in said[name]
        assert "Wilson" not in said[name]
    low = next(
        row
        for row in cards["icl-gpt2-prior"]["test"]
        if (row["task"], row["labels"], row["shots"]) == ("sentiment", "flipped", 8)
    )
    assert (
        f"{low['accuracy']:.3f} [{low['low']:.3f}, {low['high']:.3f}] on sentiment"
        in (said["icl-gpt2-prior"])
    )


@pytest.mark.parametrize("name", ["icl-gpt2", "suite-llama", "linreg-gpt2"])
def test_every_table_of_a_card_has_a_caption_of_its_own(tmp_path, name):
    made = model_cards.model(name, model_card(name), "Serves a test", tmp_path)
    captions = re.findall(r"^:::\{table\} (.+)\n:name: (.+)$", made, re.MULTILINE)
    tables = len(re.findall(r"^\|(---\|)+$", made, re.MULTILINE))
    assert len(set(captions)) == len(captions) == tables > 1
    for said, label in captions:
        assert f"`{name}`" in said and label.startswith(f"tbl-{name}-")


@pytest.mark.parametrize(
    "key, parts",
    [
        ("mixed-topic flipped", ("flipped", "mixed-topic")),
        ("topic-jargon", ("jargon", "topic")),
        ("topic", ("common", "topic")),
    ],
)
def test_a_measure_is_a_setting_of_a_task(key, parts):
    assert model_pictures._parts(key) == parts


@pytest.mark.built
@pytest.mark.parametrize("width", [1280, 390])
def test_cards_are_short_until_they_are_opened(browser, sites, width):  # noqa: F811
    with opened(browser, f"{sites['http']}/book/models.html", width=width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        pictures = page.locator("section > h3 ~ figure img")
        sources = set(pictures.evaluate_all("all => all.map((one) => one.src)"))
        sources = {source for source in sources if "ability_" in source}
        assert len(sources) == 2 * len(shipped_models()), "each has a picture of its own, twice"
        for name in shipped_models():
            card = page.locator(f"section:has(> h3)[id={re.sub('[^a-z0-9]+', '-', name)}]")
            assert card.locator("figure img").first.is_visible()
            assert card.locator("table").count() >= 2
            assert not any(table.is_visible() for table in card.locator("table").all())
            assert card.bounding_box()["height"] < 900, name
