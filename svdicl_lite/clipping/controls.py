"""Controls: other ways to damage a matrix as much as a clip does, and a way to gain without damage.

If clipping helps because it keeps the *leading* singular directions, then a random subspace of the
same rank, the smallest components, a smaller matrix, one with as many free numbers or none at all
should help less. If it helps because it shifts a model's preference for a label word, then
subtracting that preference should do as well. Taught in chapter 09.

A `How` takes the factors of W (m, n), k = min(m, n), and a rank r from 0 to k to the matrix (m, n),
float64, that stands in for W at that rank; `SVD.truncate` is one.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from svdicl_lite.clipping.clusters import clustered
from svdicl_lite.clipping.matrices import n_layers
from svdicl_lite.clipping.ranks import only_gavish_donoho
from svdicl_lite.clipping.svd import SVD

How = Callable[[SVD, int], Tensor]


def random_subspace(seed: int) -> How:
    """W projected on a random r-dimensional subspace of its row space: all that truncation does,
    but for the choice of the subspace.

    With R (k, r) orthonormal, its span uniform, the result is U diag(S) R Rᵀ Vh, where truncation
    has R = the first r unit vectors. If m ≥ n that is W Q Qᵀ for a uniform Q (n, r). If m < n, a
    subspace of the whole input space would throw away the share 1 − r/n of ‖W‖² rather than 1 −
    r/k, and rank k would not be W.

    R is the first r columns from the QR of one Gaussian matrix (k, k) drawn by `seed`, so the
    subspaces are nested, as those of truncation are: two ranks differ by rank and not by luck. R
    stands in the coordinates of Vh, so matrices with the same seed still get subspaces of their
    own. (A sign fix would make R itself Haar, but R Rᵀ does not depend on signs.)
    """

    def how(factors: SVD, rank: int) -> Tensor:
        k = _checked(factors, rank)
        gaussian = torch.randn(
            k, k, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
        )
        R = torch.linalg.qr(gaussian[:, :rank])[0].to(factors.U.device)  # (k, r)
        projected: Tensor = (factors.U * factors.S) @ R @ (R.T @ factors.Vh)
        return projected

    return how


def smallest(factors: SVD, rank: int) -> Tensor:
    """The r smallest components only: what a clip to rank k − r throws away."""
    start = _checked(factors, rank) - rank
    return (factors.U[:, start:] * factors.S[start:]) @ factors.Vh[start:]


def scale(factors: SVD, rank: int) -> Tensor:
    """W made smaller as a whole, to the Frobenius norm of its truncation: W ‖W_r‖_F / ‖W‖_F.

    The rank stays, and the result is never farther from W than the truncation is: ‖W‖ − ‖W_r‖ ≤ ‖W
    − W_r‖.
    """
    k, S = _checked(factors, rank), factors.S
    share = S[:rank].norm() / S.norm() if S[0] > 0 else 0.0
    return factors.truncate(k) * share


def magnitude(factors: SVD, rank: int) -> Tensor:
    """Magnitude pruning: the r (m + n − r) entries of largest |w| stay, the others become 0.

    That is how many free numbers a matrix of rank r has (two factors hold r (m + n), less the r² of
    a change of basis between them), so both stand-ins have the same freedom to resemble W: none at
    r = 0, and all m n at r = k, where both are W. r (m + n) would exceed m n, and prune nothing,
    from r = m n / (m + n) on. Of equal |w| the first in reading order stay.
    """
    k = _checked(factors, rank)
    W = factors.truncate(k)
    m, n = W.shape
    # Equal weights come back from the factors equal up to rounding; a grid a good deal coarser than
    # that makes them equal again.
    size = (W.abs().flatten() / W.abs().max().clamp(min=1e-300) * 2.0**40).round()
    order = size.argsort(descending=True, stable=True)
    kept = torch.zeros_like(W)
    index = order[: rank * (m + n - rank)]
    kept.view(-1)[index] = W.flatten()[index]
    return kept


def drop(factors: SVD, rank: int) -> Tensor:
    """Zero, whatever the rank. Biases stay: a GPT-2 block whose matrices are all dropped still adds
    those of o and fc_out; see `dropped`.
    """
    _checked(factors, rank)
    return factors.S.new_zeros(len(factors.U), factors.Vh.shape[1])


class Control(NamedTuple):
    """A method that a search can take in the place of truncation."""

    of_seed: Callable[[int], How]
    description: str


CONTROLS = {
    "svd": Control(lambda seed: SVD.truncate, "the clip itself: the r largest components"),
    "random-subspace": Control(random_subspace, "a random subspace of the same rank"),
    "smallest": Control(lambda seed: smallest, "the r smallest components"),
    "scale": Control(lambda seed: scale, "the whole matrix, scaled to the clip's Frobenius norm"),
    "magnitude": Control(
        lambda seed: magnitude, "the largest entries, as many as rank r has free numbers"
    ),
    "drop": Control(lambda seed: drop, "nothing, whatever the rank"),
}
"""The methods that a search can take, the clip among them."""


CLIPS = {
    "whitened": Control(
        lambda seed: SVD.truncate, "the r components that matter most on the demonstrations"
    ),
    "asvd": Control(
        lambda seed: SVD.truncate, "the r largest components, columns weighted by their inputs"
    ),
    "gavish-donoho": Control(
        lambda seed: only_gavish_donoho, "each matrix cut at its noise, whatever the rank"
    ),
    "row-clusters": Control(clustered, "rows sorted into four clusters, each cut by itself"),
}
"""Other clips that a search can take. The first two differ from "svd" in their factors, which
`clipping.whitened` makes of the inputs."""


def how_of(method: str, seed: int = 0) -> How:
    """The `How` of this name in `CONTROLS` or `CLIPS`; `seed` decides what is random. Raises
    ValueError for another name.
    """
    known = CONTROLS | CLIPS
    if method not in known:
        raise ValueError(f"method is {method!r}, but must be one of {', '.join(known)}")
    return known[method].of_seed(seed)


@contextmanager
def dropped(model: nn.Module, layer: int) -> Iterator[None]:
    """A context in which block `layer` returns its input, exactly: biases, norms and all are gone
    (paper, appendix B.6).

    The block still runs, so that its keys and values are cached as ever and later tokens keep their
    positions.
    """
    if not 0 <= layer < n_layers(model):
        raise IndexError(
            f"layer is {layer!r}, but this model has layers 0 to {n_layers(model) - 1}"
        )
    stacks = (module for module in model.modules() if isinstance(module, nn.ModuleList))
    # the outermost comes first, before any list of experts
    blocks = next(stack for stack in stacks if len(stack) == n_layers(model))

    def pass_on(block: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        hidden = args[0] if args else kwargs["hidden_states"]
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

    handle = blocks[layer].register_forward_hook(pass_on, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _checked(factors: SVD, rank: int) -> int:
    """k, if the rank is one that the matrix can have."""
    k = len(factors.S)
    if not 0 <= rank <= k:
        raise ValueError(f"rank is {rank}, but this matrix has ranks 0 to {k}")
    return k
