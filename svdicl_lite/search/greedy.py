"""Greedy search over many layers: clip one after the other, keep what helps.

It goes from deep to shallow: a clip leaves the layers below it as they were, so nothing that is
known of them is lost when it is kept. The paper clips one layer (Yao et al. 2024, appendix C.2);
the composing script of LASER (Sharma et al. 2023) searches several. Taught in chapter 07.
"""

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import combinations

from tqdm import tqdm

from svdicl_lite.clipping.matrices import n_layers, roles_of
from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.cells import Cell
from svdicl_lite.search.checks import check_cells, check_clip_rates, check_evaluators
from svdicl_lite.search.journal import Journal
from svdicl_lite.search.results import Comparison


@dataclass(frozen=True)
class Step:
    """A clip that was kept, and where it led."""

    cell: Cell
    validation: Evaluation
    guard: Evaluation | None


@dataclass(frozen=True)
class GreedyResult(Comparison):
    """What the greedy search kept, in order, and the one test before and after all of it."""

    steps: tuple[Step, ...]
    n_tried: int  # clips judged on validation

    def __str__(self) -> str:
        kept = [
            f"{s.cell.module} of layer {s.cell.layer} at ξ = {s.cell.clip_rate:g}: validation"
            f" {s.validation.accuracy:.3f}"
            for s in self.steps
        ]
        return "\n".join(
            [*(kept or ["no clip kept"]), f"of {self.n_tried} clips tried", self.verdict()]
        )


def greedy_search(
    model,
    validation: ICLEvaluator,
    test: ICLEvaluator,
    modules=("mlp", "attn"),
    layers=None,
    clip_rates=CLIP_RATES,
    guard: ICLEvaluator | None = None,
    max_loss: float = 0.02,
    journal: Journal | None = None,
) -> GreedyResult:
    """Goes through `layers` (None: all), the deepest first, and in each through `modules` (mlp,
    attn, all, or roles).

    In each, the rate of the best validation accuracy is kept if that is strictly better than what
    there was; of equals the earliest. `guard`, an evaluator of another task, vetoes a rate at which
    its accuracy falls more than `max_loss` below that of the unclipped model. `journal` keeps what
    is finished. The model is left as it was.
    """
    rates = check_clip_rates(clip_rates)[1:]
    check_evaluators(model, validation, test)
    if guard is not None:
        check_evaluators(model, guard)
    layers = sorted(set(range(n_layers(model)) if layers is None else layers), reverse=True)
    if not layers or not modules:
        raise ValueError(
            f"layers are {layers} and modules {tuple(modules)}, but a greedy search needs one of"
            " each at least"
        )
    check_cells(model, [Cell(layer, module, 0.0) for layer in layers for module in modules])
    for one, other in combinations(modules, 2):
        if both := set(roles_of(one)) & set(roles_of(other)):
            raise ValueError(
                f"modules {one!r} and {other!r} share {', '.join(sorted(both))}, but a greedy"
                " search clips each matrix once; name one of the two"
            )
    steps: list[Step] = []
    replays, clips = {}, {}

    def judge(evaluator: ICLEvaluator, name: str, cell: Cell) -> Evaluation:
        key = {
            "judge": name,
            "prompts": evaluator.digest,
            "after": [asdict(step.cell) for step in steps],
            **asdict(cell),
        }
        if journal is None or (scores := journal.get(key)) is None:
            if (name, cell.layer) not in replays:  # made before the clip is on
                replays[name, cell.layer] = evaluator.from_layer(cell.layer)
            clipped_here = any(step.cell.layer == cell.layer for step in steps)
            with clip_of(cell).at(cell.clip_rate, factored=True):
                scores = replays[name, cell.layer]("all" if clipped_here else cell.module).scores
            if journal is not None:
                journal.add(key, scores)
        return evaluator.outcome(scores)

    def tested(steps: list[Step]) -> Evaluation:  # those in force
        key = {
            "judge": "test",
            "prompts": test.digest,
            "after": [asdict(step.cell) for step in steps],
        }
        if journal is None or (scores := journal.get(key)) is None:
            scores = test().scores
            if journal is not None:
                journal.add(key, scores)
        return test.outcome(scores)

    def clip_of(cell: Cell):
        if cell.place not in clips:
            clips.clear()
            clips[cell.place] = cell.clip(model)
        return clips[cell.place]

    first = Cell(layers[0], modules[0], 0.0)
    before = current = judge(validation, "validation", first)
    floor = judge(guard, "guard", first).accuracy - max_loss if guard is not None else None
    bar = tqdm(
        total=len(layers) * len(modules) * len(rates), desc="greedy", unit="clip", disable=None
    )
    with ExitStack() as kept:
        for layer in layers:
            for module in modules:
                better = None
                for cell in (Cell(layer, module, rate) for rate in rates):
                    outcome = judge(validation, "validation", cell)
                    if outcome.accuracy > (better.validation if better else current).accuracy:
                        guarded = judge(guard, "guard", cell) if guard is not None else None
                        if guarded is None or guarded.accuracy >= floor:
                            better = Step(cell, outcome, guarded)
                    bar.update()
                if better:
                    kept.enter_context(
                        clip_of(better.cell).at(better.cell.clip_rate, factored=True)
                    )
                    steps.append(better)
                    current = better.validation
            for name in ("validation", "guard"):
                replays.pop((name, layer), None)
        bar.close()
        test_after = tested(steps)
    return GreedyResult(before, current, tested([]), test_after, tuple(steps), bar.total)
