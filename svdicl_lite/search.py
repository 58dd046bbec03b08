"""Algorithm 1: which layer to clip, how much, and whether it was worth it; and the sweep that shows what there is to find.

Follows appendix C.2 of Yao et al. 2024: condition numbers of all layers, the deepest of the k worst conditioned, the
candidate rates in order, a rate kept when validation improves strictly, one test at the end. Two things the paper leaves
open are parameters here: k, and how the condition numbers of a module's matrices become one. Taught in chapter 07.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from tqdm import tqdm

from svdicl_lite.cells import Cell, judged
from svdicl_lite.clipping.controls import dropped, how_of
from svdicl_lite.clipping.matrices import matrices, n_layers
from svdicl_lite.clipping.spectra import layer_of
from svdicl_lite.clipping.svd import CLIP_RATES, check_clip_rate
from svdicl_lite.journal import Journal
from svdicl_lite.results import Comparison, SearchResult
from svdicl_lite.scoring.calibration import batch_bias, calibrate
from svdicl_lite.scoring.evaluator import ICLEvaluator


def check_clip_rates(clip_rates) -> tuple[float, ...]:
    """The rates in order; raises ValueError unless they begin with 0, the unclipped model."""
    rates = tuple(check_clip_rate(rate) for rate in clip_rates)
    if not rates or rates[0] != 0:
        raise ValueError(f"the first candidate rate must be 0, the model as it is, got {clip_rates!r}")
    return rates


def search_clip_rate(
    model, validation: ICLEvaluator, test: ICLEvaluator, module: str = "mlp", layer: int | str | None = None, top_k: int = 2, reduction: str = "max",
    clip_rates=CLIP_RATES, expert: int | None = None, method: str = "svd", seed: int = 0, journal: Journal | None = None, map: Callable | None = None,
) -> SearchResult:  # fmt: skip
    """Algorithm 1. `layer` None lets the condition numbers choose it, "random" lets `seed`. The model is left as it was.

    Of equal validation scores the earliest rate wins, so a clip must beat the unclipped model to be chosen. `method` names what is
    done at each rate: "svd", or a control of `svdicl_lite.clipping.controls`, random ones drawn by `seed`. `journal` keeps what is finished, `map` shares the work
    out (see `cells.judged`).
    """
    rates = check_clip_rates(clip_rates)
    check_evaluators(model, validation, test)
    layer = layer_of(model, module, layer, top_k, reduction, expert, seed)
    cells = [Cell(layer, module, rate, expert, method, seed) for rate in rates]
    check_cells(model, cells)
    bar = tqdm(judged(validation, cells, journal, map), total=len(cells), desc="validation", unit="rate", disable=None)
    outcomes = [outcome for _, outcome in bar]
    best = max(range(len(cells)), key=lambda i: outcomes[i].accuracy)  # max returns the first of equals
    tested = [outcome for _, outcome in judged(test, [cells[i] for i in sorted({0, best})], journal, map)]
    return SearchResult(outcomes[0], outcomes[best], tested[0], tested[-1], tuple(cells), tuple(outcomes), cells[best])


def sweep(
    model, evaluator: ICLEvaluator, layers=None, modules=("mlp", "attn"), clip_rates=CLIP_RATES, expert: int | None = None, method: str = "svd",
    seed: int = 0, journal: Journal | None = None, map: Callable | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Every layer × module × rate, as in the paper's Figure 1; the model is left as it was.

    One row a cell: layer, module, clip_rate, n, accuracy, low, high (Wilson, 95 %), balanced_accuracy, and the
    `Evaluation` itself.
    """
    cells = sweep_cells(model, layers, modules, clip_rates, expert, method, seed)
    check_evaluators(model, evaluator)
    check_cells(model, cells)
    bar = tqdm(judged(evaluator, cells, journal, map), total=len(cells), desc="sweep", unit="cell", disable=None)
    return sweep_table(bar)


def sweep_cells(model, layers=None, modules=("mlp", "attn"), clip_rates=CLIP_RATES, expert=None, method="svd", seed=0) -> list[Cell]:
    """The cells of a sweep, module by module, or of one module given as a string; `layers` None means all."""
    layers = range(n_layers(model)) if layers is None else tuple(layers)
    modules = (modules,) if isinstance(modules, str) else modules
    rates = tuple(check_clip_rate(rate) for rate in clip_rates)
    return [Cell(layer, module, rate, expert, method, seed) for module in modules for layer in layers for rate in rates]


def sweep_table(judged) -> pd.DataFrame:
    """The rows of a sweep, whole or broken off, from pairs of a cell and its outcome."""
    rows = []
    for cell, outcome in judged:
        rows.append(
            {
                "layer": cell.layer, "module": cell.module, "clip_rate": cell.clip_rate, "n": outcome.n, "accuracy": outcome.accuracy,
                "low": outcome.interval.low, "high": outcome.interval.high, "balanced_accuracy": outcome.balanced_accuracy, "evaluation": outcome,
            }
        )  # fmt: skip
    modules = list(dict.fromkeys(row["module"] for row in rows))
    return pd.DataFrame(sorted(rows, key=lambda row: modules.index(row["module"])))


def compare(validation: ICLEvaluator, test: ICLEvaluator, change: Callable) -> Comparison:
    """Before and after any change of the model: `change()` is a context in which it is in force, such as `controls.dropped`."""
    check_evaluators(validation.model, validation, test)
    before = validation(), test()
    with change():
        return Comparison(before[0], validation(), before[1], test())


def calibration(validation: ICLEvaluator, test: ICLEvaluator) -> Comparison:
    """What subtracting each prompt's preference for a label word gains without any clip (batch calibration, Zhou et al. 2023).

    The preference is measured on validation, set of demonstrations by set, without its labels, so both evaluators must share their sets.
    """
    if validation.seeds != test.seeds:
        raise ValueError(f"validation has the demonstration seeds {validation.seeds} and test {test.seeds}, but a bias belongs to its demonstrations")
    check_evaluators(validation.model, validation, test)
    before = validation(), test()
    sets = before[0].demonstration_sets
    bias = np.stack([batch_bias(before[0].scores[sets == number]) for number in range(len(validation.seeds))])  # (sets, C)
    after = (calibrate(outcome, bias[outcome.demonstration_sets]) for outcome in before)
    return Comparison(before[0], next(after), before[1], next(after))


WITHOUT_RATE = ("drop-block", "calibration")
"""Controls that have no clip rate, and so nothing to choose by validation."""


def control(
    validation: ICLEvaluator, test: ICLEvaluator, method: str, module: str = "mlp", layer: int | str | None = None, top_k: int = 2,
    reduction: str = "max", seed: int = 0,
) -> tuple[int | None, Comparison]:  # fmt: skip
    """A control of `WITHOUT_RATE`, and the layer it was done to: that which `search_clip_rate` would clip, none for calibration."""
    if method not in WITHOUT_RATE:
        raise ValueError(f"method is {method!r}, but must be one of {', '.join(WITHOUT_RATE)}; search_clip_rate takes the others")
    if method == "calibration":
        return None, calibration(validation, test)
    layer = layer_of(validation.model, module, layer, top_k, reduction, None, seed)
    return layer, compare(validation, test, lambda: dropped(validation.model, layer))


def check_cells(model, cells: list[Cell]) -> None:
    """Raises what `matrices` and `how_of` raise if one of the cells cannot be, before any of them is judged."""
    for layer, module, expert, method, seed in dict.fromkeys(cell.place for cell in cells):
        matrices(model, layer, module, expert)
        how_of(method, seed)


def check_evaluators(model, *evaluators: ICLEvaluator) -> None:
    """Raises ValueError unless they judge this very model, on examples that no two of them share."""
    if any(evaluator.model is not model for evaluator in evaluators):
        raise ValueError("the evaluator judges another model than the one to be clipped; make it with the same model object")
    if len(evaluators) == 2 and (both := evaluators[0].examples & evaluators[1].examples):
        raise ValueError(f"validation and test share {len(both)} examples, {min(both)[:60]!r} for one; a choice must be judged on others")
