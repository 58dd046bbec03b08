"""Finds the weight matrices of a decoder that can be clipped, each as a view (out, in) into the model's own memory.

Two things about GPT-2 must be undone before a matrix means what the paper's letters mean. Its layers are `Conv1D`, which
store (in, out), the transpose of `nn.Linear`. And W_Q, W_K, W_V stand side by side in one parameter, `c_attn`; clipping that
as a whole would let the largest of the three crowd out the others. A `Matrix` is a view, so writing into it writes
into the model. Embeddings, norms, biases and the output head are not for clipping. Taught in chapter 04.
"""

from dataclasses import dataclass
from numbers import Integral

from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

MODULES = {"attn": ("q", "k", "v", "o"), "mlp": ("fc_in", "fc_out"), "all": ("q", "k", "v", "o", "fc_in", "fc_out")}
"""The modules O of the paper, and the roles of the matrices in each. A single role is a module too."""


@dataclass(frozen=True)
class Matrix:
    """One weight matrix of one layer."""

    layer: int
    role: str  # q, k, v, o, fc_in or fc_out
    weight: Tensor  # (out, in), shares memory with the model

    def __str__(self) -> str:
        return f"layer {self.layer} {self.role}"


def roles_of(module: str) -> tuple[str, ...]:
    """The roles in `module`: mlp, attn, all, or one role by itself. Raises ValueError for anything else."""
    if module in MODULES["all"]:
        return (module,)
    if module not in MODULES:
        raise ValueError(f"module is {module!r}, but must be one of {', '.join((*MODULES, *MODULES['all']))}")
    return MODULES[module]


def n_layers(model: nn.Module) -> int:
    """The number of transformer blocks."""
    return len(blocks(model))


def matrices(model: nn.Module, layer: int, module: str = "all") -> list[Matrix]:
    """The matrices of `module` in `layer` (0 is the first), in the order of `MODULES`.

    Raises ValueError for an unknown module, IndexError for a layer the model does not have, TypeError for a model
    whose matrices cannot be found.
    """
    roles, found_blocks = roles_of(module), blocks(model)
    if not (isinstance(layer, Integral) and 0 <= layer < len(found_blocks)):
        raise IndexError(f"layer is {layer!r}, but this model has layers 0 to {len(found_blocks) - 1}")
    found = _gpt2(found_blocks[layer])
    return [Matrix(int(layer), role, found[role]) for role in roles]


def attention(block):
    return block.attn


def feed_forward(block):
    return block.mlp


def blocks(model: nn.Module) -> nn.ModuleList:
    blocks = getattr(getattr(model, "transformer", None), "h", None)
    if blocks is None or not isinstance(getattr(getattr(blocks[0], "attn", None), "c_attn", None), Conv1D):
        raise TypeError(f"cannot find the weight matrices of a {type(model).__name__}; models built like GPT2LMHeadModel are supported")
    return blocks


def _gpt2(block: nn.Module) -> dict[str, Tensor]:
    c_attn = block.attn.c_attn.weight.detach().T  # (3d, d)
    q, k, v = c_attn.chunk(3)
    return {
        "q": q, "k": k, "v": v,
        "o": block.attn.c_proj.weight.detach().T,
        "fc_in": block.mlp.c_fc.weight.detach().T,
        "fc_out": block.mlp.c_proj.weight.detach().T,
    }  # fmt: skip
