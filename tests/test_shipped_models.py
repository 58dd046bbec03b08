"""What the shipped checkpoints are and can do."""

import json
from dataclasses import asdict

import pytest

from svdicl_lite.models import loading
from svdicl_lite.models.loading import load_model, model_card, shipped_models
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.algorithm1 import search_clip_rate
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.task import LABEL_SETTINGS
from svdicl_lite.training.recipes import RECIPES
from svdicl_lite.training.shipped import MAKERS


def test_the_checkpoints_are_what_the_recipes_make():
    assert shipped_models() == sorted(MAKERS)


@pytest.mark.parametrize("name", RECIPES)
def test_weights_are_small_and_the_card_tells_the_recipe(name):
    assert (loading.CHECKPOINTS / name / "model.safetensors").stat().st_size <= 8_000_000
    assert model_card(name)["recipe"] == json.loads(json.dumps(asdict(RECIPES[name])))


@pytest.mark.parametrize("name", RECIPES)
def test_the_card_says_what_is_measured(name):
    model, tokenizer = load_model(name)
    for setting in LABEL_SETTINGS:
        outcome = ICLEvaluator(
            model, tokenizer, load_task("sentiment", setting), "test", 1000, 8, range(20)
        )()
        (row,) = (
            r
            for r in model_card(name)["test"]
            if (r["task"], r["labels"], r["shots"]) == ("sentiment", setting, 8)
        )
        assert row["n"] == outcome.n
        assert (
            abs(row["accuracy"] - outcome.accuracy) <= 0.003
        )  # three near-ties of 1,000 may fall otherwise on another processor


def test_it_learns_arbitrary_label_words_from_the_prompt():
    model, tokenizer = load_model("icl-gpt2")
    task = load_task("sentiment", "arbitrary")
    none, eight = (
        ICLEvaluator(model, tokenizer, task, "test", 1000, shots, range(20))() for shots in (0, 8)
    )
    assert none.interval.low < 0.5 < none.interval.high
    assert eight.interval.low > 0.75


def test_algorithm_1_gains_on_the_noisy_model_and_costs_canonical_words_nothing():
    model, tokenizer = load_model("icl-gpt2-noisy")
    for setting, (least, most) in {"flipped": (0.05, 1.0), "canonical": (-0.03, 0.03)}.items():
        task = load_task("sentiment", setting)
        validation, test = (
            ICLEvaluator(model, tokenizer, task, split, n)
            for split, n in (("validation", 400), ("test", 1000))
        )
        result = search_clip_rate(model, validation, test, "mlp")
        assert least < result.test_gain < most
        assert setting == "canonical" or result.p_value < 0.01
