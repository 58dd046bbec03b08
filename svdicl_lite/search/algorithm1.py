"""Algorithm 1: which layer to clip, how much, and whether it was worth it.

Follows appendix C.2 of Yao et al. 2024: condition numbers of all layers, the deepest of the k worst
conditioned, the candidate rates in order, a rate kept when validation improves strictly, one test
at the end. Two things the paper leaves open are parameters here: k, and how the condition numbers
of a module's matrices become one. Taught in chapter 08.
"""

from collections.abc import Iterable
from typing import Literal

from torch import nn
from tqdm import tqdm

from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.reading import check_choose_by, score_of
from svdicl_lite.search.auto import auto_cells
from svdicl_lite.search.cells import Cell, Map, judged
from svdicl_lite.search.checks import check_cells, check_clip_rates, check_evaluators
from svdicl_lite.search.demonstrations import check_same_demonstrations
from svdicl_lite.search.halving import check_race, halved_search
from svdicl_lite.search.journal import Journal
from svdicl_lite.search.results import SearchResult
from svdicl_lite.search.rules.question import Question
from svdicl_lite.search.rules.registry import layer_of


def search_clip_rate(
    model: nn.Module,
    validation: ICLEvaluator,
    test: ICLEvaluator,
    module: str = "mlp",
    layer: int | str | None = None,
    top_k: int = 2,
    reduction: str = "max",
    clip_rates: Iterable[float] | Literal["auto"] = CLIP_RATES,
    expert: int | str | None = None,
    method: str = "svd",
    seed: int = 0,
    journal: Journal | None = None,
    map: Map | None = None,
    choose_by: str = "accuracy",
    halving: bool = False,
) -> SearchResult:
    """Algorithm 1. `layer` None lets the condition numbers choose it, the name of another rule
    (`search.rules.registry`) that one. The model is left as it was.

    Of equal validation scores the earliest rate wins, so a clip must beat the unclipped model to be
    chosen. `method` names what is done at each rate: "svd", or a control of
    `svdicl_lite.clipping.controls`, random ones drawn by `seed`. `clip_rates` "auto" tries one cut,
    each matrix at its noise (`search.auto`). `journal` keeps what is finished, `map` shares the
    work out (see `cells.judged`). `choose_by` is the validation score (`reading.score_of`). With
    `halving` rates are judged for half of the cost (`search.halving`); the choice may be another.
    """
    check_choose_by(choose_by)
    if halving:
        check_race(choose_by, map)
    rates = _rates(clip_rates)
    check_evaluators(model, validation, test)
    check_same_demonstrations(method, validation, test)
    question = Question(
        model, (module,), rates, validation, expert, seed, top_k, reduction, choose_by, journal, map
    )
    cells = _cells(question, layer_of(layer, question), method, isinstance(clip_rates, str))
    outcomes, best = _validated(validation, cells, question, halving)
    candidates = [cells[i] for i in sorted({0, best})]
    tested = [outcome for _, outcome in judged(test, candidates, journal, map)]
    return SearchResult(
        validation_before=outcomes[0],
        validation_after=outcomes[best],
        test_before=tested[0],
        test_after=tested[-1],
        cells=tuple(cells),
        validation=outcomes,
        chosen_cell=cells[best],
        choose_by=choose_by,
    )


def _validated(
    validation: ICLEvaluator, cells: list[Cell], question: Question, halving: bool
) -> tuple[tuple[Evaluation, ...], int]:
    """What validation says of every candidate, and the number of the best."""
    if halving:
        raced = halved_search(validation, cells, question.journal)
        return raced.outcomes, raced.chosen
    work = judged(validation, cells, question.journal, question.map)
    bar = tqdm(work, "validation", len(cells), unit="rate", disable=None)
    outcomes = tuple(outcome for _, outcome in bar)
    # max returns the first of equals, and the first of all is the model as it is
    best = max(range(len(cells)), key=lambda i: score_of(outcomes[i], question.choose_by))
    return outcomes, best


def _cells(question: Question, layer: int, method: str, auto: bool) -> list[Cell]:
    """What is tried in the layer, no clip first."""
    model, (module,), expert = question.model, question.modules, question.expert
    if auto:
        return auto_cells(model, layer, module, expert, method)
    seed = question.seed
    cells = [Cell(layer, module, rate, expert, method, seed) for rate in question.clip_rates]
    check_cells(model, cells)
    return cells


def _rates(clip_rates: Iterable[float] | Literal["auto"]) -> tuple[float, ...]:
    """Those of which a rule may think."""
    if not isinstance(clip_rates, str):
        return check_clip_rates(clip_rates)
    if clip_rates != "auto":
        raise ValueError(f"clip_rates is {clip_rates!r}, but must be 'auto' or a list of numbers")
    return CLIP_RATES
