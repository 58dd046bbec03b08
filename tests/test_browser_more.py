"""Search stepper, gradient step and bound explorer, moved from the keyboard in a real browser: what
is drawn is what the data say.
"""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from browsers import axe_faults, opened, said, static_page

from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.stats import wilson_interval
from svdicl_lite.widgets import BoundExplorer, GradientStep, SearchStepper
from svdicl_lite.widgets.search_stepper import first_of


@pytest.fixture(scope="module")
def stepper():
    rng = np.random.default_rng(0)
    ability = np.linspace(0.5, 0.6, len(CLIP_RATES))[:, None]
    pool = (rng.random(901) < ability) ^ (
        rng.random((len(CLIP_RATES), 901)) < 0.1
    )  # neither half a multiple of eight
    return SearchStepper(pool[:, ::2], pool[:, 1::2])


@pytest.fixture(scope="module")
def explorer():
    rng, rates, terms, outcomes = np.random.default_rng(0), (0.0, 0.5, 0.9), [], []
    for cut in product(rates, repeat=3):
        nats = rng.uniform(5, 50, 3)
        terms += [
            {"rates": cut, "layer": layer, "update": rng.random(), "information": nats[layer]}
            for layer in range(3)
        ]
        right = int(rng.integers(200, 400))
        outcomes.append(
            {
                "rates": cut,
                "bound": float(np.sqrt(nats.sum() / 800)),
                "accuracy": right / 400,
                **dict(zip(("low", "high"), wilson_interval(right, 400))),
                "n": 400,
            }
        )
    return BoundExplorer(pd.DataFrame(terms), pd.DataFrame(outcomes))


def press(page, role, name, key="Enter", times=1):
    """Puts the focus on a control and presses a key there."""
    page.get_by_role(role, name=name).focus()
    for _ in range(times):
        page.keyboard.press(key)


def test_the_stepper_goes_rate_by_rate_and_opens_the_held_out_set_last(browser, stepper, tmp_path):
    accuracy, winner, promised, kept = stepper.drawn(1, 50)
    with opened(browser, static_page(stepper, tmp_path)) as page:
        assert f"chooses ξ = {CLIP_RATES[winner]:g}" in said(page)  # one press before the end
        press(page, "button", "From the first rate")
        assert "no rate tried yet" in said(page)
        for tried in range(1, len(CLIP_RATES) + 1):
            press(page, "button", "Next rate")
            shown = page.eval_on_selector_all(
                "[data-mark=validation]", "marks => marks.map(mark => Number(mark.dataset.value))"
            )
            np.testing.assert_allclose(shown, accuracy[:tried])
            best = int(accuracy[:tried].argmax())
            ring = page.locator(".plot .ring").get_attribute("cx")
            assert ring == page.locator("[data-mark=validation]").nth(best).get_attribute("cx")
            assert not page.locator("[data-mark=after]").count()
        assert f"chooses ξ = {CLIP_RATES[winner]:g}" in said(page)
        press(page, "button", "Open the held-out set")
        after = float(page.locator("[data-mark=after]").get_attribute("data-value"))
        before = float(page.locator("[data-mark=before]").get_attribute("data-value"))
        np.testing.assert_allclose(
            [before, after], [stepper.held_out[0].mean(), stepper.held_out[winner].mean()]
        )
        points = [
            f"{'−' if round(gain, 3) < 0 else '+'}{abs(100 * gain):.1f} points"
            for gain in (promised, kept, promised - kept)
        ]
        assert [f"Promised {points[0]}", f"optimism {points[2]}"] == [
            text
            for text in (f"Promised {points[0]}", f"optimism {points[2]}")
            if text in said(page)
        ]
        assert page.faults == []


def test_new_validation_sets_move_the_winner_as_the_same_draws_do_in_python(
    browser, stepper, tmp_path
):
    with opened(browser, static_page(stepper, tmp_path)) as page:
        press(page, "combobox", "Validation examples", "Home")
        press(page, "button", "To the end")
        press(page, "button", "Search 100 new sets")
        draws = [stepper.drawn(k, 20) for k in range(1, 102)]
        won = np.bincount([winner for _, winner, *_ in draws], minlength=len(CLIP_RATES))
        shown = page.eval_on_selector_all(
            "tr[data-rate] td:last-child", "cells => cells.map(cell => Number(cell.textContent))"
        )
        assert shown == won.tolist() and (won > 0).sum() > 2
        optimism = 100 * np.mean([promised - kept for *_, promised, kept in draws])
        assert f"mean optimism +{optimism:.1f} points" in said(page)
        press(page, "button", "New validation set")
        assert said(page).startswith("Validation set 102: 20 examples")


def test_a_draw_is_a_fair_sample_without_repeats():
    counts = np.zeros(60)
    for seed in range(3000):
        picked = first_of(seed, 60, 20)
        assert len(set(picked)) == 20
        counts[picked] += 1
    assert abs(counts - 1000).max() < 5 * np.sqrt(1000 * 2 / 3)  # binomial(3000, 1/3)
    assert sorted(first_of(1, 60, 60)) == list(range(60))


def test_linear_attention_and_descent_coincide_in_the_page_until_one_breaks_it(browser, tmp_path):
    widget = GradientStep(seed=3)
    queries = np.linspace(-2, 2, 41)

    def agrees(page):
        """What is drawn is what Python computes; returns how far attention is from the line."""
        (slope, height), _ = widget.descent(widget.steps)
        attended = widget.attended(queries, widget.steps)
        crosses = page.eval_on_selector_all(
            "[data-y]", "marks => marks.map(mark => Number(mark.dataset.y))"
        )
        np.testing.assert_allclose(crosses, attended[::2], atol=1e-9)
        assert float(page.locator(".says").get_attribute("data-slope")) == pytest.approx(slope)
        apart = float(page.locator(".says").get_attribute("data-apart"))
        assert apart == pytest.approx(np.abs(attended - slope * queries - height).max(), abs=1e-9)
        assert ("the same, but for rounding" in said(page)) == (apart < 1e-9)
        return apart

    with opened(browser, static_page(widget, tmp_path)) as page:
        assert agrees(page) < 1e-12
        press(page, "slider", "Learning rate", "ArrowRight", 4)
        press(page, "slider", "Steps", "ArrowRight", 3)
        press(page, "slider", "Points", "ArrowLeft", 2)
        press(page, "button", "Other points")
        widget.learning_rate, widget.steps, widget.n_points, widget.points = 0.7, 6, 6, 1
        assert agrees(page) < 1e-12
        press(page, "combobox", "η divided by", "ArrowDown", 2)
        widget.divisor = "N+1"
        assert agrees(page) > 1e-3
        press(page, "combobox", "η divided by", "Home")
        press(page, "combobox", "Attention", "ArrowDown")
        widget.divisor, widget.attention = "N", "softmax"
        assert agrees(page) > 0.01
        assert page.faults == []


def test_the_bound_explorer_shows_the_terms_of_the_rates_chosen(browser, explorer, tmp_path):
    def agrees(page, cut):
        bars = page.eval_on_selector_all(
            "rect.filled", "bars => bars.map(bar => Number(bar.dataset.value))"
        )
        nats = [explorer.by_place.loc[(cut, layer), "information"] for layer in range(3)]
        np.testing.assert_allclose(bars, nats, rtol=1e-6)
        outcome = explorer.by_rates.loc[[cut]].iloc[0]
        told = outcome.astype("float32").astype(float)  # as the page holds it
        assert (
            f"accuracy {told['accuracy']:.3f} [{told['low']:.3f}, {told['high']:.3f}], n = 400"
            in said(page)
        )
        assert f"bound {outcome['bound']:.3f}" in said(page)

    with opened(browser, static_page(explorer, tmp_path)) as page:
        agrees(page, explorer.telling)
        assert sum(rate > 0 for rate in explorer.telling) == 1  # what shows something, not nothing
        press(page, "button", "No clip")
        agrees(page, (0.0, 0.0, 0.0))
        press(page, "slider", "layer 0", "End")
        agrees(page, (0.9, 0.0, 0.0))
        press(page, "slider", "layer 2", "ArrowRight")
        agrees(page, (0.9, 0.0, 0.5))
        press(page, "button", "No clip")
        agrees(page, (0.0, 0.0, 0.0))
        assert page.faults == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("which", ["stepper", "explorer", "gradient"])
def test_nobody_is_shut_out_and_nothing_overflows_on_a_phone(
    browser, which, theme, request, tmp_path
):
    widget = GradientStep() if which == "gradient" else request.getfixturevalue(which)
    with opened(
        browser, static_page(widget, tmp_path), width=390, theme=theme, reduced_motion="reduce"
    ) as page:
        for details in page.locator("details").all():
            details.evaluate("node => { node.open = true; }")
        assert axe_faults(page) == []
        assert (
            page.evaluate(
                "document.querySelector('.svdicl').scrollWidth -"
                " document.querySelector('.svdicl').clientWidth"
            )
            <= 0
        )
        assert page.locator("[role=status]").count() == 1


def test_the_data_of_each_widget_are_at_most_300_kb(stepper, explorer):
    for widget in (stepper, explorer, GradientStep()):
        traits = {
            name: widget.get_state()[name]
            for name in widget.get_state()
            if name not in ("_esm", "_css")
        }
        assert len(repr(traits)) < 300_000


def test_what_cannot_be_drawn_is_refused_in_a_sentence(explorer):
    outcomes = np.ones((8, 100), dtype=bool)
    with pytest.raises(ValueError, match=r"held_out has shape \(7, 100\), but must be \(8, N\)"):
        SearchStepper(outcomes, outcomes[:7])
    with pytest.raises(ValueError, match="size is 200"):
        SearchStepper(outcomes, outcomes, size=200)
    with pytest.raises(ValueError, match="the first candidate rate must be 0"):
        SearchStepper(outcomes[:2], outcomes[:2], clip_rates=(0.1, 0.5), size=20)
    terms = explorer.by_place.reset_index()
    with pytest.raises(ValueError, match=r"the rates \(0.0, 0.0, 0.0\) lack"):
        BoundExplorer(terms, explorer.by_rates.reset_index().iloc[1:])
