"""Ways to factor a matrix, tried one after the other: LAPACK's fastest does not always converge.

torch asks for `gesdd` (divide and conquer), which fails on a rare matrix that is finite and whole.
`gesvd` (QR iteration) is slower and fails more rarely. The last way is the Gram matrix, WᵀW, whose
eigenvectors always converge; it squares the condition number, so what lies below 1e-8 of the
largest singular value is noise, and a warning says so. Taught in chapter 01.
"""

import warnings

import numpy as np
import torch
from torch import Tensor

Factors = tuple[Tensor, Tensor, Tensor]  # U (m, k), S (k,), Vh (k, n)
NOISE = 1e-8
"""Singular values below this share of the largest are noise where the Gram matrix gave them: the
square root of what float64 can hold."""


class GramWarning(UserWarning):
    """Singular values come from a Gram matrix: small ones are noise."""


def svd(W: Tensor) -> Factors:
    """The thin SVD of W (m, n), float64, m ≥ n, by the first way that converges.

    Raises ValueError if none does.
    """
    for way in (_gesdd, _gesvd):
        found = way(W)
        if found is not None:
            return found
    return _by_gram(W)


def _gesdd(W: Tensor) -> Factors | None:
    try:
        U, S, Vh = torch.linalg.svd(W, full_matrices=False)
    except torch.linalg.LinAlgError:
        return None
    return (U, S, Vh) if torch.isfinite(S).all() else None


def _gesvd(W: Tensor) -> Factors | None:
    """By SciPy, since torch lets one choose on CUDA alone."""
    from scipy.linalg import svd as scipy_svd

    try:
        found = scipy_svd(W.cpu().numpy(), full_matrices=False, lapack_driver="gesvd")
    except np.linalg.LinAlgError:
        return None
    U, S, Vh = (torch.from_numpy(np.ascontiguousarray(part)).to(W.device) for part in found)
    return (U, S, Vh) if torch.isfinite(S).all() else None


def _by_gram(W: Tensor) -> Factors:
    """WᵀW = V diag(S²) Vᵀ; then W V = Q R with R diagonal but for rounding, so U = Q, S = |R_ii|.

    The orthogonal Q keeps U orthonormal where W V / S would divide noise by nearly nothing.
    """
    m, n = W.shape
    try:
        _, V = torch.linalg.eigh(W.T @ W)  # eigenvalues ascending
    except torch.linalg.LinAlgError:
        raise ValueError(
            f"the singular values of a matrix of shape {m} × {n} cannot be found: neither gesdd nor"
            " gesvd nor its Gram matrix converges; its numbers are too uneven, so rescale it, or"
            " leave its layer out"
        ) from None
    V = V.flip(1)
    Q, R = torch.linalg.qr(W @ V)
    S = R.diagonal().abs()
    signs = torch.where(R.diagonal() < 0, -1.0, 1.0).to(S.dtype)
    order = S.argsort(descending=True)
    warnings.warn(
        f"the singular values of a matrix of shape {m} × {n} are those of its Gram matrix, because"
        f" gesdd and gesvd did not converge; below {NOISE:g} of the largest they are noise",
        GramWarning,
        stacklevel=3,
    )
    return (Q * signs)[:, order], S[order], V.T[order]
