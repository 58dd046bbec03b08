"""What a reader made of a widget outlives the page: in its address, as CSV; a reset undoes
it; and nothing jumps when a widget comes.
"""

import csv
import io

import numpy as np
import pytest
import torch
from browsers import opened, press, said, static_page

from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.widgets import GradientStep, RankSlider, SearchStepper

JUMPS = """() => new Promise((resolve) => {
  let total = 0;
  new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => (total += value)))
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => resolve(total), 300);
})"""


@pytest.fixture(scope="module")
def stepper():
    rng = np.random.default_rng(0)
    ability = np.linspace(0.5, 0.7, len(CLIP_RATES))[:, None]
    pool = rng.random((len(CLIP_RATES), 800)) < ability
    return SearchStepper(pool[:, ::2], pool[:, 1::2])


@pytest.fixture(scope="module")
def rank_slider():
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(60, 80, generator=generator)
    return RankSlider(image, torch.randn(24, 20, generator=generator))


def settled(page):
    page.wait_for_timeout(350)  # the address follows a quarter of a second behind the reader


def test_what_was_moved_is_in_the_address_for_a_reload_and_for_whom_it_is_sent_to(
    browser, tmp_path
):
    url = static_page(GradientStep(seed=1), tmp_path)
    with opened(browser, url) as page:
        assert page.url == url
        press(page, "slider", "Learning rate", "ArrowRight")
        press(page, "combobox", "Attention", "ArrowDown")
        settled(page)
        told, address = said(page), page.url
        assert "gradient-step.learning_rate=0.55" in address
        assert "gradient-step.attention=softmax" in address
        page.reload()
        page.wait_for_selector(".says:not(:empty)")
        assert said(page) == told and page.faults == []
    with opened(browser, address) as page:
        assert said(page) == told


def test_one_step_back_undoes_what_was_moved_and_one_forward_redoes_it(browser, stepper, tmp_path):
    with opened(browser, static_page(stepper, tmp_path)) as page:
        first = said(page)
        for button in ("New validation set", "Next rate", "Next rate"):
            press(page, "button", button, "Enter")
            settled(page)
        moved = said(page)
        assert moved != first
        page.go_back()
        assert said(page) == first
        page.go_forward()
        assert said(page) == moved and page.faults == []


def test_a_reset_goes_back_to_the_start_and_clears_the_address(browser, rank_slider, tmp_path):
    url = static_page(rank_slider, tmp_path)
    with opened(browser, url) as page:
        first = said(page)
        press(page, "slider", "Clip rate", "Home")
        settled(page)
        assert said(page) != first and page.url != url
        press(page, "button", "Reset", "Enter")
        settled(page)
        assert said(page) == first and page.url == url


@pytest.mark.parametrize(
    "nonsense",
    ["gradient-step.steps=2000", "gradient-step.attention=%3Cb%3E", "gradient-step.steps=%7B", "x"],
)
def test_an_address_that_no_reader_made_changes_nothing(browser, nonsense, tmp_path):
    url = static_page(GradientStep(), tmp_path)
    with opened(browser, url) as page:
        first = said(page)
    with opened(browser, f"{url}?{nonsense}") as page:
        assert said(page) == first and page.faults == []


def test_the_data_are_copied_as_csv_and_the_link_leads_to_the_widget(browser, tmp_path):
    widget = GradientStep(seed=2)
    rights = {"permissions": ["clipboard-read", "clipboard-write"]}
    with opened(browser, static_page(widget, tmp_path), **rights) as page:
        press(page, "button", "Copy data", "Enter")
        page.wait_for_function("document.activeElement.textContent === 'Data copied as CSV'")
        assert page.locator("[role=status]").inner_text() == "Data copied as CSV"
        rows = list(csv.reader(io.StringIO(page.evaluate("navigator.clipboard.readText()"))))
        assert rows[0] == ["step", "slope", "height"] and len(rows) == 2 + widget.steps
        np.testing.assert_allclose(
            np.array(rows[-1][1:], dtype=float), widget.descent(widget.steps)[0], atol=1e-12
        )
        press(page, "slider", "Steps", "End")
        press(page, "button", "Copy link", "Enter")  # at once: the address is written first
        page.wait_for_function("document.activeElement.textContent === 'Link copied'")
        link = page.evaluate("navigator.clipboard.readText()")
        assert link.endswith("?gradient-step.steps=20#widget-gradient-step")
        assert page.locator("#widget-gradient-step").count() == 1


@pytest.mark.parametrize("width", [760, 390])
@pytest.mark.parametrize("which", ["stepper", "rank_slider", "gradient"])
def test_a_place_is_kept_and_nothing_jumps_when_the_widget_comes(
    browser, which, width, request, tmp_path
):
    widget = GradientStep() if which == "gradient" else request.getfixturevalue(which)
    page = browser.new_page(viewport={"width": width, "height": 2400})
    page.goto(static_page(widget, tmp_path))
    page.wait_for_selector(".svdicl .says:not(:empty)")
    assert page.evaluate(JUMPS) <= 0.02
    high, free = page.evaluate(
        """[document.querySelector('.svdicl').offsetHeight,
            document.querySelector('.widget').offsetHeight]"""
    )
    assert 0.8 * free < high <= free + 30, (high, free)
    page.close()


def test_before_the_script_has_come_the_place_says_so(browser, stepper, tmp_path):
    page = browser.new_page(viewport={"width": 760, "height": 900})
    page.route("**/widgets.js", lambda route: route.abort())
    page.goto(static_page(stepper, tmp_path))
    assert page.get_by_text("A figure to play with is loading …").is_visible()
    assert page.locator(".widget").bounding_box()["height"] == stepper.height[0]
    page.close()


def test_gradient_descent_says_that_it_diverges_exactly_where_it_does(browser, tmp_path):
    widget = GradientStep(seed=0)
    x = np.stack((widget.shown[:, 0], np.ones(widget.n_points)), 1)
    limit = 2 / np.linalg.eigvalsh(x.T @ x / widget.n_points).max()
    with opened(browser, static_page(widget, tmp_path)) as page:
        press(page, "slider", "Steps", "End")
        press(page, "slider", "Learning rate", "Home")
        told = []
        for _ in range(50):
            page.keyboard.press("ArrowRight")
            told.append("The steps diverge" in said(page))
        rates = 0.05 * np.arange(1, 51)
        assert told == (rates > limit).tolist() and 0 < sum(told) < 50
        assert f"2/λ = {limit:.2f}" in said(page) and "−" in said(page)
        assert page.locator("svg text.plain").text_content() == "diverges"
