"""What a search asks of its rates, cells and evaluators before it begins. Taught in chapter 08."""

from collections.abc import Iterable

from torch import nn

from svdicl_lite.clipping.controls import how_of
from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.svd import check_clip_rate
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.cells import Cell


def check_clip_rates(clip_rates: Iterable[float]) -> tuple[float, ...]:
    """The rates in order; raises ValueError unless they begin with 0, the unclipped model."""
    rates = tuple(check_clip_rate(rate) for rate in clip_rates)
    if not rates or rates[0] != 0:
        raise ValueError(
            f"the first candidate rate must be 0, the model as it is, got {clip_rates!r}"
        )
    return rates


def check_cells(model: nn.Module, cells: Iterable[Cell]) -> None:
    """Raises what `matrices` and `how_of` raise if one of the cells cannot be, before any of them
    is judged.
    """
    for layer, module, expert, method, seed in dict.fromkeys(cell.place for cell in cells):
        matrices(model, layer, module, expert)
        how_of(method, seed)


def check_evaluators(model: nn.Module, *evaluators: ICLEvaluator) -> None:
    """Raises ValueError unless they judge this very model, on examples that no two of them
    share.
    """
    if any(evaluator.model is not model for evaluator in evaluators):
        raise ValueError(
            "the evaluator judges another model than the one to be clipped; make it with the same"
            " model object"
        )
    if len(evaluators) == 2:
        both = evaluators[0].examples & evaluators[1].examples
        if both:
            raise ValueError(
                f"validation and test share {len(both)} examples, {min(both)[:60]!r} for one; a"
                " choice must be judged on others"
            )
