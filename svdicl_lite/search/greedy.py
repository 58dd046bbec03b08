"""Greedy search over many layers: clip one after the other, keep what helps.

It goes from deep to shallow: a clip leaves the layers below it as they were, so nothing that is
known of them is lost when it is kept. The paper clips one layer (Yao et al. 2024, appendix C.2);
the composing script of LASER (Sharma et al. 2023) searches several. Taught in chapter 08.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from torch import nn
from tqdm import tqdm

from svdicl_lite.clipping.families import roles_of
from svdicl_lite.clipping.matrices import n_layers
from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.cells import Cell
from svdicl_lite.search.checks import check_cells, check_clip_rates, check_evaluators
from svdicl_lite.search.journal import Journal
from svdicl_lite.search.kept import KeptClip, KeptClips
from svdicl_lite.search.results import Comparison
from svdicl_lite.search.shown import result_html, steps_html


@dataclass(frozen=True, repr=False)
class GreedyResult(Comparison):
    """What the greedy search kept, in order, and the one test before and after all of it."""

    steps: tuple[KeptClip, ...]
    n_tried: int  # clips judged on validation
    n_refused: int = 0  # of them better on validation, and refused by the guard

    @property
    def done(self) -> str:
        """How many clips were tried, and kept."""
        return f"{len(self.steps) or 'no'} clip{'s' * (len(self.steps) != 1)} kept {self._tried}"

    @property
    def _tried(self) -> str:
        refused = f", {self.n_refused} refused by the guard" if self.n_refused else ""
        return f"of {self.n_tried} clips tried{refused}"

    def __str__(self) -> str:
        kept = [str(step) for step in self.steps] or ["no clip kept"]
        return "\n".join([*kept, self._tried, self.verdict()])

    def _repr_html_(self) -> str:
        return result_html(self, steps_html(self.steps))


def greedy_search(
    model: nn.Module,
    validation: ICLEvaluator,
    test: ICLEvaluator,
    modules: Sequence[str] = ("mlp", "attn"),
    layers: Iterable[int] | None = None,
    clip_rates: Iterable[float] = CLIP_RATES,
    guard: ICLEvaluator | None = None,
    max_loss: float = 0.02,
    journal: Journal | None = None,
) -> GreedyResult:
    """Goes through `layers` (None: all), the deepest first, and in each through `modules` (mlp,
    attn, all, or roles).

    In each, the rate of the best validation accuracy is kept if that is strictly better than what
    there was; of equals the earliest. `guard`, an evaluator of another task, vetoes a rate at which
    its accuracy falls more than `max_loss` below that of the unclipped model (below 0, it must
    rise). `journal` keeps what is finished. The model is left as it was.
    """
    rates = check_clip_rates(clip_rates)[1:]
    check_evaluators(model, validation, test)
    if guard is not None:
        check_evaluators(model, guard)
        if math.isnan(max_loss):
            raise ValueError("max_loss is nan, but must be a number, such as 0.02")
    layers = sorted(set(range(n_layers(model)) if layers is None else layers), reverse=True)
    _check_places(model, layers, modules)
    n_tried = len(layers) * len(modules) * len(rates)
    with KeptClips(model, journal) as kept:
        unclipped = Cell(layers[0], modules[0], 0.0)
        before = current = kept.judge("validation", validation, unclipped)
        veto = _Veto(kept, guard, max_loss, unclipped)
        bar: tqdm[Any]
        with tqdm(total=n_tried, desc="greedy", unit="clip", disable=None) as bar:
            for layer in layers:
                for module in modules:
                    cells = [Cell(layer, module, rate) for rate in rates]
                    better = _best(kept, validation, veto, cells, current, bar)
                    if better is not None:
                        kept.keep(better)
                        current = better.validation
                kept.leave(layer)
        test_after, steps = kept.test(test), tuple(kept.clips)
    test_before = kept.test(test)
    return GreedyResult(before, current, test_before, test_after, steps, n_tried, veto.n_refused)


class _Veto:
    """What the guard says of a cell, and whether it lets it pass."""

    def __init__(
        self, kept: KeptClips, guard: ICLEvaluator | None, max_loss: float, unclipped: Cell
    ):
        self.kept, self.guard, self.floor, self.n_refused = kept, guard, -math.inf, 0
        if guard is not None:
            self.floor = kept.judge("guard", guard, unclipped).accuracy - max_loss

    def asks(self, cell: Cell) -> tuple[Evaluation | None, bool]:
        """(the guard's outcome, whether the cell may be kept)."""
        if self.guard is None:
            return None, True
        outcome = self.kept.judge("guard", self.guard, cell)
        self.n_refused += outcome.accuracy < self.floor
        return outcome, outcome.accuracy >= self.floor


def _best(
    kept: KeptClips,
    validation: ICLEvaluator,
    veto: _Veto,
    cells: list[Cell],
    current: Evaluation,
    bar: "tqdm[Any]",
) -> KeptClip | None:
    """The first of the best cells of one place, if it is better than `current` and not vetoed."""
    better = None
    for cell in cells:
        outcome = kept.judge("validation", validation, cell)
        best = current if better is None else better.validation
        if outcome.accuracy > best.accuracy:
            guarded, may_pass = veto.asks(cell)
            if may_pass:
                better = KeptClip(cell, outcome, guarded)
        bar.update()
    return better


def _check_places(model: nn.Module, layers: list[int], modules: Sequence[str]) -> None:
    """Raises ValueError unless there is something to clip, and nothing twice."""
    if not layers or not modules:
        raise ValueError(
            f"layers are {layers} and modules {tuple(modules)}, but a greedy search needs one of"
            " each at least"
        )
    check_cells(model, [Cell(layer, module, 0.0) for layer in layers for module in modules])
    for one, other in combinations(modules, 2):
        both = set(roles_of(one)) & set(roles_of(other))
        if both:
            raise ValueError(
                f"modules {one!r} and {other!r} share {', '.join(sorted(both))}, but a greedy"
                " search clips each matrix once; name one of the two"
            )
