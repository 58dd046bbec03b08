"""SVD clipping: keep the largest singular values of a module's matrices, drop the rest, and be able to go back.

Taught in chapter 04.
"""

from contextlib import contextmanager

import torch
from torch import nn

from svdicl_lite.matrices import matrices
from svdicl_lite.svd import SVD, check_clip_rate, rank_at


class Clip:
    """One module of one layer, factored once and ready to be cut at any rate.

    The matrices of the module are clipped together, each to its own rank r = (1 − ξ) min(m, n) (paper, section 2).
    """

    def __init__(self, model: nn.Module, layer: int, module: str):
        self.matrices = matrices(model, layer, module)
        self.factors = []
        for matrix in self.matrices:
            try:
                self.factors.append(SVD.of(matrix.weight))
            except ValueError as error:
                raise ValueError(f"cannot clip {matrix}: {error}") from None

    @torch.no_grad()
    def apply(self, clip_rate: float) -> None:
        """Writes the clipped matrices into the model, always cut from the original factors; rate 0 writes nothing."""
        if check_clip_rate(clip_rate) == 0:
            return
        for matrix, factors in zip(self.matrices, self.factors):
            matrix.write(factors.truncate(rank_at(len(factors.S), clip_rate)))

    @contextmanager
    def at(self, clip_rate: float):
        """Inside `with clip.at(0.9):` the model is clipped; after it, also after an error, it is as it was, bit for bit."""
        check_clip_rate(clip_rate)
        saved = [matrix.weight.clone() for matrix in self.matrices]
        try:
            self.apply(clip_rate)
            yield
        finally:
            for matrix, original in zip(self.matrices, saved):
                matrix.write(original)


def clipped(model: nn.Module, layer: int, module: str, clip_rate: float):
    """A context in which `module` (mlp, attn, all, or one role) of `layer` is clipped at `clip_rate` in [0, 1].

    To try many rates on the same module, make one `Clip` and use its `at`: it factors each matrix once.
    """
    check_clip_rate(clip_rate)
    return Clip(model, layer, module).at(clip_rate)


def clip_(model: nn.Module, layer: int, module: str, clip_rate: float) -> nn.Module:
    """Clips in place, for good; returns the model, ready for `save_pretrained`."""
    check_clip_rate(clip_rate)
    Clip(model, layer, module).apply(clip_rate)
    return model
