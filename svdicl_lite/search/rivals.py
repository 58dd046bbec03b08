"""Rules side by side: how well each ranks the clips that were measured, what its choice gains on
test, and what it costs.

All clips of a module are measured once, on validation and on test (`measured`); after that every
rule is judged by reading the tables, and none of them looks at test. Taught in chapter 10.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from svdicl_lite.clipping.matrices import n_layers
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.gains import split_gain
from svdicl_lite.scoring.reading import score_of
from svdicl_lite.search.cells import Cell, judged
from svdicl_lite.search.rules.question import Question
from svdicl_lite.search.rules.registry import rule_named
from svdicl_lite.search.rules.sample import N_PROMPTS
from svdicl_lite.search.sweeps import sweep_cells
from svdicl_lite.stats import Interval, interval_over_sets, mean_interval, sign_flip_test

ON_CELL = ["layer", "module", "clip_rate"]
PASSES = {"block-influence": 1, "gradient": 3}
"""Forwards a prompt that a rule reads; a backward pass counts as two. The others read none."""


def measured(
    evaluator: ICLEvaluator, modules: Sequence[str], clip_rates: Sequence[float]
) -> pd.DataFrame:
    """No clip, then every layer × module × rate above 0 of the evaluator's model, a row each:
    layer, module, clip_rate, evaluation, seconds (of processor time), forwards.

    Forwards are prompts read by the whole model; a clip of layer l of L costs (L − l) / L of one a
    prompt, since the blocks below it are as they were.
    """
    model, started, rows = evaluator.model, time.process_time(), []
    clips = sweep_cells(model, None, tuple(modules), [rate for rate in clip_rates if rate > 0])
    for cell, outcome in judged(evaluator, [Cell(0, modules[0], 0.0), *clips]):
        now = time.process_time()
        row = {"layer": cell.layer, "module": cell.module, "clip_rate": cell.clip_rate}
        rows.append({**row, "evaluation": outcome, "seconds": now - started})
        started = now
    return with_forwards(pd.DataFrame(rows), n_layers(model))


def with_forwards(table: pd.DataFrame, n_layers: int) -> pd.DataFrame:
    """A table of outcomes, such as a kept experiment's, with the forwards of each."""
    share = (n_layers - table["layer"]) / n_layers
    share = share.where(table["clip_rate"] > 0, 1.0)
    return table.assign(forwards=share * [outcome.n for outcome in table["evaluation"]])


@dataclass(frozen=True)
class Asked:
    """What a rule says of every cell, before anything is judged, and what it took to say it."""

    rule: str
    table: pd.DataFrame  # layer, module, clip_rate, score
    layer: int  # that it would clip
    tells_rates: bool  # whether its scores differ from rate to rate
    seconds: float
    forwards: float


def asked(rule: str, question: Question) -> Asked:
    """Asks one rule about one module. Raises what the rule raises, and ValueError for the oracle:
    `oracle` reads what it says off a table that was measured.
    """
    if rule == "oracle":
        raise ValueError("rule 'oracle' is a whole sweep; take rivals.oracle of what was measured")
    started = time.process_time()
    table = rule_named(rule).scores(question)
    seconds = time.process_time() - started
    tells_rates = "clip_rate" in table
    if not tells_rates:
        table = table.merge(pd.DataFrame({"clip_rate": question.rates}), how="cross")
    layer = rule_named(rule).layer(question) if rule_named(rule).choose else _best(table)
    n = 0 if question.validation is None else len(question.validation.demonstration_sets)
    forwards = PASSES.get(rule, 0) * min(n, N_PROMPTS)
    return Asked(rule, table[[*ON_CELL, "score"]], layer, tells_rates, seconds, forwards)


def _best(table: pd.DataFrame) -> int:
    return int(table.loc[table["score"].idxmax(), "layer"])


def oracle(validation: pd.DataFrame, module: str, choose_by: str) -> Asked:
    """The rule that measures everything: its scores are those of validation, its cost a sweep."""
    clips = _clips(validation, module)
    scores = [score_of(outcome, choose_by) for outcome in clips["evaluation"]]
    table = clips[ON_CELL].assign(score=scores)
    cost = float(clips["seconds"].sum()), float(clips["forwards"].sum())
    return Asked("oracle", table, _best(table), True, *cost)


def agreement(asked: Asked, test: pd.DataFrame, by: str) -> float:
    """Spearman's rank correlation of a rule's scores with a measure of the clips on test (`by` of
    `reading.CHOOSE_BY`), over the cells that the rule scores; NaN where one of the two is constant.
    """
    from scipy.stats import spearmanr

    both = asked.table.merge(test[test["clip_rate"] > 0], on=ON_CELL)
    values = np.array([score_of(outcome, by) for outcome in both["evaluation"]])
    scores = both["score"].to_numpy()
    if np.ptp(scores) == 0 or np.ptp(values) == 0:
        return float("nan")
    return float(spearmanr(scores, values).statistic)


@dataclass(frozen=True)
class Choice:
    """What a rule chose on validation, and what that does on test."""

    rule: str
    layer: int | None  # None: all alike
    clip_rate: float | None
    parts: tuple[np.ndarray, np.ndarray]  # (N,) reading and (N,) lean on test, example by example
    sets: np.ndarray  # (N,)
    separated: np.ndarray  # (sets,) change of discrimination on test, by set of demonstrations
    seconds: float
    forwards: float

    @property
    def discrimination_gain(self) -> float:
        """The mean over the sets that have two classes."""
        return float(np.nanmean(self.separated))

    @property
    def discrimination_interval(self) -> Interval | None:
        """95 %, over sets of demonstrations; None where there are too few."""
        return interval_over_sets(self.separated, np.arange(len(self.separated)))

    @property
    def reading(self) -> float:
        """The part of the test gain that a threshold cannot move."""
        return float(self.parts[0].mean())

    @property
    def lean(self) -> float:
        """The rest."""
        return float(self.parts[1].mean())

    @property
    def reading_interval(self) -> Interval:
        """95 %: over sets of demonstrations, over examples where there are too few sets."""
        return _interval(self.parts[0], self.sets)

    @property
    def lean_interval(self) -> Interval:
        """As `reading_interval`."""
        return _interval(self.parts[1], self.sets)

    @property
    def p_value(self) -> float:
        """Sign-flip test that there is no reading in the gain, over what the interval is over."""
        reading = self.parts[0]
        if interval_over_sets(reading, self.sets) is not None:
            reading = np.array([reading[self.sets == name].mean() for name in np.unique(self.sets)])
        return sign_flip_test(reading, n_resamples=4095)


def _interval(outcomes: np.ndarray, sets: np.ndarray) -> Interval:
    return interval_over_sets(outcomes, sets) or mean_interval(outcomes)


def chosen(
    asked: Asked, validation: pd.DataFrame, test: pd.DataFrame, module: str, choose_by: str
) -> Choice:
    """The rule's layer, at the rate that validation prefers as in Algorithm 1 (0 among them), on
    test. Its cost is the rule's and that of the rates that were tried; the oracle has tried them.
    """
    layer = asked.layer
    found = _searched(validation, module, layer, choose_by)
    choice = _on_test(asked.rule, test, module, layer, found["clip_rate"], asked)
    return choice if asked.rule == "oracle" else _dearer(choice, found)


def as_predicted(asked: Asked, test: pd.DataFrame, module: str) -> Choice:
    """The cell that the rule itself scores highest, if above 0, without a look at validation
    scores. Raises ValueError for a rule that does not tell rates apart.
    """
    if not asked.tells_rates:
        raise ValueError(f"rule {asked.rule!r} does not tell rates apart; search them by `chosen`")
    best = asked.table.loc[asked.table["score"].idxmax()]
    rate = float(best["clip_rate"]) if best["score"] > 0 else 0.0
    return _on_test(f"{asked.rule}, unsearched", test, module, int(best["layer"]), rate, asked)


def blind(validation: pd.DataFrame, test: pd.DataFrame, module: str, choose_by: str) -> Choice:
    """A layer drawn by lot, its rate searched: the mean over all layers, and so no draw of ours."""
    nothing = Asked("random", pd.DataFrame(), 0, False, 0.0, 0.0)
    each = []
    for layer in sorted(set(validation["layer"])):
        found = _searched(validation, module, layer, choose_by)
        choice = _on_test("random", test, module, layer, found["clip_rate"], nothing)
        each.append(_dearer(choice, found))
    reading, lean = (np.mean([choice.parts[part] for choice in each], axis=0) for part in (0, 1))
    separated = np.mean([choice.separated for choice in each], axis=0)
    return Choice(
        "random",
        None,
        None,
        (reading, lean),
        each[0].sets,
        separated,
        float(np.mean([choice.seconds for choice in each])),
        float(np.mean([choice.forwards for choice in each])),
    )


def _searched(
    validation: pd.DataFrame, module: str, layer: int, choose_by: str
) -> dict[str, float]:
    """The rate that is best on validation, the first of equals, and what trying all cost."""
    clips = _clips(validation, module)
    clips = clips[clips["layer"] == layer].sort_values("clip_rate")
    outcomes = [_unclipped(validation), *clips["evaluation"]]
    scores = [score_of(outcome, choose_by) for outcome in outcomes]
    rates = [0.0, *clips["clip_rate"]]
    return {
        "clip_rate": rates[int(np.argmax(scores))],
        "seconds": float(clips["seconds"].sum()),
        "forwards": float(clips["forwards"].sum()),
    }


def _dearer(choice: Choice, cost: dict[str, float]) -> Choice:
    seconds = choice.seconds + cost["seconds"]
    return replace(choice, seconds=seconds, forwards=choice.forwards + cost["forwards"])


def _on_test(
    name: str, test: pd.DataFrame, module: str, layer: int, rate: float, asked: Asked
) -> Choice:
    before = _unclipped(test)
    here = (test["module"] == module) & (test["layer"] == layer) & (test["clip_rate"] == rate)
    after: Evaluation = test.loc[here, "evaluation"].iloc[0] if rate else before
    sets = before.demonstration_sets
    sets = np.zeros(before.n, dtype=int) if sets is None else sets
    parts = split_gain(before, after)
    separated = after.discrimination_by_set - before.discrimination_by_set
    return Choice(name, layer, rate, parts, sets, separated, asked.seconds, asked.forwards)


def _unclipped(table: pd.DataFrame) -> Evaluation:
    outcome: Evaluation = table.loc[table["clip_rate"] == 0, "evaluation"].iloc[0]
    return outcome


def _clips(table: pd.DataFrame, module: str) -> pd.DataFrame:
    return table[(table["module"] == module) & (table["clip_rate"] > 0)]
