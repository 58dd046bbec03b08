"""The sweep that shows what there is to find: every layer × module × rate. Taught in chapter 05."""

from collections.abc import Iterable, Sequence

import pandas as pd
from torch import nn
from tqdm import tqdm

from svdicl_lite.clipping.matrices import n_layers
from svdicl_lite.clipping.svd import CLIP_RATES, check_clip_rate
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.cells import Cell, Map, judged
from svdicl_lite.search.checks import check_cells, check_evaluators
from svdicl_lite.search.journal import Journal


def sweep(
    model: nn.Module,
    evaluator: ICLEvaluator,
    layers: Iterable[int] | None = None,
    modules: str | Sequence[str] = ("mlp", "attn"),
    clip_rates: Iterable[float] = CLIP_RATES,
    expert: int | str | None = None,
    method: str = "svd",
    seed: int = 0,
    journal: Journal | None = None,
    map: Map | None = None,
) -> pd.DataFrame:
    """Every layer × module × rate, as in the paper's Figure 1; the model is left as it was.

    One row a cell: layer, module, clip_rate, n, accuracy, low, high (Wilson, 95 %, for these
    demonstrations), balanced_accuracy, majority_accuracy, discrimination, calibrated_accuracy,
    imbalance, collapsed, and the `Evaluation` itself, which has their intervals over sets.
    `method`, `seed`, `journal` and `map` as for `search_clip_rate`.
    """
    cells = sweep_cells(model, layers, modules, clip_rates, expert, method, seed)
    check_evaluators(model, evaluator)
    check_cells(model, cells)
    work = judged(evaluator, cells, journal, map)
    return sweep_table(tqdm(work, "sweep", len(cells), unit="cell", disable=None))


def sweep_cells(
    model: nn.Module,
    layers: Iterable[int] | None = None,
    modules: str | Sequence[str] = ("mlp", "attn"),
    clip_rates: Iterable[float] = CLIP_RATES,
    expert: int | str | None = None,
    method: str = "svd",
    seed: int = 0,
) -> list[Cell]:
    """The cells of a sweep, module by module, or of one module given as a string; `layers` None
    means all.
    """
    layers = range(n_layers(model)) if layers is None else tuple(layers)
    modules = (modules,) if isinstance(modules, str) else modules
    rates = tuple(check_clip_rate(rate) for rate in clip_rates)
    return [
        Cell(layer, module, rate, expert, method, seed)
        for module in modules
        for layer in layers
        for rate in rates
    ]


def sweep_table(judged: Iterable[tuple[Cell, Evaluation]]) -> pd.DataFrame:
    """The rows of a sweep, whole or interrupted, from pairs of a cell and its outcome; module by
    module, in the order in which they come.
    """
    by_module: dict[str, list[dict[str, object]]] = {}
    for cell, outcome in judged:
        row = {
            "layer": cell.layer,
            "module": cell.module,
            "clip_rate": cell.clip_rate,
            "n": outcome.n,
            "accuracy": outcome.accuracy,
            "low": outcome.interval.low,
            "high": outcome.interval.high,
            "balanced_accuracy": outcome.balanced_accuracy,
            "majority_accuracy": outcome.majority_accuracy,
            "discrimination": outcome.discrimination,
            "calibrated_accuracy": outcome.calibrated_accuracy,
            "imbalance": outcome.imbalance,
            "collapsed": outcome.collapsed,
            "evaluation": outcome,
        }
        by_module.setdefault(cell.module, []).append(row)
    return pd.DataFrame([row for rows in by_module.values() for row in rows])
