"""Components to remove over many matrices at once, so that predicted changes of the loss cancel.

A clip of one matrix at one rate asks every matrix for the same share. Zero-Sum SVD (Abbasi et al.
2026, arXiv 2602.02848) takes whatever component, of whatever matrix, is predicted to matter least,
and lets gains and losses pay for each other: the running sum of the predictions stays near zero.
Taught in chapter 10.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def zero_sum(changes: Sequence[Tensor], n: int) -> list[Tensor]:
    """Which components go, a bool (k,) for each matrix, `n` in all.

    `changes` (k,) are the predicted changes of the loss, in nats, if a component is taken away. As
    long as the sum of those taken is above 0, the next is the smallest of the components that lower
    the loss, else the smallest of those that raise it; where one kind is used up, of the other.

    >>> zero_sum([torch.tensor([5.0, 0.3]), torch.tensor([-0.2, 0.1])], 3)
    [tensor([False,  True]), tensor([True, True])]
    """
    flat = _checked(changes, n)
    smallest_first = flat.abs().argsort(stable=True).tolist()
    raising = iter([i for i in smallest_first if flat[i] >= 0])
    lowering = iter([i for i in smallest_first if flat[i] < 0])
    taken = torch.zeros(len(flat), dtype=torch.bool)
    total = 0.0
    for _ in range(n):
        kinds = (lowering, raising) if total > 0 else (raising, lowering)
        i = next(kinds[0], None)
        if i is None:
            i = next(kinds[1])
        taken[i] = True
        total += float(flat[i])
    return list(taken.split([len(of_matrix) for of_matrix in changes]))


def negative_sum(changes: Sequence[Tensor], n: int) -> list[Tensor]:
    """The same number of components, the most negative first: what is predicted to help most.

    >>> negative_sum([torch.tensor([5.0, 0.3]), torch.tensor([-0.2, 0.1])], 2)
    [tensor([False, False]), tensor([True, True])]
    """
    flat = _checked(changes, n)
    taken = torch.zeros(len(flat), dtype=torch.bool)
    taken[flat.argsort(stable=True)[:n]] = True
    return list(taken.split([len(of_matrix) for of_matrix in changes]))


def _checked(changes: Sequence[Tensor], n: int) -> Tensor:
    """All of them in one row."""
    flat = torch.cat([of_matrix.double().cpu() for of_matrix in changes])
    if not 0 <= n <= len(flat):
        raise ValueError(f"n is {n}, but these matrices have 0 to {len(flat)} components to remove")
    if not torch.isfinite(flat).all():
        raise ValueError("a predicted change is NaN or infinite, so components cannot be ordered")
    return flat
