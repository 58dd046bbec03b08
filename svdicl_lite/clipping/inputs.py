"""What goes into the matrices of a model while it reads: the inputs that clips by activations fit.

Taught in chapter 09.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from svdicl_lite.clipping.matrices import Matrix


@dataclass(frozen=True)
class Inputs:
    """The inputs x (n,) of one matrix (m, n), summed up over tokens."""

    moment: Tensor  # (n, n), float64: XXᵀ, the sum of x xᵀ
    size: Tensor  # (n,), float64: the mean of |x|
    n_tokens: int


@torch.inference_mode()
def inputs_of(
    model: nn.Module, found: Sequence[Matrix], sequences: Sequence[Sequence[int]]
) -> list[Inputs]:
    """The inputs of each matrix over all tokens of the `sequences`, each read by itself.

    Raises ValueError if there is no token to read, and for experts whose weights are one parameter:
    what goes into one of them cannot be seen from outside.
    """
    if not any(len(tokens) for tokens in sequences):
        raise ValueError(
            "a clip that fits inputs needs texts to read, but there are no demonstrations; take one"
            " shot or more, or the method 'svd'"
        )
    sums: dict[str, _Sums] = {}
    handles = []
    for matrix in found:
        holder = model.get_submodule(matrix.name)
        if matrix.stored.shape[-1] != getattr(holder, "in_features", getattr(holder, "nx", None)):
            raise ValueError(
                f"the inputs of {matrix} cannot be seen: its {type(holder).__name__} holds all"
                " experts in one; take the method 'svd', or module 'attn'"
            )
        if matrix.name not in sums:
            sums[matrix.name] = _Sums()
            hook = sums[matrix.name].add
            handles.append(holder.register_forward_pre_hook(hook, with_kwargs=True))
    device = next(model.parameters()).device
    try:
        for tokens in sequences:
            if len(tokens):
                model(torch.tensor([list(tokens)], device=device))
    finally:
        for handle in handles:
            handle.remove()
    return [sums[matrix.name].inputs(matrix) for matrix in found]


class _Sums:
    """Adds up what goes into one layer."""

    def __init__(self) -> None:
        self.moment: Any = 0.0
        self.size: Any = 0.0
        self.n_tokens = 0

    def add(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        x: Tensor = args[0] if args else kwargs["input"]
        x = x.flatten(0, -2)
        x = (x.cpu() if x.device.type == "mps" else x).double()  # (tokens, n)
        self.moment = self.moment + x.T @ x
        self.size = self.size + x.abs().sum(0)
        self.n_tokens += len(x)

    def inputs(self, matrix: Matrix) -> Inputs:
        """What was seen, as plain tensors. An expert that no token reached saw zeros."""
        if self.n_tokens == 0:
            n = matrix.stored.shape[-1]
            zeros = torch.zeros(n, n, dtype=torch.float64, device=matrix.stored.device)
            return Inputs(zeros, zeros[0].clone(), 0)
        size = self.size / self.n_tokens
        with torch.inference_mode(False):
            return Inputs(self.moment.clone(), size.clone(), self.n_tokens)
