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

from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.prompts import Prompts
from svdicl_lite.search.cells import Cell, judged
from svdicl_lite.search.checks import check_cells

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
    ends = [max(1, n_prompts >> (rounds - number)) for number in range(rounds + 1)]
    return ends


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


def halved_search(validation: ICLEvaluator, cells: Sequence[Cell]) -> Halved:
    """`halve` on a model, which is left as it was: cells[0] is no clip, and prompts are taken from
    every set of demonstrations alike. Raises what `check_cells` raises, and ValueError where the
    first candidate is a clip.
    """
    if not cells or cells[0].clip_rate != 0:
        raise ValueError("the first candidate must be no clip, a cell of rate 0")
    check_cells(validation.model, cells)

    def judge(racing: Sequence[int], start: int, end: int) -> list[np.ndarray]:
        part = part_of(validation, start, end)
        found = dict(judged(part, [cells[i] for i in racing]))
        return [found[cells[i]].correct for i in racing]

    return halve(judge, len(cells), len(validation.demonstration_sets))


def part_of(evaluator: ICLEvaluator, start: int, end: int) -> ICLEvaluator:
    """A judge by some of the evaluator's prompts: number `start` to `end` when they are taken in
    turn from its sets, so that any such part holds of every set about as many.
    """
    turns = [
        (i, number)
        for number, prompts in enumerate(evaluator.groups)
        for i in range(len(prompts.labels))
    ]
    taken = sorted(turns)[start:end]
    groups = []
    for number, prompts in enumerate(evaluator.groups):
        rows = [i for i, of_set in taken if of_set == number]
        if rows:
            groups.append(_rows(prompts, rows))
    part = copy(evaluator)
    part.__dict__.pop("digest", None)  # of the prompts that were
    part.take(groups, evaluator.plans[0].batch_size)
    return part


def _rows(prompts: Prompts, rows: Sequence[int]) -> Prompts:
    return Prompts(
        [prompts.contexts[i] for i in rows],
        [prompts.continuations[i] for i in rows],
        [prompts.labels[i] for i in rows],
        prompts.of_options,
    )
