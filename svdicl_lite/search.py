"""Algorithm 1: which layer to clip, how much, and whether it was worth it.

Follows appendix C.2 of Yao et al. 2024: condition numbers of all layers, the deepest of the k worst conditioned, the
candidate rates in order, a rate kept when validation improves strictly, one test at the end. Two things the paper leaves
open are parameters here: k, and how the condition numbers of a module's matrices become one. Taught in chapter 07.
"""

from dataclasses import dataclass

import pandas as pd
from tqdm import tqdm

from svdicl_lite.clip import Clip
from svdicl_lite.evaluate import Evaluation, ICLEvaluator
from svdicl_lite.matrices import matrices, n_layers
from svdicl_lite.stats import Interval, mcnemar, paired_bootstrap
from svdicl_lite.svd import CLIP_RATES, check_clip_rate, condition_number, singular_values, stable_rank

REDUCTIONS = ("max", "mean", "median")


def condition_table(model, module: str = "all") -> pd.DataFrame:
    """One row per layer and matrix of `module`: sigma_max, sigma_min, condition_number, stable_rank."""
    rows = []
    for layer in range(n_layers(model)):
        for matrix in matrices(model, layer, module):
            try:
                S = singular_values(matrix.weight)
            except ValueError as error:
                raise ValueError(f"cannot judge {matrix}: {error}") from None
            rows.append(
                {
                    "layer": layer, "role": matrix.role, "sigma_max": S[0].item(), "sigma_min": S[-1].item(),
                    "condition_number": condition_number(S), "stable_rank": stable_rank(S),
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def select_layer(model, module: str, top_k: int = 2, reduction: str = "max") -> int:
    """The deepest of the `top_k` layers whose `module` has the largest condition number.

    `reduction` (max, mean or median) joins the condition numbers of the module's matrices into one.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is {reduction!r}, but must be one of {', '.join(REDUCTIONS)}")
    if not 1 <= top_k <= n_layers(model):
        raise ValueError(f"top_k is {top_k}, but must be between 1 and {n_layers(model)}, the number of layers")
    by_layer = condition_table(model, module).groupby("layer")["condition_number"].agg(reduction)
    return int(by_layer.nlargest(top_k, keep="last").index.max())


def check_clip_rates(clip_rates) -> tuple[float, ...]:
    """The rates in order; raises ValueError unless they begin with 0, the unclipped model."""
    rates = tuple(check_clip_rate(rate) for rate in clip_rates)
    if not rates or rates[0] != 0:
        raise ValueError(f"the first candidate rate must be 0, the model as it is, got {clip_rates!r}")
    return rates


@dataclass(frozen=True)
class SearchResult:
    """What Algorithm 1 found: every validation outcome, the choice, and the one test before and after."""

    layer: int
    module: str
    clip_rates: tuple[float, ...]
    validation: tuple[Evaluation, ...]  # one per rate
    clip_rate: float  # the chosen one
    test_before: Evaluation
    test_after: Evaluation

    @property
    def chosen(self) -> Evaluation:
        """The validation outcome of the chosen rate."""
        return self.validation[self.clip_rates.index(self.clip_rate)]

    @property
    def test_gain(self) -> float:
        return self.test_after.accuracy - self.test_before.accuracy

    @property
    def validation_gain(self) -> float:
        return self.chosen.accuracy - self.validation[0].accuracy

    @property
    def optimism(self) -> float:
        """Validation gain minus test gain: what choosing the best of many on the same data adds to a gain."""
        return self.validation_gain - self.test_gain

    @property
    def p_value(self) -> float:
        """Exact McNemar test of before against after, on the test set."""
        return mcnemar(self.test_before.correct, self.test_after.correct)

    @property
    def gain_interval(self) -> Interval:
        """95 % paired bootstrap interval of the test gain."""
        return paired_bootstrap(self.test_before.correct, self.test_after.correct)

    def __str__(self) -> str:
        low, high = self.gain_interval
        return (
            f"{self.module} of layer {self.layer} at ξ = {self.clip_rate:g}; validation promised {self.validation_gain:+.3f}\n"
            f"test accuracy {self.test_before.accuracy:.3f} → {self.test_after.accuracy:.3f}, n = {self.test_after.n:,}\n"
            f"gain {self.test_gain:+.3f} [{low:+.3f}, {high:+.3f}], McNemar p = {self.p_value:.2g}"
        )


def search_clip_rate(
    model, validation: ICLEvaluator, test: ICLEvaluator, module: str = "mlp", layer: int | None = None, top_k: int = 2,
    reduction: str = "max", clip_rates=CLIP_RATES,
) -> SearchResult:  # fmt: skip
    """Algorithm 1. `layer` None lets the condition numbers choose it. The model is left as it was.

    Of equal validation scores the earliest rate wins, so a clip must beat the unclipped model to be chosen.
    """
    rates = check_clip_rates(clip_rates)
    _check_same_model(model, validation, test)
    if layer is None:
        layer = select_layer(model, module, top_k, reduction)
    clip = Clip(model, layer, module)
    outcomes = _at_each_rate(clip, module, rates, validation.from_layer(layer))
    best = max(range(len(rates)), key=lambda i: outcomes[i].accuracy)  # max returns the first of equals
    before, *after = _at_each_rate(clip, module, sorted({0.0, rates[best]}), test.from_layer(layer))
    after = after[0] if after else before
    return SearchResult(layer, module, rates, tuple(outcomes), rates[best], before, after)


def sweep(model, evaluator: ICLEvaluator, layers=None, modules=("mlp", "attn"), clip_rates=CLIP_RATES) -> pd.DataFrame:
    """Every layer × module × rate, as in the paper's Figure 1; the model is left as it was.

    One row a cell: layer, module, clip_rate, n, accuracy, low, high (Wilson, 95 %), balanced_accuracy, and the
    `Evaluation` itself.
    """
    layers, modules = range(n_layers(model)) if layers is None else sorted(layers), tuple(modules)
    clip_rates = tuple(check_clip_rate(rate) for rate in clip_rates)
    _check_same_model(model, evaluator)
    rows, judge = [], None
    bar = tqdm(total=len(layers) * len(modules), desc="sweep", unit="module", disable=None)
    for layer in layers:
        judge = evaluator.from_layer(layer, below=judge)
        for module in modules:
            outcomes = _at_each_rate(Clip(model, layer, module), module, clip_rates, judge)
            for rate, outcome in zip(clip_rates, outcomes):
                low, high = outcome.interval
                rows.append(
                    {
                        "layer": layer, "module": module, "clip_rate": rate, "n": outcome.n, "accuracy": outcome.accuracy,
                        "low": low, "high": high, "balanced_accuracy": outcome.balanced_accuracy, "evaluation": outcome,
                    }
                )  # fmt: skip
            bar.update()
    bar.close()
    return pd.DataFrame(sorted(rows, key=lambda row: modules.index(row["module"])))


def _at_each_rate(clip: Clip, module: str, clip_rates, judge) -> list[Evaluation]:
    outcomes = []
    for rate in clip_rates:
        with clip.at(rate):
            outcomes.append(judge(module))
    return outcomes


def _check_same_model(model, *evaluators) -> None:
    if any(evaluator.model is not model for evaluator in evaluators):
        raise ValueError("the evaluator judges another model than the one to be clipped; make it with the same model object")
