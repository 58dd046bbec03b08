"""A search with a budget: clips are measured in the order of a rule, and at any time the best so
far is the answer.

The curve of what has been found against what has been spent shows whether a rule is worth asking: a
good one finds early. Taught in chapter 10.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from svdicl_lite.scoring.gains import split_gain
from svdicl_lite.scoring.reading import score_of
from svdicl_lite.search.rivals import ON_CELL, Asked


def anytime(
    asked: Asked, validation: pd.DataFrame, test: pd.DataFrame, choose_by: str = "discrimination"
) -> pd.DataFrame:
    """The search that measures clips from the rule's highest score down, a row a clip: layer,
    module, clip_rate, forwards (spent so far, the rule's own among them), and of the best clip so
    far by validation score, no clip among them, its reading and lean on test.

    `validation` and `test` are tables of `rivals.measured`. Of equal scores the first in the rule's
    table is measured first. A clip of layer l costs the blocks from l on; the way up to l is not
    counted.
    """
    clips = validation[validation["clip_rate"] > 0]
    order = asked.table.merge(clips, on=ON_CELL).sort_values(
        "score", ascending=False, kind="stable"
    )
    on_test = test.set_index(ON_CELL)["evaluation"]
    before = test.loc[test["clip_rate"] == 0, "evaluation"].iloc[0]
    unclipped = validation.loc[validation["clip_rate"] == 0, "evaluation"].iloc[0]
    best, after = score_of(unclipped, choose_by), before
    spent, rows = asked.forwards, []
    for row in order.itertuples():
        spent += row.forwards
        if (score := score_of(row.evaluation, choose_by)) > best:
            best, after = score, on_test.loc[(row.layer, row.module, row.clip_rate)]
        reading, lean = (part.mean() for part in split_gain(before, after))
        place = {"layer": row.layer, "module": row.module, "clip_rate": row.clip_rate}
        rows.append({**place, "forwards": spent, "reading": reading, "lean": lean})
    return pd.DataFrame(rows)


def together(asked: Sequence[Asked]) -> Asked:
    """One order over the clips of several modules: what one rule said of each, by its own scores.
    What it takes to ask is spent once, since one pass serves all matrices.

    Raises ValueError for what different rules said.
    """
    if len(rules := {one.rule for one in asked}) != 1:
        raise ValueError(f"an order is one rule's, but these are {', '.join(sorted(rules))}'s")
    table = pd.concat([one.table for one in asked], ignore_index=True)
    first = int(table.loc[table["score"].idxmax(), "layer"])
    seconds, forwards = (max(getattr(one, of) for one in asked) for of in ("seconds", "forwards"))
    return Asked(rules.pop(), table, first, asked[0].tells_rates, seconds, forwards)


def by_lot(table: pd.DataFrame, module: str | None, seed: int) -> Asked:
    """An order of the module's clips, of all clips if it is None, that the seed draws, as if a rule
    had said so, and for nothing. `table` is one of `rivals.measured`.
    """
    of_module = table["module"].notna() if module is None else table["module"] == module
    clips = table[of_module & (table["clip_rate"] > 0)][ON_CELL].reset_index(drop=True)
    scored = clips.assign(score=np.random.default_rng(seed).random(len(clips)))
    first = int(scored.loc[scored["score"].idxmax(), "layer"])
    return Asked("random", scored, first, True, 0.0, 0.0)


def reading_at(curve: pd.DataFrame, spent: np.ndarray) -> np.ndarray:
    """The reading that an `anytime` curve has reached when so many forwards are spent (n,), 0
    before its first clip.
    """
    steps = np.r_[0.0, curve["reading"]]
    reached: np.ndarray = steps[np.searchsorted(curve["forwards"], spent, side="right")]
    return reached


def spent_until(curve: pd.DataFrame, share: float, of: float) -> float:
    """The forwards after which the reading of an `anytime` curve has reached this share of `of` for
    good; infinity if it never does.
    """
    enough = (curve["reading"] >= share * of - 1e-12).to_numpy()
    for_good = np.logical_and.accumulate(enough[::-1])[::-1]
    return float(curve["forwards"][for_good].min()) if for_good.any() else float("inf")
