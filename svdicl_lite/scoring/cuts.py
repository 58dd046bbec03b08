"""Where to cut many prompts of unequal length into batches.

Real text is ragged: a batch is as long as its longest prompt, and whatever the others lack is
padding that is computed and thrown away. Taught in chapter 08.
"""

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np


def cut_by_length(lengths: Sequence[int], batch_size: int, overhead: float) -> list[slice]:
    """The cheapest cuts of prompts, sorted by length, into batches of at most `batch_size`.

    A batch of B prompts costs B × its longest positions, and `overhead` positions more for being a
    batch at all. Five prompts of 2, 2, 2, 9 and 9 tokens cost 5 × 9 = 45 positions as one batch and
    3 × 2 + 2 × 9 = 24 as two, so that with an overhead below 21 two are cheaper:

    >>> cut_by_length([2, 2, 2, 9, 9], batch_size=8, overhead=20)
    [slice(0, 3, None), slice(3, 5, None)]
    >>> cut_by_length([2, 2, 2, 9, 9], batch_size=8, overhead=22)
    [slice(0, 5, None)]

    Dynamic programming over the places where a cut can pay: before a longer prompt, or where a
    batch is full. (Any other cut costs no more when its batch takes in the next prompt, too, which
    is as long as its longest.)
    """
    n = len(lengths)
    changes = [i for i in range(1, n) if lengths[i] > lengths[i - 1]] + [n]
    cost = np.full(n + 1, np.inf)  # of the cheapest cuts of the first i prompts
    begins = [0] * (n + 1)  # of their last batch
    cost[0] = 0
    for start in range(n):
        if np.isinf(cost[start]):
            continue
        full = min(start + batch_size, n)
        stops = changes[bisect_right(changes, start) : bisect_right(changes, full)]
        for stop in {*stops, full}:
            through = cost[start] + (stop - start) * lengths[stop - 1] + overhead
            if through < cost[stop]:
                cost[stop] = through
                begins[stop] = start
    cuts = []
    while n:
        cuts.append(slice(begins[n], n))
        n = begins[n]
    return cuts[::-1]
