"""The unit of every search: one module of one layer, clipped at one rate, judged on one set of
prompts.

`judged` works through a list of cells layer by layer, from the bottom up, so that the way to each
layer is run once; it can keep a journal, and it can hand whole layers to the workers of any
executor. Taught in chapter 07.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby
from threading import Lock

import numpy as np

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.controls import how_of
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.journal import Journal


@dataclass(frozen=True)
class Cell:
    """What is done to the model. `seed` matters to random methods only."""

    layer: int
    module: str
    clip_rate: float
    expert: int | None = None
    method: str = "svd"
    seed: int = 0

    @property
    def place(self) -> tuple:
        """What one `Clip` serves: all but the rate."""
        return self.layer, self.module, self.expert, self.method, self.seed

    def clip(self, model) -> Clip:
        return Clip(model, self.layer, self.module, self.expert, how_of(self.method, self.seed))


def judged(
    evaluator: ICLEvaluator,
    cells: Iterable[Cell],
    journal: Journal | None = None,
    map: Callable | None = None,
) -> Iterator[tuple[Cell, Evaluation]]:
    """Yields each cell with what the model answered; layers in order, the model left as it was
    after each.

    What `journal` holds is not computed again, and what is computed is written there. `map` (an
    executor's) shares the layers out to workers, which make their own model and prompts by the
    evaluator's `experiment`; of one layer there is nothing to share. A layer comes back, and into
    the journal, as a whole. Threads take turns, since a clip is a change of the one model they
    have.
    """
    cells = sorted(cells, key=lambda cell: cell.layer)  # stable: within a layer the order given
    known = (
        {} if journal is None else {cell: journal.get(cell_key(evaluator, cell)) for cell in cells}
    )
    todo = [cell for cell in dict.fromkeys(cells) if known.get(cell) is None]
    layers = [list(group) for _, group in groupby(todo, key=lambda cell: cell.layer)]
    fresh = _here(evaluator, layers) if map is None else _elsewhere(evaluator, layers, map)
    for cell in cells:
        if known.get(cell) is None:
            known[cell] = next(fresh)
            if journal is not None:
                journal.add(cell_key(evaluator, cell), known[cell])
        yield cell, evaluator.outcome(known[cell])


def _here(evaluator: ICLEvaluator, layers: list[list[Cell]]) -> Iterator[np.ndarray]:
    judge, known = (
        None,
        {},
        # what leaves the same model is judged once: no clip, whatever the place, and rates that
        # leave
        # the same ranks
    )
    for cells in layers:
        judge = evaluator.from_layer(cells[0].layer, below=judge)
        for place, same in groupby(cells, key=lambda cell: cell.place):
            clip = None
            for cell in same:
                clip = clip or cell.clip(evaluator.model)
                left = (place, clip.ranks(cell.clip_rate)) if cell.clip_rate else "all"
                if left not in known:
                    with clip.at(cell.clip_rate, factored=cell.method == "svd"):
                        known[left] = judge(cell.module).scores
                yield known[left]


def _elsewhere(
    evaluator: ICLEvaluator, layers: list[list[Cell]], map: Callable
) -> Iterator[np.ndarray]:
    if evaluator.experiment is None:
        raise ValueError(
            "workers must make their own model and prompts, so map= needs evaluators made by an"
            " Experiment"
        )
    for scores in map(partial(_one_layer, evaluator.experiment, evaluator.split), layers):
        yield from scores


_turn = Lock()


def _one_layer(experiment, split: str, cells: list[Cell]) -> list[np.ndarray]:
    with _turn:
        return list(_here(experiment.evaluator(split), [cells]))


def cell_key(evaluator: ICLEvaluator, cell: Cell) -> dict:
    """What a journal knows the cell by."""
    return {"split": evaluator.split, "prompts": evaluator.digest, **asdict(cell)}
