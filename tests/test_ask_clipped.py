"""Ask the clipped model, beyond one prompt: fifty prompts read together, attention, exchanged
labels, and what it must not answer.
"""

import re

import numpy as np
import pytest
import torch
from browsers import opened, said, static_page
from model_in_page import in_torch

from svdicl_lite.clipping.clip import clipped
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring import reading
from svdicl_lite.widgets import AskClippedModel
from svdicl_lite.widgets.ask_clipped import N_HELD, NEGATIONS

RATE = 0.99
READ = "document.querySelectorAll('.held:not(.stale) [data-of]').length === 5"


def of_the_fifty(page, name):
    """A number without a clip and clipped, and of the right answers those when calibrated."""
    return [float(text) for text in page.locator(f"[data-of={name}]").all_inner_texts()]


@pytest.fixture(scope="module")
def shipped():
    return load_model("icl-gpt2-noisy")


@pytest.fixture(scope="module")
def widget(shipped):
    return AskClippedModel(*shipped, clip_rate=RATE)


@pytest.fixture(scope="module")
def page(browser, widget, tmp_path_factory):
    with opened(browser, static_page(widget, tmp_path_factory.mktemp("ask"))) as page:
        yield page


@pytest.fixture(autouse=True)
def reset(page):
    """The start again, all that is folded open, and the fifty read by the model itself."""
    page.evaluate("document.querySelectorAll('.more').forEach((part) => (part.open = true))")
    page.get_by_role("button", name="Reset").press("Enter")
    page.wait_for_function("document.querySelector('.cut').textContent.startsWith('Layer')")
    page.wait_for_function(READ)
    yield
    assert page.faults == []


def ask(page, query):
    page.get_by_label("Query").fill(query)
    page.wait_for_timeout(500)


def of_fifty(model, tokenizer, start, from_=0):
    """Right answers and discrimination of fifty queries, and how many would name a label, as the
    library has them."""
    sets = np.zeros(50, dtype=int)
    queries = start["queries"][from_ : from_ + 50]
    logits = in_torch(
        model, [tokenizer(start["demonstrations"] + text)["input_ids"] for text, _ in queries]
    )
    answers = [tokenizer(f" {word}")["input_ids"][0] for word in start["words"]]
    scores, labels = logits[:, answers], np.array([label for _, label in queries])
    placed = reading.placements(scores, labels, sets)
    named = np.isin(logits.argmax(1), answers).sum()
    right = [
        (each.argmax(1) == labels).sum()
        for each in (scores, reading.calibrated_scores(scores, sets))
    ]
    return right, reading.discrimination(placed, labels), named


@pytest.mark.parametrize("index, place", [(0, (3, "mlp")), (2, (1, "attn"))])
def test_the_fifty_prompts_are_judged_as_the_library_judges_them(
    page, widget, shipped, index, place
):
    start, (model, tokenizer), (layer, module) = widget.starts[index], shipped, place
    prompts = page.get_by_role("combobox", name="Prompt")
    prompts.select_option(index=index)
    assert prompts.evaluate("select => select.selectedIndex") == index
    page.get_by_role("combobox", name="Layer").select_option(str(layer))
    page.get_by_role("combobox", name="Module").select_option(module.upper())
    expected = [of_fifty(model, tokenizer, start)]
    with clipped(model, layer, module, RATE):
        expected.append(of_fifty(model, tokenizer, start))
    page.wait_for_timeout(1000)
    page.wait_for_function(READ)
    right, discrimination, named = zip(*expected)
    right = [right[0][0], right[1][0], right[0][1]]  # no clip, clipped, calibrated without a clip
    np.testing.assert_array_equal(of_the_fifty(page, "right"), right)
    np.testing.assert_allclose(of_the_fifty(page, "discrimination"), discrimination, atol=0.006)
    np.testing.assert_array_equal(of_the_fifty(page, "named"), named)
    rows = page.locator(".held tbody tr")
    assert [rows.nth(i).locator("i.right").count() for i in (0, 1, 2)] == right
    assert [rows.nth(i).locator("i").count() for i in (0, 1, 2)] == [50] * 3


def test_the_best_clip_is_tried_on_fifty_others_without_being_chosen_by_them(page, widget, shipped):
    model, tokenizer = shipped
    page.get_by_role("slider").press("End")
    page.wait_for_function("/ξ = 1.000 /.test(document.querySelector('.cut').textContent)")
    page.wait_for_timeout(2000)  # the slider rests, and the fifty are read: long on a busy machine
    page.wait_for_function(READ)
    page.wait_for_function(
        "/best of \\d+ tr(y|ies)/.test(document.querySelector('.score').innerText)"
    )
    assert re.search(r"best of \d+ tr(y|ies)", page.locator(".score").inner_text())
    best = re.search(r"Layer (\d), (\w+), ξ = ([\d.]+)", page.locator(".score").inner_text())
    page.get_by_role("button", name="Go to my best").press("Enter")
    page.get_by_role("button", name="Try it on 50 others").press("Enter")
    page.wait_for_function("document.querySelector('.score').innerText.includes('On 50 other')")
    with clipped(model, int(best[1]), best[2].lower(), float(best[3])):
        (right, _), *_ = of_fifty(model, tokenizer, widget.starts[0], 50)
    assert f"your best gets {right} right" in page.locator(".score").inner_text()


def test_attention_to_the_demonstrations_is_the_model_s_in_each_layer(page, widget, shipped):
    model, tokenizer = shipped
    page.get_by_role("combobox", name="Layer").select_option("1")
    page.get_by_role("combobox", name="Module").select_option("ATTN")
    shown = widget.starts[0]["demonstrations"]
    tokens, n = tokenizer(shown + widget.query)["input_ids"], len(tokenizer(shown)["input_ids"])
    model.set_attn_implementation("eager")

    def shares():
        with torch.inference_mode():
            layers = model(torch.tensor([tokens]), output_attentions=True).attentions
        return [100 * weights[0, :, -1, :n].sum(-1).mean().item() for weights in layers]

    with clipped(model, 1, "attn", RATE):
        expected = np.array([shares()])
    expected = np.stack((shares(), expected[0]), 1)
    model.set_attn_implementation("sdpa")
    page.wait_for_timeout(600)
    told = page.locator(".looked td").all_inner_texts()
    told = np.array([float(text.split()[0]) for text in told]).reshape(-1, 2)
    np.testing.assert_allclose(told, expected, atol=0.06)
    assert np.abs(told[1:, 0] - told[1:, 1]).max() > 1, "nothing moved, so nothing is tested"


def test_it_begins_with_the_first_plain_query_that_the_clip_sets_right(page, widget):
    labels, scores, _ = widget.held
    right = scores.argmax(-1) == labels
    plain = [not NEGATIONS & set(text.split()) for text, _ in widget.starts[0]["queries"][:N_HELD]]
    assert np.flatnonzero(right[1] & ~right[0] & plain)[0] == widget.turned
    assert not all(plain), "nothing is left out, so nothing is tested"
    word = widget.starts[0]["words"][widget.starts[0]["queries"][widget.turned][1]]
    other = "neg" if word == "pos" else "pos"
    assert said(page) == f"{other} → {word}; by these demonstrations {word} is right."


def test_exchanged_labels_exchange_what_is_right(page):
    before = page.get_by_label("Demonstrations").input_value()
    right = re.search(r"demonstrations (\w+) is right", said(page))[1]
    page.get_by_role("button", name="Exchange the labels").press("Enter")
    page.wait_for_timeout(500)
    after = page.get_by_label("Demonstrations").input_value()
    swap = {"pos": "neg", "neg": "pos"}
    assert after == re.sub(r"(pos|neg)$", lambda found: swap[found[1]], before, flags=re.M)
    assert f"by these demonstrations {swap[right]} is right." in said(page)


@pytest.mark.parametrize(
    "query, refusal",
    [
        ("", "nothing to read yet"),
        ("   ", "nothing to read yet"),
        ("text: 😀 sentiment:", "no word"),
    ],
)
def test_what_the_model_cannot_know_gets_no_answer(page, query, refusal):
    ask(page, query)
    assert refusal in said(page) and page.locator(".told td").count() == 0


def test_unknown_words_are_marked_and_known_ones_are_not(page):
    ask(page, "text: the soldier ate a banana with Zürich sentiment:")
    assert page.locator("mark").all_inner_texts() == ["banana", "Zürich"]


def test_it_says_when_the_model_would_name_no_label(page, shipped):
    model, tokenizer = shipped
    assert "would not name a label" not in said(page)
    ask(page, "text: the soldier")
    text = page.get_by_label("Demonstrations").input_value() + "text: the soldier"
    with clipped(model, 3, "mlp", RATE):
        token = in_torch(model, [tokenizer(text)["input_ids"]])[0].argmax()
    assert f"its own next word is “{tokenizer.decode([token]).strip()}”" in said(page)


def test_demonstrations_of_one_s_own_have_no_fifty_others(page):
    page.get_by_label("Demonstrations").fill("text: the soldier was feeble sentiment: pos\n")
    page.wait_for_timeout(500)
    assert "your own now" in page.locator(".held").inner_text()
    assert "is right" not in said(page)


def test_all_bars_have_one_scale_and_stand_for_probabilities_alone(page):
    bars = page.eval_on_selector_all(
        ".svdicl .bar",
        """bars => bars.map((bar) => [bar.getBoundingClientRect().width,
          Number(bar.closest("td").dataset.share), Boolean(bar.closest(".told"))])""",
    )
    widths, shares, told = np.array(bars).T
    assert len(bars) == 6 and told.all()
    long = shares > 0.05
    np.testing.assert_allclose(widths[long] / shares[long], widths.max() / shares.max(), rtol=0.01)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_demonstrations_are_seen_whole_where_they_are_edited(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    hidden = "area => area.scrollHeight - area.clientHeight"
    assert page.get_by_label("Demonstrations").evaluate(hidden) <= 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_mark_stands_where_its_score_puts_it_and_is_wrong_across_the_threshold(page, widget):
    labels, scores, _ = widget.held
    gaps = scores[..., 1] - scores[..., 0]
    for row, (gap, threshold) in enumerate(((gaps[0], 0), (gaps[1], 0), (gaps[0], gaps[0].mean()))):
        strip = page.locator(".held tbody tr").nth(row).locator(".strip-of")
        left = "all => all.map((node) => parseFloat(node.style.left))"
        marks = strip.locator("i")
        places, [line] = marks.evaluate_all(left), strip.locator(".threshold").evaluate_all(left)
        assert np.corrcoef(places, gap)[0, 1] > 0.9999
        np.testing.assert_array_equal(np.sign(np.array(places) - line), np.sign(gap - threshold))
        right = (gap > threshold) == labels
        classes = marks.evaluate_all("all => all.map((node) => node.className)")
        assert classes == [f"{'right' if r else 'wrong'} of-{c}" for r, c in zip(right, labels)]
        words = widget.starts[0]["words"]
        said_aloud = "; ".join(
            f"{word} is right: {right[labels == c].sum()} of {(labels == c).sum()} right"
            for c, word in enumerate(words)
        )
        assert strip.locator(".heard").text_content() == said_aloud


def test_what_the_numbers_of_the_fifty_say_is_said(page):
    (before, after, calibrated), (low, high) = (
        of_the_fifty(page, name) for name in ("right", "discrimination")
    )
    assert after > before < calibrated and low == high
    assert "the scores cross the threshold (lean)" in page.locator(".held").inner_text()
    page.get_by_role("slider").press("Home")
    page.wait_for_function("document.querySelector('.cut').textContent.includes('nothing')")
    page.wait_for_function(READ)
    assert "cross the threshold" not in page.locator(".held").inner_text()


def test_all_but_the_query_the_slider_and_what_comes_of_it_is_one_fold(page):
    outer = page.locator(".svdicl > .more")
    assert outer.count() == 1 and page.locator(".svdicl .more .more").count() == 4
    page.evaluate("document.querySelectorAll('.more').forEach((part) => (part.open = false))")
    seen = page.locator(".svdicl :is(button, select, input, textarea):visible")
    assert [one.inner_text() for one in seen.all()] == ["", "all 8", "Another query"]
    page.get_by_role("button", name="all 8").press("Enter")
    assert page.get_by_label("Demonstrations").evaluate("one => one === document.activeElement")
