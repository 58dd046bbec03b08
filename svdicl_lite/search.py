"""Algorithm 1: which layer to clip, how much, and whether it was worth it; and the sweep that shows what there is to find.

Follows appendix C.2 of Yao et al. 2024: condition numbers of all layers, the deepest of the k worst conditioned, the
candidate rates in order, a rate kept when validation improves strictly, one test at the end. Two things the paper leaves
open are parameters here: k, and how the condition numbers of a module's matrices become one. Taught in chapter 07.
"""

import hashlib
import random
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from svdicl_lite.cells import Cell, judged
from svdicl_lite.controls import batch_bias, calibrate, dropped, how_of
from svdicl_lite.evaluate import ICLEvaluator
from svdicl_lite.journal import Journal
from svdicl_lite.matrices import matrices, n_layers
from svdicl_lite.results import Comparison, SearchResult
from svdicl_lite.svd import CLIP_RATES, check_clip_rate, condition_number, singular_values, stable_rank

REDUCTIONS = ("max", "mean", "median")


def condition_table(model, module: str = "all", expert: int | str | None = None) -> pd.DataFrame:
    """One row per layer and matrix of `module`: sigma_max, sigma_min, condition_number (infinite if singular), stable_rank.

    `expert` keeps to one expert of a mixture, a number or "shared".
    """
    rows = []
    for layer in tqdm(range(n_layers(model)), desc="singular values", unit="layer", disable=None):
        for matrix in matrices(model, layer, module, expert):
            try:
                S = _spectrum(matrix.weight)
            except ValueError as error:
                raise ValueError(f"cannot judge {matrix}: {error}") from None
            rows.append(
                {
                    "layer": layer, "role": matrix.role, "sigma_max": S[0].item(), "sigma_min": S[-1].item(),
                    "condition_number": condition_number(S), "stable_rank": stable_rank(S),
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


_spectra: dict[bytes, Tensor] = {}


def _spectrum(W: Tensor) -> Tensor:
    """`singular_values(W)`, found once for all matrices that hold the same numbers: every search of a model asks for them."""
    W = W.detach().contiguous()
    key = hashlib.sha256(f"{tuple(W.shape)} {W.dtype} {W.device.type}".encode() + W.cpu().view(torch.uint8).numpy().tobytes()).digest()
    if key not in _spectra:
        _spectra[key] = singular_values(W)
    return _spectra[key]


def select_layer(model, module: str, top_k: int = 2, reduction: str = "max", expert: int | str | None = None) -> int:
    """The deepest of the `top_k` layers whose `module` has the largest condition number.

    `reduction` (max, mean or median) joins the condition numbers of the module's matrices into one. Raises ValueError if one of the
    matrices is singular: an infinite condition number would outbid all others, whatever they say.
    """
    check_choice(n_layers(model), top_k, reduction)
    return chosen_layer(condition_table(model, module, expert), top_k, reduction)


def chosen_layer(table: pd.DataFrame, top_k: int = 2, reduction: str = "max") -> int:
    """What `select_layer` says, from a `condition_table` that is there already."""
    check_choice(table["layer"].nunique(), top_k, reduction)
    for row in table[np.isinf(table["condition_number"])].itertuples():
        raise ValueError(
            f"layer {row.layer} {row.role} is singular, so condition numbers cannot choose a layer: one of them is infinite; name the layer yourself"
        )
    return int(table.groupby("layer")["condition_number"].agg(reduction).nlargest(top_k, keep="last").index.max())


def layer_of(model, module: str, layer: int | str | None, top_k: int, reduction: str, expert: int | str | None, seed: int) -> int:
    """The layer that is meant: by condition number if `layer` is None, drawn by `seed` if it is "random", or itself."""
    if layer is None:
        return select_layer(model, module, top_k, reduction, expert)
    return random.Random(f"layer {seed}").randrange(n_layers(model)) if layer == "random" else layer


def check_choice(n_layers: int, top_k: int, reduction: str) -> None:
    """Raises ValueError unless the deepest of `top_k` of `n_layers` layers can be told, the `reduction` being a known one."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is {reduction!r}, but must be one of {', '.join(REDUCTIONS)}")
    if not 1 <= top_k <= n_layers:
        raise ValueError(f"top_k is {top_k}, but must be between 1 and {n_layers}, the number of layers")


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
    done at each rate: "svd", or a control of `svdicl_lite.controls`, random ones drawn by `seed`. `journal` keeps what is finished, `map` shares the work
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
