"""Rules held against cells that were kept, and changes of any kind in the table of choices."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_rivals import SETS, TEST, VALIDATION, outcome, rule

from svdicl_lite.search.cross_fitted import among
from svdicl_lite.search.results import Comparison
from svdicl_lite.search.rivals import agreement, chosen
from svdicl_lite.search.side_by_side import as_choice, choice_table


def test_a_rule_whose_layer_was_measured_keeps_it_though_another_scores_higher():
    found = among(rule([1, 2, 3, 4], 0), VALIDATION)
    assert found.layer == 0 and len(found.table) == 4


def test_a_rule_whose_layer_was_not_measured_takes_the_best_of_those_that_were():
    scored = rule([1, 9, 3, 4], 0)
    measured = VALIDATION[VALIDATION["layer"] == 1]
    unclipped = VALIDATION[VALIDATION["clip_rate"] == 0]
    found = among(scored, pd.concat([unclipped, measured]))
    assert found.layer == 1 and found.table["score"].tolist() == [3, 4]
    assert (found.forwards, found.seconds) == (scored.forwards, scored.seconds)
    with pytest.raises(ValueError, match="none of the clips that rule 'gradient' scores"):
        among(scored, unclipped)


def test_scores_of_clips_that_were_not_measured_do_not_count_in_an_agreement():
    scored = rule([1, 2, 0, 9], 1)
    few = TEST[(TEST["clip_rate"] == 0) | (TEST["layer"] == 0)]
    assert agreement(among(scored, few), TEST, "accuracy") == pytest.approx(-1)


def test_a_comparison_stands_in_the_table_beside_the_choices():
    before, after = outcome(10), outcome(4, lean=0.2)
    change = as_choice("mine", Comparison(before, after, before, after), forwards=30.0)
    assert change.reading + change.lean == pytest.approx(6 / 40)
    assert (change.layer, change.clip_rate) == (None, None) and len(change.separated) == 5
    assert change.sets.tolist() == SETS.tolist()
    paper = chosen(rule([0, 0, 1, 0], 1), VALIDATION, TEST, "mlp", "accuracy")
    paper = replace(paper, rule="condition")
    table = choice_table({"condition": paper, "mine": change}, 120).set_index("rule")
    assert table.loc["condition", "times"] == 1
    assert table.loc["mine", "times"] == pytest.approx(30 / paper.forwards)
    assert table.loc["mine", "share"] == 0.25
    alone = choice_table({"mine": change}, 120)
    assert np.isnan(alone["times"][0]) and alone["reading"][0] == pytest.approx(
        table.loc["mine", "reading"]
    )


def test_without_sets_of_demonstrations_all_examples_are_one_set():
    plain = [type(one)(one.scores, one.labels) for one in (outcome(10), outcome(4))]
    change = as_choice("mine", Comparison(*plain, *plain))
    assert set(change.sets) == {0} and len(change.separated) == 1
