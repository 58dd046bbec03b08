"""The widgets in a real browser without a kernel: what is drawn is what the data say, and the
keyboard is enough.
"""

import base64
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
import widget_cases
from browsers import axe_faults, opened, static_page, values
from bs4 import BeautifulSoup
from ipywidgets.embed import dependency_state, embed_data
from PIL import Image
from widget_cases import press

from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.svd import SVD, condition_number, energy, rank_at, singular_values
from svdicl_lite.widgets import RankSlider, SpectrumBrowser
from svdicl_lite.widgets.base import script
from svdicl_lite.widgets.rank_slider import shrunk

# Fixtures: pytest looks for their names here.
explorer = widget_cases.explorer
runs = widget_cases.runs


@pytest.fixture(scope="module")
def picture():
    """A grey ramp with noise: every rank changes it."""
    generator = torch.Generator().manual_seed(0)
    ramp = torch.linspace(0.2, 0.8, 40).outer(torch.ones(30))
    return (ramp + 0.1 * torch.randn(40, 30, generator=generator)).clamp(0, 1).double()


@pytest.fixture(scope="module")
def rank_slider(picture):
    return RankSlider(picture, torch.randn(24, 20, generator=torch.Generator().manual_seed(1)))


@pytest.fixture(scope="module")
def spectrum_browser(pristine_model):
    return SpectrumBrowser({"tiny": pristine_model})


def pixels(page, number):
    """The grey levels or colours (height, width, 4) of a canvas."""
    data, width, height = (
        page.locator("canvas")
        .nth(number)
        .evaluate(
            "c => [[...c.getContext('2d').getImageData(0, 0, c.width, c.height).data], c.width,"
            " c.height]"
        )
    )
    return np.array(data).reshape(height, width, 4)


def test_a_script_is_one_module_that_imports_nothing():
    code = script("rank_slider")
    assert "import " not in re.sub(r"//.*", "", code) and code.count("export ") == 1
    assert code.count("function chart(") == 1


def test_the_rank_slider_rebuilds_both_matrices_at_the_rank_that_the_keyboard_chose(
    browser, rank_slider, picture, tmp_path
):
    with opened(browser, static_page(rank_slider, tmp_path)) as page:
        for keys, rate in ((["Home"], 0.0), (["PageUp"], None), (["End", "ArrowLeft"], 0.995)):
            press(page, "input[type=range]", *keys)
            rate = float(page.locator("output").inner_text()) if rate is None else rate
            assert float(page.locator("output").inner_text()) == rate
            for number, svd in enumerate(rank_slider.factors.values()):
                rank = rank_at(len(svd.S), rate)
                error = (1 - energy(svd.S)[rank - 1]).clamp(min=0).sqrt().item()
                caption = page.locator("figcaption").nth(number).inner_text()
                assert f"rank {rank} of {len(svd.S)}" in caption
                assert abs(float(re.search(r"error ([\d.]+)\s%", caption)[1]) - 100 * error) < 0.06
                x, y = values(page, "circle")[number]
                assert abs(x - (1 - rank / len(svd.S))) < 1e-3 and abs(y - error) < 2e-3
            rank = rank_at(30, rate)
            drawn = pixels(page, 0)[..., 0]
            assert (
                np.abs(
                    drawn - 255 * SVD.of(shrunk(picture)).truncate(rank).clamp(0, 1).numpy()
                ).max()
                <= 1.5
            )
        page.wait_for_timeout(600)
        assert "ξ = 0.995" in page.locator("[role=status]").inner_text()
        assert page.faults == []


def test_an_image_is_shrunk_to_means_and_a_matrix_too_large_for_a_page_is_refused():
    image = torch.arange(512 * 256.0).reshape(512, 256) / (512 * 256)
    small = shrunk(image)
    assert small.shape == (128, 64)
    assert torch.allclose(small[0, 0], image[:4, :4].double().mean())
    with pytest.raises(ValueError, match=r"W \(400, 400\) hold .* take a part"):
        RankSlider(image, torch.ones(400, 400))


def test_the_spectrum_browser_shows_the_matrix_that_is_chosen_in_the_heat_map_or_in_the_lists(
    browser, spectrum_browser, pristine_model, tmp_path
):
    with opened(browser, static_page(spectrum_browser, tmp_path)) as page:
        press(
            page, "input[type=radio]:checked", "ArrowRight", "ArrowRight"
        )  # from q to v of the last layer
        press(page, "input[type=range]", "Home", *["PageUp"] * 5)
        rate = float(page.locator("output").inner_text())
        assert rate > 0.3
        S = singular_values(matrices(pristine_model, 2, "v")[0].weight)
        rank = rank_at(len(S), rate)
        said = page.locator(".says").inner_text()
        assert "v of layer 2 (32 × 32)" in said
        assert f"rank {rank} of 32 keeps {100 * energy(S)[rank - 1]:.1f}\u00a0%" in said
        assert (
            f"{condition_number(S):.0f}" in said
            or f"{condition_number(S):.1e}".replace("e+0", "e") in said
        )
        x, y = page.eval_on_selector("circle", "c => [c.getAttribute('cx'), c.getAttribute('cy')]")
        ticks = page.eval_on_selector_all(
            "text[data-tick=y]",
            "ts => ts.map(t => [Number(t.getAttribute('y')) - 4,"
            " Math.log10(Number(t.dataset.value))])",
        )
        (p, v), (q, w) = ticks[0], ticks[-1]  # logarithmic axis
        assert abs(v + (float(y) - p) / (q - p) * (w - v) - np.log10(S[rank - 1].item())) < 1e-3
        assert abs(values(page, "circle")[0][0] - rank) < 0.05
        page.get_by_label("Layer", exact=True).select_option("0")
        page.get_by_label("Matrix", exact=True).select_option("fc_in")
        assert "fc_in of layer 0 (128 × 32)" in page.locator(".says").inner_text()
        assert (
            page.locator("input[type=radio]:checked")
            .get_attribute("aria-label")
            .startswith("layer 0, fc_in")
        )
        assert page.faults == []


def test_a_singular_matrix_has_an_infinite_condition_number_in_the_page_too(
    browser, model, tmp_path
):
    matrices(model, 2, "q")[0].write(torch.ones(32, 32))
    with opened(browser, static_page(SpectrumBrowser({"singular": model}), tmp_path)) as page:
        assert "condition number ∞" in page.locator(".says").inner_text() and page.faults == []


def assert_small_with_a_stand_in(widget):
    """A picture and a table stand in for it where no script runs."""
    data = widget._repr_mimebundle_()[0]
    assert (
        data["text/html"].count("<img ") == data["text/html"].count('alt="') == 1
        and len(widget.alt()) > 80
    )
    assert isinstance(widget.table(), pd.DataFrame) and len(
        BeautifulSoup(data["text/html"], "html.parser").select("tbody tr")
    ) == len(widget.table())
    assert (
        Image.open(
            io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", data["text/html"])[1]))
        ).size[0]
        > 400
    )
    assert (
        len(
            json.dumps(
                embed_data(views=[widget], state=dependency_state([widget], drop_defaults=False))[
                    "manager_state"
                ]
            )
        )
        < 300_000
    )


@pytest.mark.parametrize("name", ["rank_slider", "spectrum_browser", "explorer"])
def test_a_widget_has_a_stand_in_and_is_small_enough_and_open_to_all(
    browser, name, request, tmp_path
):
    widget = request.getfixturevalue(name)
    assert_small_with_a_stand_in(widget)
    page_url = static_page(widget, tmp_path)
    with opened(browser, page_url, width=390, reduced_motion="reduce") as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert axe_faults(page) == []
        page.evaluate(
            "document.documentElement.dataset.theme = 'dark'; document.body.style = 'background:"
            " #121212; color: #ced6dd; --pst-color-text-base: #ced6dd'"
        )
        assert axe_faults(page) == []
        controls = page.locator(".svdicl :is(input, select, button, textarea)").all()
        assert controls and all(
            control.evaluate(
                "c => (c.labels.length || c.ariaLabel || c.innerText) && c.tabIndex === 0"
            )
            for control in controls
        )
        controls[-1].focus()
        page.keyboard.press("Shift")
        assert (
            page.evaluate(
                "getComputedStyle(document.activeElement.closest('label') ??"
                " document.activeElement).outlineWidth"
            )
            == "3px"
        )
        names = page.evaluate("Object.keys(window).filter(n => /svdicl|widget|model/i.test(n))")
        assert names == ["svdiclPart"]  # what the parts of a model call


def test_markup_in_a_trait_cannot_reach_the_page(browser, pristine_model, tmp_path):
    name = "<!-- <script>alert(1)</script> <img src=x onerror=alert(2)>"
    with opened(browser, static_page(SpectrumBrowser({name: pristine_model}), tmp_path)) as page:
        assert name in page.locator(".says").inner_text() and page.faults == []
        assert page.locator("img[src=x]").count() == 0
