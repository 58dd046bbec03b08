"""Clips that fit what goes into a matrix rather than the matrix.

Truncation makes ‖W − W_r‖ least, as if all inputs x were equally likely. Here W S is truncated and
multiplied by S⁻¹, where S says how large inputs are in which direction. Whitened (SVD-LLM, Wang et
al. 2024): S Sᵀ = XXᵀ by Cholesky, which makes ‖(W − W_r) X‖_F least among all matrices of rank r.
ASVD (Yuan et al. 2023): S is diagonal, the mean |x| of each input to the power ½. Both are W at
full rank. Taught in chapter 09.
"""

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from svdicl_lite.clipping.inputs import Inputs, inputs_of
from svdicl_lite.clipping.matrices import Matrix
from svdicl_lite.clipping.svd import SVD

RIDGE = 1e-6
"""What is added to a singular XXᵀ, of its mean diagonal: S then has a condition number of at most
some thousand times √n, and S⁻¹ costs a few of float64's sixteen digits."""
SINGULAR = 1e-10
"""XXᵀ counts as singular if its least eigenvalue is below this share of its largest."""


class SingularInputs(UserWarning):
    """Inputs span fewer directions than the matrix has, so that their whitening was regularised."""


def whitened(W: Tensor, inputs: Inputs, name: str = "the matrix") -> SVD:
    """Factors of W (m, n) whose `truncate(r)` is, of all matrices of rank r, the one that is
    nearest on the inputs: U diag(S) of W S, and Vh S⁻¹, whose rows are not orthonormal.

    ‖(W − W_r) X‖_F² is the sum of the squares of the singular values that were dropped. Warns
    (`SingularInputs`) where XXᵀ is singular, as it is for fewer tokens than inputs.
    """
    moment = inputs.moment
    values = torch.linalg.eigvalsh(moment)  # ascending
    if values[0] <= SINGULAR * values[-1]:
        n = len(values)
        spanned = int((values > SINGULAR * values[-1]).sum())
        warnings.warn(
            f"the inputs of {name} span {spanned} of {n} directions ({inputs.n_tokens:,} tokens"
            f" read), so their second moments are regularised by {RIDGE:g} of their mean",
            SingularInputs,
            stacklevel=2,
        )
        ridge = RIDGE * moment.diagonal().mean() if spanned else torch.ones_like(values[0])
        moment = moment + ridge * torch.eye(n, dtype=moment.dtype, device=moment.device)
    S = torch.linalg.cholesky(moment)  # (n, n), lower triangular: S Sᵀ = XXᵀ
    factors = SVD.of(W.detach().to(S.device).double() @ S)
    # Vh S⁻¹ without making the inverse
    Vh = torch.linalg.solve_triangular(S, factors.Vh, upper=False, left=False)
    return SVD(factors.U, factors.S, Vh)


def activation_scaled(W: Tensor, inputs: Inputs, name: str = "the matrix") -> SVD:
    """Factors of W (m, n), its columns weighted by the square root of their inputs' mean size, as
    `whitened` gives them. An input that is always 0 weighs as little as a thousandth of the mean.
    """
    size = inputs.size
    floor = 1e-3 * size.mean()
    weights = size.clamp(min=floor).sqrt() if floor > 0 else torch.ones_like(size)  # (n,)
    factors = SVD.of(W.detach().to(weights.device).double() * weights)
    return SVD(factors.U, factors.S, factors.Vh / weights)


OF_INPUTS: dict[str, Callable[[Tensor, Inputs, str], SVD]] = {
    "whitened": whitened,
    "asvd": activation_scaled,
}
"""The methods of a clip that must see what goes into a matrix."""


def factors_of_inputs(
    model: nn.Module, method: str, sequences: Sequence[Sequence[int]], found: Sequence[Matrix]
) -> list[SVD]:
    """The factors of each matrix by a method of `OF_INPUTS`, from what goes into it while the model
    reads the `sequences`. Raises what `inputs_of` raises.
    """
    seen = inputs_of(model, found, sequences)
    factor = OF_INPUTS[method]
    return [factor(matrix.weight, inputs, str(matrix)) for matrix, inputs in zip(found, seen)]
