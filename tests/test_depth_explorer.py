"""The depth explorer with several tasks, each with rates and classes of its own."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from browsers import axe_faults, opened, press, said, static_page

from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.widgets import DepthExplorer

RATES = {"movies": (0.1, 0.5, 0.9), "domain": (0.5, 0.9)}
CLASSES, N = {"movies": 2, "domain": 4}, {"movies": 160, "domain": 80}


@pytest.fixture(scope="module")
def outcomes():
    rng, rows = np.random.default_rng(0), []
    for task, rates in RATES.items():
        n, n_classes = N[task], CLASSES[task]
        labels, sets = rng.integers(0, n_classes, n), np.repeat(np.arange(8), n // 8)
        right = 2 * np.eye(n_classes)[labels]
        places = [
            ("mlp", 0, 0.0),
            *((m, x, r) for m in ("mlp", "attn") for x in (0, 7) for r in rates),
        ]
        for place in places:
            scores = (right + rng.normal(size=right.shape)).astype("float32")
            rows.append((task, *place, Evaluation(scores, labels, sets)))
    return pd.DataFrame(rows, columns=["task", "module", "layer", "clip_rate", "evaluation"])


@pytest.fixture(scope="module")
def widget(outcomes):
    return DepthExplorer(outcomes)


@pytest.fixture(scope="module")
def cell_of(outcomes):
    return outcomes.set_index(["task", "module", "layer", "clip_rate"])["evaluation"]


def rates_offered(page):
    heads = page.locator(".map").first.locator("thead th:visible").all_inner_texts()[1:]
    listed = page.get_by_role("combobox", name="Clip rate").locator("option:enabled")
    assert [float(head) for head in heads] == [float(one) for one in listed.all_inner_texts()]
    return [float(head) for head in heads]


def told_of(outcome, n):
    low, high = outcome.accuracy_over_sets
    assert outcome.n == n
    return (
        f"accuracy {outcome.accuracy:.3f} [{low:.3f}, {high:.3f}]",
        f"discrimination {outcome.discrimination:.3f}",
        f"n = {n}, ",
    )


def test_each_task_is_shown_with_its_own_rates_and_numbers(browser, widget, cell_of, tmp_path):
    with opened(browser, static_page(widget, tmp_path)) as page:
        assert rates_offered(page) == [0, *RATES["movies"]] and " on movies: " in said(page)
        press(page, "combobox", "Clip rate", "Home", "ArrowDown")
        assert "at ξ = 0.1 on movies: " in said(page)
        press(page, "combobox", "Task", "ArrowDown")
        assert rates_offered(page) == [0, *RATES["domain"]]
        assert said(page).startswith("No clip on domain: "), "0 is nearer to 0.1 than 0.5 is"
        press(page, "combobox", "Module", "Home")
        press(page, "combobox", "Layer", "End")
        press(page, "combobox", "Clip rate", "End")
        assert said(page).startswith("MLP of layer 7 at ξ = 0.9 on domain: ")
        for told in told_of(cell_of["domain", "mlp", 7, 0.9], N["domain"]):
            assert told in said(page)
        page.locator(".map").first.locator("input:checked").focus()
        page.keyboard.press("ArrowUp")
        assert " at ξ = 0.5 on domain: " in said(page)
        page.keyboard.press("ArrowUp")  # over the rate that domain lacks
        assert said(page).startswith("No clip on domain: ") and page.faults == []


def test_the_task_is_in_the_address_and_a_rate_that_it_lacks_is_replaced(browser, widget, tmp_path):
    url = static_page(widget, tmp_path)
    at = "?depth-explorer.task=domain&depth-explorer.module=attn&depth-explorer.layer=0"
    with opened(browser, f"{url}{at}&depth-explorer.rate=1") as page:  # 0.1
        assert said(page).startswith("No clip on domain: ")
        press(page, "combobox", "Clip rate", "End")
        page.wait_for_timeout(350)  # the address follows a quarter of a second behind
        told, address = said(page), page.url
        assert told.startswith("ATTN of layer 0 at ξ = 0.9 on domain: ")
        press(page, "button", "Reset", "Enter")
        assert " on movies: " in said(page)
    with opened(browser, address) as page:
        assert said(page) == told
    with opened(browser, f"{url}?depth-explorer.task=tweets") as page:
        assert " on movies: " in said(page) and page.faults == []


def test_what_is_copied_are_the_cells_of_the_task(browser, widget, cell_of, tmp_path):
    rights = {"permissions": ["clipboard-read", "clipboard-write"]}
    with opened(browser, static_page(widget, tmp_path), width=390, **rights) as page:
        press(page, "combobox", "Task", "End")
        press(page, "button", "Copy data", "Enter")
        page.wait_for_function("document.activeElement.textContent === 'Data copied as CSV'")
        names, *rows = csv.reader(io.StringIO(page.evaluate("navigator.clipboard.readText()")))
        assert axe_faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert names[:5] == ["task", "module", "layer", "clip_rate", "accuracy"]
    assert names[-2:] == ["n", "sets"] and len(rows) == 2 * 2 * 3
    for task, module, layer, rate, accuracy, *rest in rows:
        if float(rate):
            outcome = cell_of[task, module, int(layer), float(rate)]
            assert float(accuracy) == pytest.approx(outcome.accuracy, abs=1e-4)
        assert task == "domain" and rest[-2:] == ["80", "8"]


def test_the_table_and_the_picture_hold_every_task(widget, cell_of):
    table = widget.table()
    assert list(table) == ["task", "module", "layer", "0", "0.1", "0.5", "0.9"]
    assert list(dict.fromkeys(table["task"])) == ["movies", "domain"] and len(table) == 8
    assert (table.query("task == 'domain'")["0.1"] == "–").all()
    assert (table.query("task == 'movies'")["0.1"] != "–").all()
    row = table.query("task == 'domain' and module == 'attn' and layer == 7").iloc[0]
    outcome = cell_of["domain", "attn", 7, 0.9]
    assert row["0.9"] == f"{outcome.accuracy:.3f} / {outcome.discrimination:.3f}"
    titles = [ax.get_title(loc="left") for ax in widget.figure().axes if ax.images]
    assert len(titles) == 8 and titles[4] == "domain,\nMLP, accuracy"
    assert "On movies accuracy" in widget.alt() and "On domain accuracy" in widget.alt()


def test_a_task_without_one_of_its_cells_is_refused(outcomes):
    gone = outcomes["task"].eq("domain") & outcomes["clip_rate"].eq(0.9) & outcomes["layer"].eq(7)
    with pytest.raises(ValueError, match=r"no outcome of \('domain', 'mlp', 7, 0\.9\)"):
        DepthExplorer(outcomes[~gone])
