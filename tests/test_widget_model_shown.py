"""What the widget shows of the GPT-2 that runs in the page."""

from functools import partial

import model_in_page
import numpy as np
import torch
from browsers import opened, static_page
from model_in_page import in_torch

from svdicl_lite.clipping.clip import clipped
from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.widgets import AskClippedModel

# Fixtures: pytest looks for their names here.
shipped = model_in_page.shipped


def assert_shown(page, model, tokenizer, layer, module, rate):
    """The page shows what the model says, whole and clipped, to what now stands in its fields."""
    shown = page.get_by_label("Demonstrations").input_value().rstrip()
    text = (shown and f"{shown}\n") + page.get_by_label("Query").input_value()
    words = [word.strip() for word in page.get_by_label("Label words").input_value().split(",")]
    answers = [tokenizer(f"{text} {word}")["input_ids"][-1] for word in words]
    said = f"Layer {layer}, {module.upper()}, ξ = {rate}"
    page.wait_for_function(f"document.querySelector('.cut').textContent.startsWith('{said}')")
    told = (
        np.array(
            page.eval_on_selector_all(
                ".told td", "cells => cells.map(cell => Number(cell.dataset.share))"
            )
        )
        .reshape(-1, 2)
        .T
    )  # (2, words + 1)
    whole = in_torch(model, [tokenizer(text)["input_ids"]])[0]
    with clipped(model, layer, module, rate):
        cut = in_torch(model, [tokenizer(text)["input_ids"]])[0]
    for shares, logits in zip(told, (whole, cut)):
        expected = torch.from_numpy(logits).softmax(-1)[answers].numpy()
        np.testing.assert_allclose(shares[:-1], expected, atol=5e-4)
        np.testing.assert_allclose(shares[-1], 1 - expected.sum(), atol=5e-4)


def test_the_slider_stops_at_each_rate_of_the_paper_and_shows_what_lies_between(
    browser, shipped, tmp_path
):
    model, tokenizer = shipped
    url = static_page(AskClippedModel(model, tokenizer, clip_rate=0.833), tmp_path)
    with opened(browser, url) as page:
        slider = page.get_by_role("slider", name="Clip rate ξ")
        assert slider.get_attribute("aria-valuetext") == "0.833"
        slider.press("Home")
        seen = [float(slider.get_attribute("aria-valuetext"))]
        while seen[-1] < 1:
            page.keyboard.press("ArrowRight")
            seen.append(float(slider.get_attribute("aria-valuetext")))
            assert seen[-1] > seen[-2]
        assert set(CLIP_RATES) <= set(seen) and sum(rate >= 0.9 for rate in seen) >= len(seen) / 2


def test_what_the_widget_shows_is_what_the_model_says(browser, shipped, tmp_path):
    """From the keyboard: another rate, another layer, another query, other demonstrations; and what
    it will not read it refuses in a sentence.
    """
    model, tokenizer = shipped
    with opened(browser, static_page(AskClippedModel(model, tokenizer), tmp_path)) as page:
        agrees = partial(assert_shown, page, model, tokenizer)
        page.get_by_text("More: ").press("Enter")
        page.get_by_text("Edit the demonstrations").press("Enter")
        agrees(model.config.n_layer - 1, "mlp", 0.9)
        slider = page.get_by_role("slider", name="Clip rate ξ")
        slider.focus()
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        agrees(model.config.n_layer - 1, "mlp", 0.95)
        page.get_by_role("combobox", name="Layer").focus()
        page.keyboard.press("Home")
        page.get_by_role("combobox", name="Module").focus()
        page.keyboard.press("ArrowDown")
        agrees(0, "attn", 0.95)
        page.get_by_role("button", name="Another query").focus()
        page.keyboard.press("Enter")
        page.wait_for_timeout(400)
        agrees(0, "attn", 0.95)
        page.get_by_role("combobox", name="Prompt").select_option(index=2)
        page.wait_for_timeout(400)
        assert page.get_by_label("Label words").input_value().split(", ") == [
            "sports",
            "business",
            "science",
            "world",
        ]
        agrees(0, "attn", 0.95)
        page.get_by_label("Demonstrations").fill("")
        page.wait_for_timeout(400)
        agrees(0, "attn", 0.95)
        page.get_by_label("Label words").fill("world, unheardof")
        page.wait_for_function(
            "document.querySelector('.says').textContent.includes('“unheardof” is not one token')"
        )
        page.get_by_label("Query").fill("a b c d " * 80)
        page.wait_for_function(
            "document.querySelector('.says').textContent.includes('the model in this page reads"
            " 256')"
        )
        assert page.faults == []
