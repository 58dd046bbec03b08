"""SVD clipping: keep the largest singular values of a module's matrices, drop the rest, and be able
to go back.

Taught in chapter 05.
"""

import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from svdicl_lite.clipping.matrices import Expert, Matrix, matrices
from svdicl_lite.clipping.svd import SVD, check_clip_rate, check_finite, rank_at


class ThinLinear(nn.Sequential):
    """Two linear layers n → rank → m that stand in for one; its weights are on the meta device
    until somebody sets them.
    """

    def __init__(self, m: int, n: int, rank: int, bias: bool):
        with warnings.catch_warnings(action="ignore"):  # at rank 0 there is nothing to initialise
            super().__init__(
                nn.Linear(n, rank, bias=False, device="meta"),
                nn.Linear(rank, m, bias=bias, device="meta"),
            )

    @property
    def weight(self) -> Tensor:
        """The product (m, n), a new tensor: some models look at the weight of a layer, for its
        dtype or to initialise it.
        """
        down, up = self.children()
        assert isinstance(down, nn.Linear) and isinstance(up, nn.Linear)
        return up.weight @ down.weight


class Clip:
    """One module of one layer, factored once and ready to be cut at any rate.

    The matrices of the module are clipped together, each to its own rank r = (1 − ξ) min(m, n)
    (paper, section 2). `expert` keeps to one expert of a mixture. `how` makes the new matrix (m,
    n), float64, of the factors of the old one and a rank; anything but `SVD.truncate` is a control.
    `factor` makes those factors, in the place of the SVD (see `clipping.whitened`).
    Raises ValueError for a matrix with NaN or infinity, and what `matrices` raises.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: int,
        module: str,
        expert: Expert = None,
        how: Callable[[SVD, int], Tensor] = SVD.truncate,
        factor: Callable[[list[Matrix]], list[SVD]] | None = None,
    ):
        self.model = model
        self.how = how
        self.matrices = matrices(model, layer, module, expert)
        self.factors = (factor or factor_all)(self.matrices)
        self._holders: dict[Matrix, Any] = {
            matrix: model.get_submodule(matrix.name) for matrix in self.matrices
        }

    def ranks(self, clip_rate: float) -> tuple[int, ...]:
        """What is left of each matrix."""
        return tuple(rank_at(len(factors.S), clip_rate) for factors in self.factors)

    @torch.no_grad()
    def apply(self, clip_rate: float, skip: Collection[Matrix] = ()) -> None:
        """Writes the clipped matrices into the model, all but those in `skip`, always cut from the
        original factors; rate 0 writes nothing.
        """
        self._check(clip_rate)
        for matrix, factors, rank in zip(self.matrices, self.factors, self.ranks(clip_rate)):
            if clip_rate and matrix not in skip:
                matrix.write(self.how(factors, rank))

    @contextmanager
    def at(self, clip_rate: float, factored: bool = False) -> Iterator[None]:
        """Inside `with clip.at(0.9):` the model is clipped; after it, also after an error, it is as
        it was, bit for bit.

        `factored` multiplies by (U_r S_r)(V_rᵀ x) wherever that is less work than W_r x: the same
        up to rounding, and cheap at high rates. Meanwhile two thin layers stand in for each such
        layer, and hooks on that layer do not run.
        """
        self._check(clip_rate)
        thin: dict[Matrix, ThinLinear] = self.thin(clip_rate) if factored else {}
        saved = {matrix: matrix.weight.clone() for matrix in self.matrices if matrix not in thin}
        try:
            self.apply(clip_rate, skip=thin)
            for matrix, layers in thin.items():
                self.model.set_submodule(matrix.name, layers)
            yield
        finally:
            for matrix in thin:
                self.model.set_submodule(matrix.name, self._holders[matrix])
            for matrix, original in saved.items():
                matrix.write(original)

    def thin(self, clip_rate: float) -> dict[Matrix, ThinLinear]:
        """Two linear layers, x → V_rᵀ x → U_r S_r (V_rᵀ x) + bias, for each clipped matrix that may
        be replaced as a whole and for which they are smaller: r(m + n) < mn. Parts of a fused
        parameter are not among them.
        """
        if self.how is not SVD.truncate:
            raise ValueError(
                "only a clip made with how=SVD.truncate is a product of thin factors; leave"
                " factored out for this one"
            )
        thin = {}
        for matrix, factors, rank in zip(self.matrices, self.factors, self.ranks(clip_rate)):
            m, n = matrix.weight.shape
            if matrix.whole and clip_rate > 0 and rank * (m + n) < m * n:
                thin[matrix] = thin_layers(factors, rank, self._holders[matrix])
        return thin

    def _check(self, clip_rate: float) -> None:
        check_clip_rate(clip_rate)
        for matrix, holder in self._holders.items():
            if self.model.get_submodule(matrix.name) is not holder:
                raise RuntimeError(
                    f"two thin layers stand in for {matrix}, so that writing its weight would"
                    " change nothing"
                )


def clipped(
    model: nn.Module, layer: int, module: str, clip_rate: float
) -> AbstractContextManager[None]:
    """A context in which `module` (mlp, attn, all, or one role) of `layer` is clipped at
    `clip_rate` in [0, 1].

    To try many rates on the same module, make one `Clip` and use its `at`: it factors each matrix
    once.
    """
    check_clip_rate(clip_rate)
    return Clip(model, layer, module).at(clip_rate)


def clip_(model: nn.Module, layer: int, module: str, clip_rate: float) -> nn.Module:
    """Clips in place, for good; returns the model, ready for `save_pretrained`."""
    check_clip_rate(clip_rate)
    Clip(model, layer, module).apply(clip_rate)
    return model


def thin_layers(factors: SVD, rank: int, holder: Any) -> ThinLinear:
    """The two layers, V_rᵀ (r, n) and U_r S_r (m, r), that stand in for `holder`, in its dtype, on
    its device, with its bias.
    """
    thin = ThinLinear(len(factors.U), factors.Vh.shape[1], rank, bias=holder.bias is not None)
    weights = factors.Vh[:rank], factors.U[:, :rank] * factors.S[:rank]  # (r, n), (m, r)
    for layer, W in zip(thin, weights):
        layer.weight = nn.Parameter(
            W.to(holder.weight.dtype).to(holder.weight.device).contiguous(),
            requires_grad=holder.weight.requires_grad,
        )
    thin[1].bias = holder.bias
    return thin


def factor_all(found: list[Matrix]) -> list[SVD]:
    """The SVD of each matrix. Raises ValueError, with its name, for one that cannot be factored."""
    for matrix in found:
        try:
            check_finite(matrix.weight)
        except ValueError as error:
            raise ValueError(f"cannot clip {matrix}: {error}") from None
    try:
        return SVD.of_all([matrix.weight for matrix in found])
    except ValueError as error:
        more = f" or one of {len(found) - 1} beside it" if len(found) > 1 else ""
        raise ValueError(f"cannot clip {found[0]}{more}: {error}") from None
