"""Widgets small enough for a test, made from planted runs and pictures."""

import pytest

from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.sweeps import sweep
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.widgets import ClipExplorer


@pytest.fixture(scope="module")
def runs(pristine_model, tokenizer):
    found = {}
    for setting in ("canonical", "flipped"):
        evaluator = ICLEvaluator(
            pristine_model,
            tokenizer,
            load_task("topic", setting),
            "validation",
            40,
            2,
            (0, 1, 2, 3),
        )
        found[setting, 2] = evaluator, sweep(pristine_model, evaluator, clip_rates=(0, 0.5, 0.9))
    return found


@pytest.fixture(scope="module")
def explorer(runs, tokenizer):
    return ClipExplorer(runs, ("label words", "shots"), tokenizer)


def press(page, selector, *keys):
    page.locator(selector).first.focus()
    for key in keys:
        page.keyboard.press(key)
