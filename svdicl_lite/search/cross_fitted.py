"""Rules held against a table that was measured once: chosen on half of the sets of demonstrations,
judged on the other half, and the other way round.

A kept experiment has its clips on validation alone, and what was chosen there must not be judged
there. So each half judges what the other has chosen, and every example is judged once. Taught in
chapter 10.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.search.budget import anytime
from svdicl_lite.search.rivals import (
    ON_CELL,
    Asked,
    Choice,
    agreement,
    as_predicted,
    blind,
    chosen,
    oracle,
)


def of_sets(table: pd.DataFrame, sets: Sequence[int]) -> pd.DataFrame:
    """The table of outcomes, of these sets of demonstrations only; its forwards are those of all.

    Raises ValueError if there is no example of them.
    """
    named = _sets(table)
    rows = np.isin(named, sets)
    if not rows.any():
        raise ValueError(f"no example stands after one of the sets {list(sets)}")
    parts = [
        Evaluation(one.scores[rows], one.labels[rows], named[rows]) for one in table["evaluation"]
    ]
    return table.assign(evaluation=pd.Series(parts, index=table.index, dtype=object))


def among(asked: Asked, table: pd.DataFrame) -> Asked:
    """The rule, asked about those clips only that the table has: its scores of these, and its
    layer, or the one that scores highest among these where its own was not measured.

    Raises ValueError if the table has none of them.
    """
    known = asked.table.merge(table.loc[table["clip_rate"] > 0, ON_CELL], on=ON_CELL)
    if known.empty:
        raise ValueError(f"none of the clips that rule {asked.rule!r} scores was measured")
    best = int(known.loc[known["score"].idxmax(), "layer"])
    layer = asked.layer if asked.layer in set(known["layer"]) else best
    return replace(asked, table=known, layer=layer)


def cross_fitted(
    table: pd.DataFrame, rules: Sequence[Asked], module: str, choose_by: str = "discrimination"
) -> dict[str, Choice]:
    """What each rule chooses in the module, the oracle, chance and calibration among them, by name.

    Reading and lean are over all examples, each of them judged by the choice of the other half of
    the sets; layer and clip_rate are those of the first half, or None where the halves chose
    differently. `table` is that of `rivals.with_forwards`, and may hold some of the layers only:
    the oracle and chance then know no others. A rule whose layer was not measured is left out.
    """
    found = [
        _one_way(choosing, judging, rules, module, choose_by)
        for choosing, judging in both_ways(table)
    ]
    return {name: _joined(found[0][name], found[1][name]) for name in found[0]}


def both_ways(table: pd.DataFrame) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """The half of the sets that chooses and the half that judges, and the other way round.

    Raises ValueError for a table of one set.
    """
    names = np.unique(_sets(table)).tolist()
    if len(names) < 2:
        raise ValueError("to choose on one half and judge on the other takes two sets or more")
    first, second = (
        of_sets(table, part) for part in (names[: len(names) // 2], names[len(names) // 2 :])
    )
    return [(first, second), (second, first)]


def anytime_of_halves(
    halves: Sequence[tuple[pd.DataFrame, pd.DataFrame]],
    asked: Asked,
    choose_by: str = "discrimination",
) -> pd.DataFrame:
    """`budget.anytime` in the rule's order, the clips chosen on each half of `both_ways` and judged
    on the other: the mean of the two curves, whose clips come in one order.
    """
    curves = [anytime(asked, *pair, choose_by) for pair in halves]
    means = {
        part: np.mean([curve[part] for curve in curves], axis=0) for part in ("reading", "lean")
    }
    return curves[0].assign(**means)


def halves_agree(
    halves: Sequence[tuple[pd.DataFrame, pd.DataFrame]], module: str, by: str
) -> float:
    """Spearman's correlation of a module's clips on one half of the sets and on the other: as much
    as any rule can hope for, with half of the examples.
    """
    return agreement(oracle(halves[0][0], module, by), halves[0][1], by)


def _one_way(
    validation: pd.DataFrame,
    test: pd.DataFrame,
    rules: Sequence[Asked],
    module: str,
    choose_by: str,
) -> dict[str, Choice]:
    here = validation[(validation["module"] == module) & (validation["clip_rate"] > 0)]
    measured = [rule for rule in rules if rule.layer in set(here["layer"])]
    everyone = [*measured, oracle(validation, module, choose_by)]
    found = [chosen(rule, validation, test, module, choose_by) for rule in everyone]
    found.append(blind(pd.concat([validation.iloc[:1], here]), test, module, choose_by))
    for rule in measured:
        if rule.tells_rates:
            known = rule.table.merge(here[["layer", "clip_rate"]], on=["layer", "clip_rate"])
            found.append(as_predicted(replace(rule, table=known), test, module))
    found.append(_calibration(test))
    return {choice.rule: choice for choice in found}


def _calibration(test: pd.DataFrame) -> Choice:
    """Without labels, within each set, and for one pass over its prompts."""
    before: Evaluation = test.loc[test["clip_rate"] == 0, "evaluation"].iloc[0]
    lean = before.calibrated.correct.astype(float) - before.correct
    parts, sets = (np.zeros(before.n), lean), _sets(test)
    nothing = np.zeros(len(np.unique(sets)))  # a threshold separates nothing
    return Choice("calibration", None, None, parts, sets, nothing, 0.0, float(before.n))


def _sets(table: pd.DataFrame) -> np.ndarray:
    """(N,) which set of demonstrations stood before each example; all one where none is named."""
    first: Evaluation = table["evaluation"].iloc[0]
    sets = first.demonstration_sets
    return np.zeros(first.n, dtype=int) if sets is None else sets


def _joined(one: Choice, other: Choice) -> Choice:
    same = (one.layer, one.clip_rate) == (other.layer, other.clip_rate)
    reading, lean = (np.concatenate([one.parts[i], other.parts[i]]) for i in (0, 1))
    sets = np.concatenate([one.sets, other.sets])
    layer = one.layer if one.layer == other.layer else None
    rate = one.clip_rate if same else None
    separated = np.concatenate([one.separated, other.separated])
    parts = reading, lean
    return replace(one, layer=layer, clip_rate=rate, parts=parts, sets=sets, separated=separated)
