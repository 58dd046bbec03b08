"""Reading and lean, depth, controls, how sure, hours and memory: moved from the keyboard in a real
browser, with nothing to be fetched; what is told is what the library computes.
"""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from browsers import axe_faults, opened, press, said, static_page
from test_browser import colliding
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from svdicl_lite.clipping.clip import clipped
from svdicl_lite.models.loading import load_model
from svdicl_lite.power import power, smallest_gain_seen
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.gains import split_gain
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.widgets import (
    ControlComparison,
    DepthExplorer,
    HoursAndMemory,
    HowSure,
    ReadingAndLean,
)
from svdicl_lite.widgets.hours_memory import duration

RATES, LAYERS = (0.5, 0.9), (0, 7)


@pytest.fixture(scope="module")
def outcomes():
    """Deep clips move the lean, shallow ones the reading; without a clip one row."""
    rng = np.random.default_rng(0)
    labels, sets = rng.integers(0, 2, 160), np.repeat(np.arange(8), 20)
    base = 2 * labels - 1 + rng.normal(size=160) + rng.normal(size=8)[sets]

    def judged(margins):
        scores = np.stack((np.zeros(160), margins), 1).astype("float32")
        return Evaluation(scores, labels, sets)

    rows = [("mlp", 0, 0.0, judged(base))]
    for module in ("mlp", "attn"):
        for rate in RATES:
            rows.append((module, 0, rate, judged((1 - rate) * base + rate * rng.normal(size=160))))
            rows.append((module, 7, rate, judged(base + 3 * rate)))
    return pd.DataFrame(rows, columns=["module", "layer", "clip_rate", "evaluation"])


@pytest.fixture(scope="module")
def noisy():
    return load_model("icl-gpt2-noisy")


@pytest.fixture(scope="module")
def controls(noisy):
    task = load_task("sentiment", "flipped")
    return ControlComparison(*noisy, task, 3, "mlp", clip_rates=(0, 0.9))


@pytest.fixture(scope="module")
def hours():
    with torch.device("meta"):
        shapes = {"n_layer": 3, "n_embd": 96, "n_head": 4, "vocab_size": 1000}
        small = GPT2LMHeadModel(GPT2Config(**shapes))
        return HoursAndMemory({"small": small, "LLaMA-2-7B": LlamaForCausalLM(LlamaConfig())})


def made(name, request):
    if name == "sure":
        return HowSure()
    if name in ("controls", "hours"):
        return request.getfixturevalue(name)
    kinds = {"reading": ReadingAndLean, "depth": DepthExplorer}
    return kinds[name](request.getfixturevalue("outcomes"))


def numbers(text):
    return [float(found.replace("−", "-")) for found in re.findall(r"[−+]?\d*\.?\d+", text)]


def test_reading_and_lean_tells_what_the_library_tells(browser, outcomes, tmp_path):
    widget = ReadingAndLean(outcomes)
    by_cell = outcomes.set_index(["module", "layer", "clip_rate"])["evaluation"]
    before = by_cell["mlp", 0, 0.0]
    assert widget.start[1:] == (7, 0.9), "not where the lean moves most"

    def agrees(page, after, threshold=0.0):
        table = np.array(page.locator(".svdicl tbody td").all_inner_texts(), dtype=float).reshape(
            -1, 2
        )
        margins = after.scores[:, 1] - after.scores[:, 0]
        accuracy = ((margins > threshold) == after.labels).mean()
        whole = [before.accuracy, before.discrimination, before.predictions.mean()]
        now = [accuracy, after.discrimination, (margins > threshold).mean()]
        np.testing.assert_allclose(table[:3], np.transpose([whole, now]), atol=0.007)
        reading, lean = (part.mean() for part in split_gain(before, after))
        told = numbers(re.search(r"reading is (\S+) and lean (\S+)\. ", said(page))[0])
        np.testing.assert_allclose(told[0], 100 * reading, atol=0.7)
        if threshold == 0:
            np.testing.assert_allclose(told[1], 100 * lean, atol=0.7)

    with opened(browser, static_page(widget, tmp_path)) as page:
        agrees(page, by_cell[widget.start])
        press(page, "slider", "Threshold", *["ArrowRight"] * 10)
        agrees(page, by_cell[widget.start], 1.0)
        press(page, "button", "Reset", "Enter")
        press(page, "combobox", "Layer", "Home")
        press(page, "slider", "Clip rate", "Home")
        agrees(page, before)
        page.keyboard.press("ArrowRight")
        agrees(page, by_cell[widget.module, 0, 0.5])
        assert page.faults == []


def test_the_depth_explorer_shows_both_changes_of_every_cell(browser, outcomes, tmp_path):
    widget = DepthExplorer(outcomes)
    by_cell = outcomes.set_index(["module", "layer", "clip_rate"])["evaluation"]
    before = by_cell["mlp", 0, 0.0]
    with opened(browser, static_page(widget, tmp_path)) as page:
        page.get_by_role("combobox", name="Module").select_option("ATTN")
        for number, kind in enumerate(("accuracy", "discrimination")):
            shown = page.locator(".map").nth(number).locator("td span").all_inner_texts()
            changes = [
                100 * (getattr(by_cell["attn", layer, rate], kind) - getattr(before, kind))
                for layer in LAYERS
                for rate in RATES
            ]
            told = np.array([numbers(text)[0] for text in shown]).reshape(2, 3)
            assert (told[:, 0] == 0).all()
            np.testing.assert_allclose(told[:, 1:].ravel(), changes, atol=0.51)
        page.get_by_role("combobox", name="Layer").select_option("7")
        page.get_by_role("combobox", name="Clip rate").select_option("0.9")
        page.locator(".map").first.locator("input:checked").focus()
        page.keyboard.press("ArrowUp")
        assert said(page).startswith("ATTN of layer 7 at ξ = 0.5:")
        cell = by_cell["attn", 7, 0.5]
        low, high = cell.accuracy_over_sets
        assert f"accuracy {cell.accuracy:.3f} [{low:.3f}, {high:.3f}]" in said(page)
        assert f"discrimination {cell.discrimination:.3f}" in said(page) and page.faults == []


def test_how_sure_plans_as_the_library_does(browser, tmp_path):
    widget = HowSure()

    def agrees(page):
        plan = widget.n, widget.sets, widget.changed, widget.spread
        chance = power(widget.gain, *plan)
        after_holm = power(widget.gain, *plan, confidence=1 - 0.05 / widget.comparisons)
        told = [numbers(text)[0] for text in page.locator(".svdicl tbody td").all_inner_texts()]
        np.testing.assert_allclose(told[0], 100 * chance, atol=0.6)
        np.testing.assert_allclose(told[1], 100 * smallest_gain_seen(*plan), atol=0.06)
        if widget.comparisons > 1:
            np.testing.assert_allclose(told[2], 100 * after_holm, atol=0.6)

    with opened(browser, static_page(widget, tmp_path)) as page:
        agrees(page)
        press(page, "slider", "Examples", "ArrowRight", "ArrowRight")
        press(page, "slider", "Sets", *["ArrowRight"] * 8)
        press(page, "slider", "Changed", "ArrowRight", "ArrowRight")
        widget.n, widget.sets, widget.changed = 600, 16, 0.3
        agrees(page)
        press(page, "slider", "Sets", "Home", "ArrowRight")  # two: Holm's line is far out
        told = [numbers(text)[:1] for text in page.locator(".svdicl tbody td").all_inner_texts()]
        few = power(widget.gain, 600, 2, 0.3, widget.spread, confidence=1 - 0.05 / 11)
        np.testing.assert_allclose(told[2], 100 * few, atol=0.6)
        page.wait_for_timeout(500)  # what is said aloud comes behind the picture
        # (of the widget alone: the picture that stands in for it is base64, where "NaN" may stand
        # as any three letters may, and does, if a test before this one has called plots.style)
        shown = page.locator(".svdicl").inner_html()
        assert re.findall(".{80}NaN.{20}", shown) == []
        assert page.locator("[stroke-dasharray='2 3']").count() == 0
        press(page, "slider", "Sets", "Home")  # one set: every example counts
        press(page, "slider", "Comparisons", "Home")
        widget.sets, widget.comparisons = 1, 1
        agrees(page)
        press(page, "slider", "Gain", "End")
        press(page, "slider", "Changed", "Home")
        assert "needs at least 20 % of the answers to change" in said(page)
        assert page.faults == []


def test_the_controls_stand_beside_the_clip_on_fifty_prompts_or_one(
    browser, controls, noisy, tmp_path
):
    evaluator = ICLEvaluator(*noisy, load_task("sentiment", "flipped"), "test", 50, 8, (0,))
    before = evaluator()
    with clipped(noisy[0], 3, "mlp", 0.9):
        after = evaluator()
    with opened(browser, static_page(controls, tmp_path)) as page:
        press(page, "slider", "Clip rate", "End")
        expected = [before.correct.sum(), after.correct.sum(), before.calibrated.correct.sum()]
        right = [int(text) for text in page.locator("[data-of=right]").all_inner_texts()]
        assert [right[0], right[1], right[-1]] == expected and len(right) == 8
        told = [float(text) for text in page.locator("[data-of=told]").all_inner_texts()]
        np.testing.assert_allclose(told[1], after.discrimination, atol=0.006)
        assert page.locator("[data-lead]").count() == 8 * 50
        press(page, "combobox", "Prompts", "ArrowDown")
        answer = "right" if before.correct[0] else "wrong"
        assert f"no clip {answer}" in said(page) and page.locator("[data-lead]").count() == 8
        press(page, "combobox", "Calibrate by", "ArrowDown")
        assert "calibrated on this one undecided" in said(page) and page.faults == []


def test_hours_and_memory_follow_the_formulas_of_the_chapter(browser, hours, tmp_path):
    def agrees(page, name, **changes):
        costs = hours.costs(name, **changes)
        says = page.locator(".says")
        assert float(says.get_attribute("data-hours")) == pytest.approx(costs["hours"])
        plain = costs["hours, every prompt at every rate"]
        assert float(says.get_attribute("data-plain")) == pytest.approx(plain)
        sizes = page.eval_on_selector_all("[data-part]", "rows => rows.map(r => +r.dataset.value)")
        assert f"take {duration(costs['hours'])} and" in said(page)
        assert sizes[-1] == pytest.approx(costs["GB"]) == pytest.approx(sum(sizes[:-1]))

    with opened(browser, static_page(hours, tmp_path)) as page:
        agrees(page, "LLaMA-2-7B")
        press(page, "slider", "Demonstrations", "ArrowRight")
        press(page, "slider", "Layers above", *["ArrowRight"] * 5)
        press(page, "slider", "Clip rates", "Home")
        agrees(page, "LLaMA-2-7B", shots=9, above=6, n_rates=1)
        press(page, "combobox", "Model", "Home")
        assert "(it has 3 layers)" in said(page)
        agrees(page, "small", shots=9, above=6, n_rates=1)
        assert page.faults == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["reading", "depth", "sure", "controls", "hours"])
def test_nobody_is_shut_out_and_all_fits_on_a_phone(browser, name, theme, request, tmp_path):
    widget = made(name, request)
    assert len(widget.alt()) > 80 and len(widget.table())
    bits = sum(len(v) for v in widget.get_state().values() if isinstance(v, bytes))
    assert 4 / 3 * bits < 300_000
    url = static_page(widget, tmp_path)
    with opened(browser, url, width=390, theme=theme, reduced_motion="reduce") as page:
        assert axe_faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.locator("[role=status]").count() == 1
        small = page.eval_on_selector_all(
            ".chart text",
            "texts => texts.map(t => t.getBoundingClientRect().height).filter(h => h && h < 10)",
        )
        assert small == [] and colliding(page) == []


def test_tables_that_no_widget_can_show_are_refused(outcomes):
    with pytest.raises(ValueError, match="no row of clip_rate 0"):
        DepthExplorer(outcomes[outcomes["clip_rate"] > 0])
    with pytest.raises(ValueError, match="every layer needs every rate"):
        ReadingAndLean(outcomes.drop(index=3))
    three = outcomes.copy()
    one = three["evaluation"].iloc[2]
    three.loc[2, "evaluation"] = Evaluation(np.zeros((160, 3)), one.labels)
    with pytest.raises(ValueError, match="has 3 classes"):
        ReadingAndLean(three)
