"""Rules held against cells that were kept, and changes of any kind in the table of choices."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_rivals import SETS, TEST, VALIDATION, outcome, rule

from svdicl_lite.search.budget import anytime, by_lot, reading_at, together
from svdicl_lite.search.cross_fitted import (
    among,
    anytime_of_halves,
    both_ways,
    halves_agree,
    of_sets,
)
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


# A search with a budget, on halves of the sets.


def test_an_order_drawn_by_lot_holds_every_clip_and_changes_with_the_seed():
    orders = [by_lot(TEST, "mlp", seed).table for seed in range(8)]
    for order in orders:
        clips = set(zip(order["layer"], order["clip_rate"]))
        assert clips == {(0, 0.5), (0, 0.9), (1, 0.5), (1, 0.9)}
    best = {int(order["score"].argmax()) for order in orders}
    assert len(best) > 1 and by_lot(TEST, "mlp", 0).table.equals(orders[0])


def test_an_order_over_both_modules_is_by_the_rules_own_scores_and_is_asked_for_once():
    val, tst = (
        pd.concat([one, one[one["clip_rate"] > 0].assign(module="attn")])
        for one in (VALIDATION, TEST)
    )
    pair = [by_lot(tst, module, 3) for module in ("mlp", "attn")]
    pair = [replace(one, forwards=cost) for one, cost in zip(pair, (7.0, 5.0))]
    both = together(pair)
    assert len(both.table) == sum(len(one.table) for one in pair) and both.forwards == 7
    curve = anytime(both, val, tst)
    scores = both.table.set_index(["layer", "module", "clip_rate"])["score"]
    measured = [scores[tuple(place)] for place in curve[scores.index.names].to_numpy()]
    assert measured == sorted(scores, reverse=True)
    assert set(by_lot(tst, None, 3).table["module"]) == {"mlp", "attn"}
    with pytest.raises(ValueError, match="last, random"):
        together([pair[0], replace(pair[1], rule="last")])


def test_the_reading_reached_is_that_of_the_last_clip_paid_for():
    curve = pd.DataFrame({"forwards": [10, 30], "reading": [0.1, 0.4]})
    assert reading_at(curve, np.array([0, 9, 10, 29, 30, 99])).tolist() == [
        0,
        0,
        0.1,
        0.1,
        0.4,
        0.4,
    ]


def test_each_half_judges_what_the_other_has_found_so_far():
    halves, scored = both_ways(TEST), rule([1, 4, 2, 3], 0)
    assert [len(set(part["evaluation"][0].demonstration_sets)) for part in halves[0]] == [2, 3]
    curve = anytime_of_halves(halves, scored, "accuracy")
    one, other = (anytime(scored, *pair, "accuracy") for pair in halves)
    assert curve["forwards"].tolist() == one["forwards"].tolist() == other["forwards"].tolist()
    assert np.allclose(curve["reading"], (one["reading"] + other["reading"]) / 2)
    assert not np.allclose(one["reading"], other["reading"]) and len(curve) == 4


def test_halves_that_order_the_clips_alike_agree_fully():
    assert halves_agree(both_ways(TEST), "mlp", "accuracy") == pytest.approx(1)
    with pytest.raises(ValueError, match="takes two sets or more"):
        both_ways(of_sets(TEST, [0]))
