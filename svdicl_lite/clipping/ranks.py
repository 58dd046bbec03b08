"""How much to cut: rules that give each matrix a rank, or a set of components, of its own.

Algorithm 1 tries one clip rate after the other, for all matrices of a module alike. These rules
look at each matrix. Taught in chapter 08.
"""

from torch import Tensor

from svdicl_lite.clipping.svd import SVD, energy


def gavish_donoho_rank(S: Tensor, m: int, n: int) -> int:
    """How many singular values of an m × n matrix stand above noise: those over ω(β) times their
    median, β the ratio of the sides, at most 1 (Gavish & Donoho 2014, "The optimal hard threshold
    for singular values is 4/√3", equation 5).

    ω(β) ≈ 0.56 β³ − 0.95 β² + 1.82 β + 1.43 holds for a low rank under white noise of unknown size,
    2.86 for a square matrix. A spectrum without noise in it may be cut to nothing:

    >>> import torch
    >>> gavish_donoho_rank(torch.tensor([9.0, 3.0, 1.0, 1.0, 1.0]), 5, 5)
    2
    >>> gavish_donoho_rank(torch.ones(5), 5, 5)
    0
    """
    beta = min(m, n) / max(m, n)
    omega = 0.56 * beta**3 - 0.95 * beta**2 + 1.82 * beta + 1.43
    return int((omega * S.quantile(0.5) < S).sum())


def energy_rank(S: Tensor, share: float) -> int:
    """The smallest rank that holds this share of ‖W‖_F², in [0, 1]; 0 for a matrix of zeros.

    >>> import torch
    >>> energy_rank(torch.tensor([3.0, 1.0, 0.0]), 0.9), energy_rank(torch.tensor([3.0, 1.0]), 0.91)
    (1, 2)
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share!r}, but must be a share of the energy in [0, 1]")
    if S[0] == 0 or share == 0:
        return 0
    return min(int((energy(S) < share).sum()) + 1, len(S))


def only_gavish_donoho(factors: SVD, rank: int) -> Tensor:
    """The components of W (m, n) above Gavish and Donoho's threshold, whatever the `rank`."""
    m, n = len(factors.U), factors.Vh.shape[1]
    return factors.truncate(gavish_donoho_rank(factors.S, m, n))


def without(factors: SVD, dropped: Tensor) -> Tensor:
    """W (m, n), float64, without the components that `dropped` (k,) marks, wherever in the spectrum
    they stand.

    `search.gradient_sign` marks those that are predicted to raise the loss.
    """
    kept = ~dropped
    return (factors.U[:, kept] * factors.S[kept]) @ factors.Vh[kept]
