"""The signs of the table that `benchmarks/claims.py` prints: what clipping does for the shipped
models, and what it does not.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from svdicl_lite.scoring.evaluation import Evaluation

spec = importlib.util.spec_from_file_location(
    "claims", Path(__file__).parents[1] / "benchmarks" / "claims.py"
)
claims = importlib.util.module_from_spec(spec)
spec.loader.exec_module(claims)


@pytest.fixture(scope="module")
def of():
    """claim → rows: the search by condition numbers on both models, and the depth of
    `icl-gpt2-noisy`, as one table.
    """
    rows = [
        row
        for name in claims.GONE_ON
        for row in claims.overridden(
            "a", claims.algorithm_1("a", name, "sentiment", "flipped", "mlp")
        )
    ]
    table = claims.table([*rows, *claims.depth("icl-gpt2-noisy", "sentiment")])
    return lambda claim, model: table[(table["claim"] == claim) & (table["model"] == model)]


def test_every_row_is_judged_on_a_thousand_test_prompts_behind_twelve_sets(of):
    assert len(claims.SEEDS) >= 4
    for claim in ("a", "a: cost", "a: control", "b"):
        assert (of(claim, "icl-gpt2-noisy")["n"] >= 1000).all()


def test_algorithm_1_gains_on_noisy_pre_training_and_costs_the_other_words_less_than_three_points(
    of,
):
    (row,) = of("a", "icl-gpt2-noisy").to_dict("records")
    assert (
        row["verdict"] == "gain"
        and row["gain"] >= 0.05
        and row["p (Holm)"] < 0.01
        and row["low"] > 0
    )
    assert (
        row["entropy after"] > row["entropy before"]
    )  # not a collapse: both answers are given more evenly
    assert (of("a: cost", "icl-gpt2-noisy")["gain"] > -0.03).all()


def test_but_a_random_subspace_the_smallest_components_and_a_smaller_matrix_do_as_well(of):
    (row,) = of("a", "icl-gpt2-noisy").to_dict("records")
    control = of("a: control", "icl-gpt2-noisy").set_index("change")["gain"]
    for method in claims.CONTROLS:
        (gain,) = control[control.index.str.endswith(method)]
        assert (
            abs(gain - row["gain"]) < 0.06
        )  # the standard error of a difference of two such gains is 0.02


def test_on_the_prior_the_rise_ends_below_chance_and_is_not_counted(of):
    (row,) = of("a", "icl-gpt2-prior").to_dict("records")
    assert row["gain"] >= 0.05 and row["p (Holm)"] < 0.01
    assert (
        row["balanced after"] < 0.5
        and row["entropy after"] < row["entropy before"]
        and row["verdict"] == "towards chance"
    )
    assert (of("a: cost", "icl-gpt2-prior")["gain"] > -0.03).all()


def test_deep_layers_hardly_lose_where_the_first_falls_to_chance(of):
    rows = of("b", "icl-gpt2-noisy").to_dict("records")
    assert rows[0]["verdict"] == "collapse" and rows[0]["gain"] < -0.3
    assert all(row["gain"] > -0.03 for row in rows[1:])


def test_on_the_suite_depth_holds_with_options_too_and_algorithm_1_finds_nothing():
    name, task = "suite-llama", "choice"
    rows = claims.table(
        [claims.algorithm_1("f", name, task, "canonical", "mlp")[0], *claims.depth(name, task)]
    )
    search, first, *deep = rows.to_dict("records")
    assert (
        (rows["n"] == 1000).all()
        and search["verdict"] == "no difference"
        and abs(search["gain"]) < 0.02
    )
    assert first["verdict"] == "loss" and first["gain"] < -0.2  # near chance, not quite at it
    assert len(deep) == 5 and all(row["gain"] > -0.03 for row in deep)


def outcome(correct, labels):
    """An evaluation that is right where it is said."""
    answers = np.where(correct, labels, 1 - labels)
    return Evaluation(np.eye(2)[answers], labels, np.arange(len(labels)) % 4)


@pytest.mark.parametrize(
    "before, after, verdict",
    [
        (0.6, 0.8, "gain"),
        (0.8, 0.6, "loss"),
        (0.2, 0.5, "collapse"),
        (0.2, 0.35, "towards chance"),
        (0.6, 0.602, "no difference"),
    ],
)
def test_verdicts(before, after, verdict):
    labels = np.arange(2000) % 2
    one, two = (
        outcome((np.arange(2000) // 2) % 1000 < share * 1000, labels) for share in (before, after)
    )
    table = claims.table([claims.Row("x", "m", "t", "l", "c", one, two)])
    assert table["verdict"].tolist() == [verdict]
    assert table["gain"][0] == pytest.approx(after - before, abs=1e-9)


def test_one_answer_for_all_is_a_collapse_however_accurate():
    labels = (np.arange(2000) % 5 == 0).astype(int)  # one in five
    one, constant = outcome(np.arange(2000) % 3 > 0, labels), outcome(labels == 0, labels)
    assert constant.accuracy > one.accuracy
    assert claims.table([claims.Row("x", "m", "t", "l", "c", one, constant)])[
        "verdict"
    ].tolist() == ["collapse"]
