"""The clip explorer in a real browser without a kernel."""

import pytest
import widget_cases
from browsers import opened, static_page, values
from widget_cases import press

from svdicl_lite.search.sweeps import sweep
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.widgets import ClipExplorer

# Fixtures: pytest looks for their names here.
explorer = widget_cases.explorer
runs = widget_cases.runs


def test_the_clip_explorer_tells_accuracy_and_which_answers_turned(
    browser, explorer, runs, tmp_path
):
    table = runs["flipped", 2][1].set_index(["module", "layer", "clip_rate"])["evaluation"]
    with opened(browser, static_page(explorer, tmp_path)) as page:
        page.get_by_label("Label words").select_option("flipped")
        page.get_by_label("Module").select_option("ATTN")
        page.get_by_label("Second layer").select_option("1")
        press(page, "input[type=range]", "Home", "ArrowRight", "ArrowRight")
        before = table["attn", 0, 0.0]
        points = values(page, "circle")
        for side, layer in enumerate((0, 1)):
            after = table["attn", layer, 0.9]
            right, wrong = (
                (~before.correct & after.correct).sum(),
                (before.correct & ~after.correct).sum(),
            )
            turned = (before.predictions != after.predictions).sum()
            assert turned > 3, "nothing turned, so nothing is tested"
            text = page.locator(".side").nth(side).inner_text()
            assert (
                f"Accuracy {after.accuracy:.3f} [{after.interval.low:.3f},"
                f" {after.interval.high:.3f}], n = 40." in text
            )
            assert f"{turned} answers turned: {right} became right, {wrong} wrong." in text
            curve = [y for _, y in points[3 * side : 3 * side + 3]]
            assert curve == pytest.approx(
                [table["attn", layer, rate].accuracy for rate in (0, 0.5, 0.9)], abs=1e-3
            )
        assert page.faults == []


def test_a_turned_answer_is_shown_with_the_prompt_that_the_model_read(
    browser, explorer, runs, tokenizer, tmp_path
):
    evaluator, table = runs["canonical", 2]
    outcome = table.set_index(["module", "layer", "clip_rate"])["evaluation"]
    whole = [
        text for prompts in evaluator.groups for text in tokenizer.batch_decode(prompts.contexts)
    ]
    before, after = outcome["mlp", 0, 0.0], outcome["mlp", 0, 0.9]
    words = load_task("topic").words()
    with opened(browser, static_page(explorer, tmp_path)) as page:
        details = page.locator(".side").first.locator("details")
        assert details.count()
        for one in details.all():
            one.locator("summary").press("Enter")
            index = whole.index(one.locator("pre").inner_text())
            verdict = "now right" if after.correct[index] else "now wrong"
            if not before.correct[index] and not after.correct[index]:
                verdict = "wrong still"
            assert (
                f"{verdict}: {words[before.predictions[index]]} → {words[after.predictions[index]]}"
                in one.locator("summary").inner_text()
            )
            assert before.predictions[index] != after.predictions[index]


def test_every_turned_answer_can_be_browsed_and_by_kind(browser, explorer, runs, tmp_path):
    table = runs["flipped", 2][1].set_index(["module", "layer", "clip_rate"])["evaluation"]
    before = table["mlp", 0, 0.0]
    cells = [(module, layer) for module in ("mlp", "attn") for layer in range(3)]
    n_turned = lambda cell: (table[(*cell, 0.9)].predictions != before.predictions).sum()
    module, layer = max(cells, key=n_turned)
    turned = table[module, layer, 0.9].predictions != before.predictions
    with opened(browser, static_page(explorer, tmp_path)) as page:
        page.get_by_label("Label words").select_option("flipped")
        page.get_by_label("Module").select_option(module.upper())
        page.get_by_label("First layer").select_option(str(layer))
        side = page.locator(".side").first
        for kind, n in (("all", turned.sum()), ("wrong", (before.correct & turned).sum())):
            side.get_by_label("Turned answers listed").select_option(kind)
            seen, on = side.locator("summary").all_inner_texts(), side.get_by_text("Next")
            while on.is_enabled():
                on.press("Enter")
                seen += side.locator("summary").all_inner_texts()
            assert len(seen) == n and f"{n} of {n}" in side.inner_text()
            assert kind == "all" or all(text.startswith("now wrong") for text in seen)
        assert turned.sum() > 8, "one page holds all, so nothing is browsed"
        assert page.faults == []


def test_an_explorer_needs_a_run_for_every_combination_and_one_set_of_cells(
    runs, tokenizer, pristine_model
):
    lacking = {**runs, ("flipped", 8): runs["flipped", 2]}
    with pytest.raises(
        ValueError, match="3 runs are given, but the fields label words, shots make 4 combinations"
    ):
        ClipExplorer(lacking, ("label words", "shots"), tokenizer)
    evaluator = runs["flipped", 2][0]
    other = {
        **runs,
        ("flipped", 2): (evaluator, sweep(pristine_model, evaluator, clip_rates=(0, 0.9))),
    }
    with pytest.raises(ValueError, match="other cells"):
        ClipExplorer(other, ("label words", "shots"), tokenizer)
