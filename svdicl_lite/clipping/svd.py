"""Singular values: factor a matrix once, then cut it at any rank.

Taught in chapter 01.
"""

import math
from dataclasses import dataclass
from numbers import Real

import torch
from torch import Tensor

from svdicl_lite.clipping import drivers

CLIP_RATES = (0.0, 0.1, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995)
"""The candidate set C of the paper (Yao et al. 2024, section 2)."""


def check_clip_rate(clip_rate: float) -> float:
    """Returns `clip_rate` if it lies in [0, 1]; raises ValueError otherwise."""
    if not (
        isinstance(clip_rate, Real) and not isinstance(clip_rate, bool) and 0 <= clip_rate <= 1
    ):
        raise ValueError(
            f"clip_rate is {clip_rate!r}, but must be a number in [0, 1]; 0.9 keeps a tenth of the"
            " singular values"
        )
    return float(clip_rate)


def rank_at(k: int, clip_rate: float) -> int:
    """The rank that is left of `k` singular values at clip rate ξ = 1 − r/k.

    Rounds down, as the paper's code does, but never to nothing: at least one singular value stays
    for ξ < 1, and ξ = 1 removes the matrix. (The tolerance is for binary fractions,
    single-precision ones too: `int((1 - 0.9) * 10)` is 0.)
    """
    clip_rate = check_clip_rate(clip_rate)
    if clip_rate == 1:
        return 0
    return max(1, math.floor((1 - clip_rate + 1e-7) * k))


@dataclass(frozen=True)
class SVD:
    """The thin singular value decomposition W = U diag(S) Vh of a matrix W (m, n), with k = min(m,
    n).
    """

    U: Tensor  # (m, k), float64
    S: Tensor  # (k,), descending
    Vh: Tensor  # (k, n)

    @classmethod
    def of(cls, W: Tensor) -> "SVD":
        """Factors W exactly, in double precision. Raises ValueError if W is not a finite matrix, or
        if nothing converges (`clipping.drivers`).
        """
        return cls.of_all([W])[0]

    @classmethod
    def of_all(cls, weights: list[Tensor]) -> list["SVD"]:
        """Factors several matrices; those of one shape, which the experts of a layer are, in one
        batched call.

        Wide matrices are factored as their transpose: LAPACK takes twice as long for 768 × 3072 as
        for 3072 × 768, and the two matrices of an MLP become one batch. (The Gram matrix would be
        another twice as fast, but squares the condition number: singular values below 1e-8 σ_max,
        where W_Q and W_K have theirs, would be noise.)
        """
        tall = [_tall(W) for W in weights]
        found: dict[int, SVD] = {}
        for shape in dict.fromkeys(W.shape for W in tall):
            same = [i for i, W in enumerate(tall) if W.shape == shape]
            stacked = torch.stack([tall[i] for i in same])
            for i, (U, S, Vh) in zip(same, _all_at_once(stacked)):
                wide = weights[i].shape != shape
                found[i] = cls(Vh.T, S, U.T) if wide else cls(U, S, Vh)
        return [found[i] for i in range(len(weights))]

    def truncate(self, rank: int) -> Tensor:
        """The best approximation of W among matrices of this rank (Eckart–Young–Mirsky): (m, n),
        float64.
        """
        if not 0 <= rank <= len(self.S):
            raise ValueError(f"rank is {rank}, but this matrix has ranks 0 to {len(self.S)}")
        return (self.U[:, :rank] * self.S[:rank]) @ self.Vh[:rank]


def singular_values(W: Tensor) -> Tensor:
    """The singular values of W (m, n), largest first: (min(m, n),), float64."""
    tall = _tall(W)
    try:
        S: Tensor = torch.linalg.svdvals(tall)
    except torch.linalg.LinAlgError:
        S = drivers.svd(tall)[1]
    return S


def condition_number(S: Tensor) -> float:
    """Cond(W) = σ_max / σ_min from the singular values S (k,), largest first (paper, section 2).

    Infinite when σ_min is 0 up to the rounding of float64, k ε σ_max: below that it is noise, and
    so would the number be.
    """
    if S[-1] <= len(S) * torch.finfo(torch.float64).eps * S[0]:
        return math.inf
    return (S[0] / S[-1]).item()


def energy(S: Tensor) -> Tensor:
    """The share of ‖W‖_F² that the first r singular values hold, for r = 1 … k: (k,), the last one
    1.
    """
    total = S.square().cumsum(0)
    return total / total[-1]


def stable_rank(S: Tensor) -> float:
    """‖W‖_F² / ‖W‖₂²: a smooth stand-in for the rank that tiny singular values cannot inflate."""
    return (S.square().sum() / S[0].square()).item()


def check_finite(W: Tensor) -> None:
    """Raises ValueError unless W is a matrix of finite numbers."""
    if W.ndim != 2:
        raise ValueError(f"expected a matrix, got a tensor of shape {tuple(W.shape)}")
    if not torch.isfinite(W).all():
        raise ValueError(
            f"the matrix of shape {tuple(W.shape)} holds NaN or infinity, so it has no singular"
            " values"
        )


def _all_at_once(stacked: Tensor) -> list[drivers.Factors]:
    """The factors of each matrix of a stack (N, m, n); one by one where one of them does not
    converge.
    """
    try:
        return list(zip(*torch.linalg.svd(stacked, full_matrices=False)))
    except torch.linalg.LinAlgError:
        return [drivers.svd(W) for W in stacked]


def _tall(W: Tensor) -> Tensor:
    """W (m, n) in double precision, transposed if it is wide."""
    check_finite(W)
    W = W.detach()
    # Apple's GPUs have no double precision
    W = (W.cpu() if W.device.type == "mps" else W).double()
    return W.T if W.shape[0] < W.shape[1] else W
