"""By which measure a search chooses, and what a sweep tells of every cell."""

import pytest
from result_cases import case

from svdicl_lite.search import algorithm1
from svdicl_lite.search.cells import Cell
from svdicl_lite.search.sweeps import sweep_table


def made_search(monkeypatch, outcomes, **arguments):
    """Algorithm 1 where the model's answers at each rate are given."""
    monkeypatch.setattr(algorithm1, "check_evaluators", lambda *_: None)
    monkeypatch.setattr(algorithm1, "check_cells", lambda *_: None)
    monkeypatch.setattr(algorithm1, "layer_of", lambda *_: 2)
    monkeypatch.setattr(
        algorithm1,
        "judged",
        lambda evaluator, cells, *_: [(cell, outcomes[cell.clip_rate]) for cell in cells],
    )
    return algorithm1.search_clip_rate(None, None, None, clip_rates=(*outcomes,), **arguments)


@pytest.fixture
def rates():
    """At 0.5 only the threshold is better, at 0.9 only the reading."""
    before, leaning = case(shift=1.2, lean=-1.5)
    _, sharper = case(sharpened=2.0, shift=-1.0, lean=-1.5)
    return {0: before, 0.5: leaning, 0.9: sharper}


@pytest.mark.parametrize(
    "choose_by, rate", [("accuracy", 0.5), ("calibrated", 0.9), ("discrimination", 0.9)]
)
def test_a_search_chooses_by_what_it_is_told(monkeypatch, rates, choose_by, rate):
    result = made_search(monkeypatch, rates, choose_by=choose_by)
    assert result.clip_rate == rate and result.choose_by == choose_by
    assert result.validation_after is rates[rate] and result.test_after is rates[rate]
    said = "" if choose_by == "accuracy" else f" (chosen by {choose_by})"
    assert str(result).startswith(f"mlp of layer 2 at ξ = {rate:g}{said}\n")


def test_a_search_chooses_by_accuracy_unless_told(monkeypatch, rates):
    assert made_search(monkeypatch, rates).choose_by == "accuracy"


def test_of_equal_scores_the_earliest_rate_wins_by_any_measure(monkeypatch, rates):
    # a lean cannot move discrimination, so there 0 and 0.5 are equal
    two = {0: rates[0], 0.5: rates[0.5]}
    assert made_search(monkeypatch, two, choose_by="discrimination").clip_rate == 0


def test_a_measure_that_is_not_there_is_refused_before_anything_is_judged():
    with pytest.raises(ValueError, match="choose_by is 'f1', but must be one of accuracy, cali"):
        algorithm1.search_clip_rate(None, None, None, choose_by="f1")


def test_a_sweep_has_every_measure_of_every_cell(rates):
    table = sweep_table((Cell(2, "mlp", rate), outcome) for rate, outcome in rates.items())
    measures = ["accuracy", "balanced_accuracy", "majority_accuracy", "discrimination"]
    measures += ["calibrated_accuracy", "imbalance", "collapsed"]
    for row, outcome in zip(table.to_dict("records"), rates.values()):
        assert [row[name] for name in measures] == [getattr(outcome, name) for name in measures]
