"""All rules on one task, side by side, with calibration as the rival that clips nothing.

Taught in chapter 10.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.results import Comparison
from svdicl_lite.search.rivals import (
    Asked,
    Choice,
    agreement,
    as_predicted,
    asked,
    blind,
    chosen,
    measured,
    oracle,
)
from svdicl_lite.search.rules.question import Question
from svdicl_lite.search.rules.registry import RULES
from svdicl_lite.search.without_rate import calibration
from svdicl_lite.stats import holm


@dataclass(frozen=True)
class SideBySide:
    """What was measured on validation and on test (`rivals.measured`), what each rule says of it,
    by module, and calibration.
    """

    validation: pd.DataFrame
    test: pd.DataFrame
    rules: dict[str, list[Asked]]
    calibrated: Choice

    def rankings(self, by: str, choose_by: str = "discrimination") -> pd.DataFrame:
        """Spearman's correlation of each rule's scores with the measure `by` on test, a column a
        module. The oracle's is what validation knows of test; that of random is 0, the mean over
        all orders; calibration orders nothing, NaN.
        """
        columns = {}
        for module, rules in self.rules.items():
            everyone = [*rules, oracle(self.validation, module, choose_by)]
            found = {rule.rule: agreement(rule, self.test, by) for rule in everyone}
            columns[module] = {**found, "random": 0.0, "calibration": np.nan}
        return pd.DataFrame(columns)

    def choices(self, module: str, choose_by: str) -> dict[str, Choice]:
        """What each rule chooses in the module, by name; the rates by the validation score
        `choose_by`.
        """
        found = [
            chosen(rule, self.validation, self.test, module, choose_by)
            for rule in (*self.rules[module], oracle(self.validation, module, choose_by))
        ]
        found.append(blind(self.validation, self.test, module, choose_by))
        for rule in self.rules[module]:
            if rule.tells_rates:
                found.append(as_predicted(rule, self.test, module))
        found.append(self.calibrated)
        return {choice.rule: choice for choice in found}


def side_by_side(
    validation: ICLEvaluator,
    test: ICLEvaluator,
    modules: Sequence[str] = ("mlp", "attn"),
    clip_rates: Sequence[float] = (0, 0.5, 0.75, 0.9, 0.95, 0.99),
) -> SideBySide:
    """Measures every clip of the modules on both evaluators, and asks every rule. Raises what the
    rules and `calibration` raise.
    """
    rules = {}
    for module in modules:
        question = Question(validation.model, (module,), tuple(clip_rates), validation)
        names = [name for name in RULES if name not in ("random", "oracle")]
        rules[module] = [asked(name, question) for name in names]
    tables = [measured(evaluator, modules, clip_rates) for evaluator in (validation, test)]
    without = calibration(validation, test)
    free = as_choice("calibration", without, float(without.validation_before.n))
    # a threshold separates nothing, and rounding is no reason to say otherwise
    one_pass = float(tables[0]["seconds"].iloc[0])
    free = replace(free, separated=np.zeros(len(free.separated)), seconds=one_pass)
    return SideBySide(tables[0], tables[1], rules, free)


def as_choice(name: str, found: Comparison, forwards: float = np.nan) -> Choice:
    """A change of any kind as a row beside the rules' choices; `forwards` if they are known."""
    before, after = found.test_before, found.test_after
    layer, rate = getattr(found, "layer", None), getattr(found, "clip_rate", None)
    sets = before.demonstration_sets
    sets = np.zeros(before.n, dtype=int) if sets is None else sets
    separated = after.discrimination_by_set - before.discrimination_by_set
    return Choice(name, layer, rate, found.parts, sets, separated, np.nan, forwards)


def choice_table(choices: dict[str, Choice], sweep: float) -> pd.DataFrame:
    """A row a choice: layer, clip_rate (NaN where they are not one); reading and lean, in points,
    with the ends of their 95 % intervals; separated, the gain in discrimination, with its ends over
    sets; forwards, seconds, share of the `sweep`'s forwards, times and times_seconds those of
    Algorithm 1 (the choice called "condition", NaN without one); p of the reading, after Holm, and
    p_alone, without.
    """
    paper = choices.get("condition")
    costs = (paper.forwards, paper.seconds) if paper else (np.nan, np.nan)
    rows = []
    for choice in choices.values():
        place = [np.nan if at is None else float(at) for at in (choice.layer, choice.clip_rate)]
        row = {"rule": choice.rule, "layer": place[0], "clip_rate": place[1]}
        for name in ("reading", "lean"):
            low, high = getattr(choice, f"{name}_interval")
            row[name] = 100 * getattr(choice, name)
            row |= {f"{name}_low": 100 * low, f"{name}_high": 100 * high}
        low, high = choice.discrimination_interval or (np.nan, np.nan)
        row |= {"separated": choice.discrimination_gain}
        row |= {"separated_low": low, "separated_high": high}
        row |= {"forwards": choice.forwards, "seconds": choice.seconds}
        row |= {"share": choice.forwards / sweep, "times": choice.forwards / costs[0]}
        row |= {"times_seconds": choice.seconds / costs[1] if costs[1] else np.nan}
        rows.append(row)
    table = pd.DataFrame(rows)
    # nothing moved, nothing to test
    moved = np.array([choice.parts[0].any() for choice in choices.values()])
    p = np.ones(len(table))
    p[moved] = [choice.p_value for choice in choices.values() if choice.parts[0].any()]
    return table.assign(p=holm(p), p_alone=p)
