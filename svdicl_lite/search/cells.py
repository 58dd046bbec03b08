"""The unit of every search: one module of one layer, clipped at one rate, judged on one set of
prompts.

`judged` works through a list of cells layer by layer, from the bottom up, so that the way to each
layer is run once; it can keep a journal, and it can hand whole layers to the workers of any
executor. Taught in chapter 08.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby
from threading import Lock
from typing import Any

from torch import nn

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.methods import clip_by
from svdicl_lite.clipping.whitened import OF_INPUTS
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.tokens import Tokens
from svdicl_lite.search.demonstrations import demonstration_tokens
from svdicl_lite.search.experiment import Experiment, digests, evaluator_by
from svdicl_lite.search.journal import Journal, Scores

Map = Callable[..., Iterable[Any]]
"""An executor's `map`: what the function says of each item, in the order of the items."""


@dataclass(frozen=True)
class Cell:
    """What is done to the model. `seed` matters to random methods only."""

    layer: int
    module: str
    clip_rate: float
    expert: int | str | None = None
    method: str = "svd"
    seed: int = 0

    @property
    def place(self) -> tuple[int, str, int | str | None, str, int]:
        """What one `Clip` serves: all but the rate."""
        return self.layer, self.module, self.expert, self.method, self.seed

    @property
    def named(self) -> str:
        """As in: mlp of layer 3 at ξ = 0.99."""
        return f"{self.module} of layer {self.layer} at ξ = {self.clip_rate:g}"

    def clip(self, model: nn.Module, evaluator: ICLEvaluator | None = None) -> Clip:
        """The `Clip` of this place, factored once for all rates. A method that fits inputs reads
        the demonstrations of `evaluator`.
        """
        shown: list[Tokens] = []
        if self.method in OF_INPUTS and evaluator is not None:
            shown = demonstration_tokens(evaluator)
        place = self.layer, self.module, self.expert
        return clip_by(self.method, model, *place, shown, self.seed)


def judged(
    evaluator: ICLEvaluator,
    cells: Iterable[Cell],
    journal: Journal | None = None,
    map: Map | None = None,
) -> Iterator[tuple[Cell, Evaluation]]:
    """Yields each cell with what the model answered; layers in order, the model left as it was
    after each.

    What `journal` holds is not computed again, and what is computed is written there. `map` (an
    executor's) shares the layers out to workers, which make their own model and prompts by the
    evaluator's `experiment`, and refuse to work if theirs are not the evaluator's own; of one layer
    there is nothing to share. A layer comes back, and into the journal, as a whole. Threads take
    turns, since a clip is a change of the one model they have.
    """
    cells = sorted(cells, key=lambda cell: cell.layer)  # stable: within a layer the order given
    known = _remembered(evaluator, cells, journal)
    todo = [cell for cell in dict.fromkeys(cells) if cell not in known]
    layers = [list(group) for _, group in groupby(todo, key=lambda cell: cell.layer)]
    fresh = _here(evaluator, layers) if map is None else _elsewhere(evaluator, layers, map)
    for cell in cells:
        if cell not in known:
            known[cell] = next(fresh)
            if journal is not None:
                journal.add(cell_key(evaluator, cell), known[cell])
        yield cell, evaluator.outcome(known[cell])


def _remembered(
    evaluator: ICLEvaluator, cells: list[Cell], journal: Journal | None
) -> dict[Cell, Scores]:
    """The scores of those cells that the journal holds."""
    if journal is None:
        return {}
    found = {cell: journal.get(cell_key(evaluator, cell)) for cell in cells}
    return {cell: scores for cell, scores in found.items() if scores is not None}


def _here(evaluator: ICLEvaluator, layers: list[list[Cell]]) -> Iterator[Scores]:
    """The scores of every cell, judged in this process, layer by layer."""
    judge = None
    # What leaves the same model is judged once: no clip, whatever the place, and rates that leave
    # the same ranks.
    known: dict[Hashable, Scores] = {}
    for cells in layers:
        judge = evaluator.from_layer(cells[0].layer, below=judge)
        for place, same_place in groupby(cells, key=lambda cell: cell.place):
            clip = None
            for cell in same_place:
                clip = clip or cell.clip(evaluator.model, evaluator)
                left = (place, clip.ranks(cell.clip_rate)) if cell.clip_rate else "all"
                if left not in known:
                    with clip.at(cell.clip_rate, factored=cell.method in ("svd", *OF_INPUTS)):
                        known[left] = judge(cell.module).scores
                yield known[left]


def _elsewhere(evaluator: ICLEvaluator, layers: list[list[Cell]], map: Map) -> Iterator[Scores]:
    """The scores of every cell, judged by workers, who take whole layers."""
    if evaluator.experiment is None:
        raise ValueError(
            "workers must make their own model and prompts, so map= needs evaluators made by an"
            " Experiment"
        )
    work = partial(_one_layer, evaluator.experiment, evaluator.split, digests(evaluator))
    for scores in map(work, layers):
        yield from scores


_turn = Lock()  # of threads, which share one model


def _one_layer(
    experiment: Experiment, split: str, wanted: dict[str, str], cells: list[Cell]
) -> list[Scores]:
    """A worker's part: the cells of one layer, on the very model and prompts of who asks."""
    with _turn:
        return list(_here(evaluator_by(experiment, split, wanted), [cells]))


def cell_key(evaluator: ICLEvaluator, cell: Cell) -> dict[str, Any]:
    """What a journal knows the cell by."""
    return {"split": evaluator.split, "prompts": evaluator.digest, **asdict(cell)}
