"""Texts that a model has no positions for: named, or left out and counted."""

import numpy as np
import pytest
from command_line import answer, refused, run

from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.tasks.loading import load_task

LONG = "a dull film " * 300  # 900 tokens; the tiny model has 512 positions


@pytest.fixture
def long(tmp_path):
    """The .toml of a task, one of whose 12 validation texts is too long for the tiny model."""
    for name, word in (("train", "red"), ("validation", "green"), ("test", "white")):
        rows = [f"{i} {word},{i % 2}" for i in range(12)]
        if name == "validation":
            rows[3] = f"{LONG.strip()},1"
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *rows]))
    (tmp_path / "long.toml").write_text(
        'template = "text: {text} sentiment: {label}"\ndata = {train = "train.csv", validation ='
        ' "validation.csv", test = "test.csv"}\n[label_words]\n0 = "neg"\n1 = "pos"\n'
    )
    return tmp_path / "long.toml"


def told(tiny, long, *more):
    common = ["--model", tiny, "--task", long, "--sets", 2, "--layer", 1, "--clip-rates", "0,0.9"]
    return [*common, "--module", "mlp", *more]


def row_of_long(long):
    texts = load_task(str(long)).splits["validation"]["text"]
    return max(range(len(texts)), key=lambda i: len(texts[i]))


@pytest.mark.parametrize("shots", [0, 2])
def test_a_text_that_is_too_long_is_named_and_no_number_of_shots_is_advised(tiny, long, shots):
    said = refused("sweep", *told(tiny, long, "--shots", shots))
    assert f"row {row_of_long(long)} of validation (from 0) has " in said
    assert "but the model has 512 positions, and 1 of 6 rows" in said
    assert "leave such rows out by --drop-long" in said and "fewer shots" not in said


def test_left_out_it_is_counted_and_the_others_are_judged(tiny, long):
    found = answer("search", *told(tiny, long, "--shots", 2, "--drop-long"))
    assert found["dropped"] == {"too long for the model (validation)": 1}
    assert (found["validation"][0]["n"], found["test_before"]["n"]) == (11, 12)
    said = run("sweep", *told(tiny, long, "--shots", 2, "--drop-long")).stdout
    assert "1 examples of validation left out, which the model has no positions for" in said


def test_what_is_left_out_changes_nothing_for_the_others(pristine_model, tokenizer, long):
    task = load_task(str(long))
    judge = ICLEvaluator(
        pristine_model, tokenizer, task, "validation", 12, 2, (0, 1), drop_long=True
    )
    assert judge.n_too_long == 1 and judge().n == 11
    np.testing.assert_allclose(judge().scores, judge.plain().scores, rtol=0, atol=1e-4)
    sizes = [len(prompts.labels) for prompts in judge.groups]
    assert np.bincount(judge.demonstration_sets).tolist() == sizes and sorted(sizes) == [5, 6]


def test_a_class_that_nothing_is_left_of_is_refused(pristine_model, tokenizer, long):
    task = load_task(str(long))
    row = row_of_long(long)
    label = task.splits["validation"][row]["label"]
    one_of_it = [
        i
        for i, other in enumerate(task.splits["validation"]["label"])
        if other != label or i == row
    ]
    task.splits["validation"] = task.splits["validation"].select(one_of_it)
    with pytest.raises(ValueError, match="no example of class '1' is left in validation"):
        ICLEvaluator(
            pristine_model, tokenizer, task, "validation", len(one_of_it), 2, (0,), drop_long=True
        )
