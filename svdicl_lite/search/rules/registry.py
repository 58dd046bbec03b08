"""All rules that choose a layer, by name, and the choice. Taught in chapter 08."""

from collections.abc import Iterable

import pandas as pd
from torch import nn

from svdicl_lite.clipping.matrices import Expert
from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.rules import (
    block_influence,
    condition,
    drawn,
    gradient,
    last,
    oracle,
    stable_rank,
)
from svdicl_lite.search.rules.question import Question, Rule

RULES: dict[str, Rule] = {
    "condition": condition.RULE,
    "stable-rank": stable_rank.RULE,
    "last": last.RULE,
    "random": drawn.RULE,
    "block-influence": block_influence.RULE,
    "gradient": gradient.RULE,
    "oracle": oracle.RULE,
}
"""The rules by the names that `select_layer`, every search and `svdicl search --layer` take."""


def rule_named(name: str) -> Rule:
    """The rule of this name. Raises ValueError for another."""
    if name not in RULES:
        raise ValueError(f"rule is {name!r}, but must be one of {', '.join(RULES)}")
    return RULES[name]


def rule_table(
    model: nn.Module,
    rule: str,
    modules: str | Iterable[str] = ("mlp", "attn"),
    clip_rates: Iterable[float] = CLIP_RATES,
    validation: ICLEvaluator | None = None,
    expert: Expert = None,
    seed: int = 0,
) -> pd.DataFrame:
    """What a rule says of every layer and module, and of every clip rate above 0 where it tells
    rates apart: layer, module, (clip_rate,) score. The larger the score, the sooner the rule would
    clip there; scores of different rules compare by rank alone.

    `validation` brings the prompts that block-influence reads, and the labels that gradient and
    oracle need. Raises ValueError for an unknown rule, for one that lacks what it needs, and what
    `matrices` raises.
    """
    names = (modules,) if isinstance(modules, str) else tuple(modules)
    question = Question(model, names, tuple(clip_rates), validation, expert, seed)
    return rule_named(rule).scores(question)


def select_layer(
    model: nn.Module,
    module: str,
    top_k: int = 2,
    reduction: str = "max",
    expert: Expert = None,
    rule: str = "condition",
    validation: ICLEvaluator | None = None,
    seed: int = 0,
) -> int:
    """The layer that `rule` would clip: by default the deepest of the `top_k` layers whose `module`
    has the largest condition number (Yao et al. 2024, appendix C.2).

    `reduction` (max, mean or median) joins the condition numbers, or stable ranks, of the module's
    matrices into one. `RULES` names the other rules, `rule_table` shows what they say. Raises
    ValueError if one of the matrices is singular (an infinite condition number would outbid all
    others, whatever they say), for an unknown rule, and for one that lacks what it needs.
    """
    question = Question(
        model,
        (module,),
        validation=validation,
        expert=expert,
        seed=seed,
        top_k=top_k,
        reduction=reduction,
    )
    return rule_named(rule).layer(question)


def layer_of(layer: int | str | None, question: Question) -> int:
    """The layer that is meant: by condition number if `layer` is None, by the rule that it names,
    or itself.
    """
    if layer is None or isinstance(layer, str):
        return rule_named(layer or "condition").layer(question)
    return layer  # anything else is refused where the layer is clipped
