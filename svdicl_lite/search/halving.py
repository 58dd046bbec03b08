"""Successive halving: validation prompts are spent on the candidates that are still in the race.

Algorithm 1 judges every rate on every validation prompt, though most rates are out of the race
after a few. Here all are judged on a first part, the better half of them on the next, and so on,
until no clip and the last one have seen every prompt (Jamieson & Talwalkar 2016, "Non-stochastic
best arm identification and hyperparameter optimization"). No clip, the candidate to beat, stays in
to the end. Taught in chapter 10.
"""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np

from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.prompts import Prompts
from svdicl_lite.search.cells import Cell, Map, judged
from svdicl_lite.search.checks import check_cells
from svdicl_lite.search.journal import Journal

Judge = Callable[[Sequence[int], int, int], Sequence[np.ndarray]]
"""Of these candidates, whether each prompt from the second to the third number was answered right:
a bool array for each.
"""


@dataclass(frozen=True)
class Halved:
    """Who won, and what it took."""

    chosen: int  # the candidate's number; 0 is no clip
    n_seen: tuple[int, ...]  # prompts on which each candidate was judged
    right: tuple[int, ...]  # of those

    @property
    def cost(self) -> int:
        """Prompts that were judged, over all candidates."""
        return sum(self.n_seen)


def cuts(n_candidates: int, n_prompts: int) -> list[int]:
    """After how many prompts candidates leave, half of the clips each time; the last number is all
    prompts.

    >>> cuts(8, 400)
    [100, 200, 400]
    """
    rounds = 1
    while (n_candidates - 1) >> rounds > 1:
        rounds += 1
    # where prompts are few, rounds that would read none are left out
    return sorted({max(1, n_prompts >> (rounds - number)) for number in range(rounds + 1)})


def halve(judge: Judge, n_candidates: int, n_prompts: int) -> Halved:
    """The candidate of the highest accuracy among those who stay to the end, the first of equals;
    number 0 is no clip, and always stays. Raises ValueError for no candidates or no prompts.
    """
    if n_candidates < 1 or n_prompts < 1:
        raise ValueError(
            f"a race needs candidates and prompts, but there are {n_candidates} and {n_prompts}"
        )
    seen, right = [0] * n_candidates, [0] * n_candidates
    racing, start = list(range(n_candidates)), 0
    for end in cuts(n_candidates, n_prompts):
        for i, answers in zip(racing, judge(racing, start, end)):
            seen[i] += end - start
            right[i] += int(np.sum(answers))
        start = end
        if end < n_prompts:
            clips = sorted((i for i in racing if i), key=lambda i: (-right[i], i))
            racing = [0, *sorted(clips[: max(1, len(clips) // 2)])]
    chosen = max(racing, key=lambda i: right[i])  # max: the first of equals
    return Halved(chosen, tuple(seen), tuple(right))


@dataclass(frozen=True)
class Agreement:
    """How halving did in searches on prompts that were drawn anew from those there are."""

    same: np.ndarray  # (searches,) bool: whether it chose as the full search does
    lost: np.ndarray  # (searches,) accuracy of the full search's choice less that of its own
    cost: np.ndarray  # (searches,) prompts judged, as a share of the full search's


def simulated(correct: np.ndarray, n_searches: int = 200, seed: int = 0) -> Agreement:
    """Races among candidates whose answers are known: `correct` (candidates, N) bool, no clip
    first. Each search draws N prompts with replacement; both ways of searching read the same ones.
    """
    n = correct.shape[1]
    draws = (np.random.default_rng(seed + i).integers(n, size=n) for i in range(n_searches))
    same, lost, cost = np.array([_both_ways(correct[:, drawn]) for drawn in draws]).T
    return Agreement(same.astype(bool), lost, cost)


def _both_ways(correct: np.ndarray) -> tuple[bool, float, float]:
    """Of one search: same choice, accuracy lost, share of the cost."""
    full = int(correct.sum(1).argmax())  # the first of equals
    halved = halve(lambda racing, a, b: [correct[i, a:b] for i in racing], *correct.shape)
    accuracy = correct.mean(1)
    return (
        full == halved.chosen,
        accuracy[full] - accuracy[halved.chosen],
        halved.cost / correct.size,
    )


@dataclass(frozen=True)
class Raced(Halved):
    """A race on a model, with what each candidate answered to the prompts on which it was judged,
    in the evaluator's order.
    """

    outcomes: tuple[Evaluation, ...]


def halved_search(
    validation: ICLEvaluator, cells: Sequence[Cell], journal: Journal | None = None
) -> Raced:
    """`halve` on a model, which is left as it was: cells[0] is no clip, and prompts are taken from
    every set of demonstrations alike. `journal` keeps what is finished.

    Raises what `check_cells` raises, and ValueError where the first candidate is a clip.
    """
    if not cells or cells[0].clip_rate != 0:
        raise ValueError("the first candidate must be no clip, a cell of rate 0")
    check_cells(validation.model, cells)
    parts: list[list[Evaluation]] = [[] for _ in cells]
    rows: list[int] = []  # of the evaluator, in the order in which they were judged

    def judge(racing: Sequence[int], start: int, end: int) -> list[np.ndarray]:
        part = part_of(validation, start, end)
        rows.extend(sorted(_in_turn(validation)[start:end]))
        found = dict(judged(part, [cells[i] for i in racing], journal))
        for i in racing:
            parts[i].append(found[cells[i]])
        return [found[cells[i]].correct for i in racing]

    halved = halve(judge, len(cells), len(validation.demonstration_sets))
    sets = validation.demonstration_sets
    outcomes = tuple(_joined(of_cell, rows, sets) for of_cell in parts)
    return Raced(halved.chosen, halved.n_seen, halved.right, outcomes)


def check_race(choose_by: str, map: Map | None) -> None:
    """Raises ValueError for a search that cannot be a race."""
    if choose_by != "accuracy":
        raise ValueError(
            f"choose_by is {choose_by!r}, but halving counts right answers, as other scores say too"
            " little after a few prompts; take accuracy, or no halving"
        )
    if map is not None:
        raise ValueError(
            "halving decides round by round in one process, so it has nothing to share out; leave"
            " map (--workers) or halving out"
        )


def _joined(parts: Sequence[Evaluation], rows: Sequence[int], sets: np.ndarray) -> Evaluation:
    """One outcome of several, whose examples stand in `rows` of an evaluator one after another."""
    seen = np.array(rows[: sum(part.n for part in parts)])
    order = seen.argsort()
    scores = np.concatenate([part.scores for part in parts])[order]
    labels = np.concatenate([part.labels for part in parts])[order]
    return Evaluation(scores, labels, sets[seen[order]])


def _in_turn(evaluator: ICLEvaluator) -> list[int]:
    """The evaluator's prompts, by their place in its outcomes, when they are taken in turn from its
    sets of demonstrations.
    """
    turns, first = [], 0
    for number, prompts in enumerate(evaluator.groups):
        turns += [(i, number, first + i) for i in range(len(prompts.labels))]
        first += len(prompts.labels)
    return [place for _, _, place in sorted(turns)]


def part_of(evaluator: ICLEvaluator, start: int, end: int) -> ICLEvaluator:
    """A judge by some of the evaluator's prompts: number `start` to `end` when they are taken in
    turn from its sets, so that any such part holds of every set about as many.
    """
    taken, groups, first = set(_in_turn(evaluator)[start:end]), [], 0
    for prompts in evaluator.groups:
        rows = [i for i in range(len(prompts.labels)) if first + i in taken]
        first += len(prompts.labels)
        if rows:
            groups.append(_rows(prompts, rows))
    part = copy(evaluator)
    part.__dict__.pop("digest", None)  # of the prompts that were
    part.experiment = None  # by which workers would make the whole
    part.take(groups, evaluator.plans[0].batch_size)
    return part


def _rows(prompts: Prompts, rows: Sequence[int]) -> Prompts:
    return Prompts(
        [prompts.contexts[i] for i in rows],
        [prompts.continuations[i] for i in rows],
        [prompts.labels[i] for i in rows],
        prompts.of_options,
    )
