"""What a rule that chooses a layer is asked, and what it is. Taught in chapter 08."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from torch import nn

from svdicl_lite.clipping.matrices import Expert, n_layers
from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.cells import Map
from svdicl_lite.search.journal import Journal

Needs = Literal["weights", "prompts", "labels"]


@dataclass(frozen=True)
class Question:
    """Which layer of `model` should have one of `modules` clipped?

    `clip_rates` are those that may be taken, `validation` brings prompts and labels to the rules
    that need them. `top_k` and `reduction` are for the rules of spectra, `seed` for the random one,
    `choose_by`, `journal` and `map` for the oracle, as in `search_clip_rate`.
    """

    model: nn.Module
    modules: tuple[str, ...]
    clip_rates: tuple[float, ...] = CLIP_RATES
    validation: ICLEvaluator | None = None
    expert: Expert = None
    seed: int = 0
    top_k: int = 2
    reduction: str = "max"
    choose_by: str = "accuracy"
    journal: Journal | None = None
    map: Map | None = None

    @property
    def rates(self) -> tuple[float, ...]:
        """The rates that clip something. Raises ValueError if there is none."""
        rates = tuple(rate for rate in self.clip_rates if rate > 0)
        if not rates:
            raise ValueError(
                f"clip_rates are {self.clip_rates!r}, but a rule that compares clips needs a rate"
                " above 0"
            )
        return rates

    def evaluator(self, rule: str, needed: str) -> ICLEvaluator:
        """`validation`. Raises ValueError if there is none, or if it judges another model."""
        if self.validation is None:
            raise ValueError(
                f"rule {rule!r} needs {needed}, but there are none; say validation=…, an"
                " ICLEvaluator, or take a rule of weights, such as 'condition'"
            )
        if self.validation.model is not self.model:
            raise ValueError(
                f"rule {rule!r} is given an evaluator of another model than the one to be clipped;"
                " make it with the same model object"
            )
        return self.validation


@dataclass(frozen=True)
class Rule:
    """A rule: `scores` makes a table with a row for each layer and module, and for each clip rate
    above 0 where the rule tells rates apart, with the columns layer, module, (clip_rate,) score;
    the larger the score, the sooner the rule would clip there.

    The layer is that of the largest score, of equals the first in the table, unless `choose` says
    it. `needs` is what must be known beside the model.
    """

    scores: Callable[[Question], pd.DataFrame]
    needs: Needs
    description: str
    choose: Callable[[Question], int] | None = None

    def layer(self, question: Question) -> int:
        """The layer that the rule would clip. Raises what `scores` and `choose` raise."""
        if self.choose is not None:
            return self.choose(question)
        table = self.scores(question)
        return int(table.loc[table["score"].idxmax(), "layer"])


def same_for_all_modules(question: Question, scores: Iterable[float]) -> pd.DataFrame:
    """The table of a rule that looks at whole layers: `scores`, one for each layer."""
    of_layers = list(scores)
    rows = [
        {"layer": layer, "module": module, "score": of_layers[layer]}
        for module in question.modules
        for layer in range(n_layers(question.model))
    ]
    return pd.DataFrame(rows)
