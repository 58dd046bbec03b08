"""Finds the weight matrices of a decoder that can be clipped, and reads and writes them in the
model's own memory.

A model names its layers as it likes, stores them (out, in) or, as GPT-2's `Conv1D` does, (in, out),
and may keep several of the paper's letters in one parameter: W_Q, W_K, W_V side by side or
interleaved head by head, gate and up in one, all experts in one. Clipping such a parameter as a
whole would let the largest of its parts crowd out the others, so each part is found by itself. What
is known of families stands in `svdicl_lite.clipping.families`. Embeddings, norms, biases, routers
and the output head are not for clipping. Taught in chapter 05.
"""

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from svdicl_lite.clipping.families import MODULES, kind_of, role_of, roles_of, split_heads

Expert = int | str | None  # its number, "shared" for the one that sees every token, None outside


@dataclass(frozen=True, eq=False)
class Matrix:
    """One weight matrix of one layer. `weight` reads it as (out, in), `write` replaces it in the
    model.
    """

    layer: int
    role: str  # q, k, v, o, fc_in, gate, up or fc_out
    # shares memory with the model: (out, in), or (groups, out / groups, in) where heads interleave
    stored: Tensor
    name: str  # of the submodule that holds it, from the model on: transformer.h.3.mlp.c_fc
    # it is all of the weight of an nn.Linear or Conv1D, which a factored layer may then replace
    whole: bool
    expert: Expert = None

    @property
    def weight(self) -> Tensor:
        """The matrix (out, in): a view into the model's memory where there is one, a copy where
        heads interleave.
        """
        return self.stored.flatten(0, -2)

    @torch.no_grad()
    def write(self, W: Tensor) -> None:
        """Puts W (out, in) into the model, rounded to the model's dtype."""
        self.stored.copy_(W.reshape(self.stored.shape))

    def __str__(self) -> str:
        named: dict[Expert, str] = {None: "", "shared": " of the shared expert"}
        return (
            f"layer {self.layer} {self.role}{named.get(self.expert, f' of expert {self.expert}')}"
        )


def n_layers(model: nn.Module) -> int:
    """The number of transformer blocks."""
    return len(blocks(model))


def blocks(model: nn.Module) -> nn.ModuleList:
    """The transformer blocks: the longest list of modules of one class in the decoder. Raises
    TypeError if there is none.
    """
    return _blocks(model)[1]


def attention(block: nn.Module) -> nn.Module | None:
    """The submodule of `block` whose output is what attention adds to the residual stream, None if
    there is no such submodule.
    """
    return _branch(block, "attn")


def feed_forward(block: nn.Module) -> nn.Module | None:
    """The submodule of `block` whose output is what the MLP adds to the residual stream; None in
    OPT, whose block is its own MLP, and in BLOOM, whose submodules add the residual themselves.
    """
    return _branch(block, "mlp")


def queries_and_output(block: nn.Module) -> list[nn.Module]:
    """The submodules of `block` that make queries of hidden states, where keys and values are made
    apart, and the output of attention.
    """
    found = []
    for name, module in block.named_modules():
        if kind_of(name) == "attn" and role_of("attn", name.rpartition(".")[2]) in ("q", "o"):
            found.append(module)
    return found


def matrices(
    model: nn.Module, layer: int, module: str = "all", expert: Expert = None
) -> list[Matrix]:
    """The matrices of `module` in `layer` (0 is the first), in the order of `MODULES`, experts by
    number and a shared one last.

    `expert` keeps the matrices of one expert alone: its number, or "shared". Raises ValueError for
    an unknown module, a role or an expert that this layer does not have, IndexError for a layer the
    model does not have, TypeError for a model whose matrices cannot be found.
    """
    roles = roles_of(module)
    stem, layers = _blocks(model)
    if not (isinstance(layer, Integral) and 0 <= layer < len(layers)):
        raise IndexError(f"layer is {layer!r}, but this model has layers 0 to {len(layers) - 1}")
    where = f"layer {layer} of this {type(model).__name__}"
    found = []
    for part in _parts(layers[layer], _decoder(model)):
        name = f"{stem}.{layer}.{part.name}"
        found.append(Matrix(int(layer), part.role, part.stored, name, part.whole, part.expert))
    _check_roles(roles, {matrix.role for matrix in found}, where)
    if expert is not None:
        _check_expert(expert, found, where)
        found = [matrix for matrix in found if matrix.expert == expert]
        if not any(matrix.role in roles for matrix in found):
            raise ValueError(
                f"expert is {expert!r}, but the {module} of {where} belongs to no expert; only its"
                " mlp does"
            )
    return [matrix for role in roles for matrix in found if matrix.role == role]


def _check_expert(expert: int | str, found: list[Matrix], where: str) -> None:
    known = {matrix.expert for matrix in found} - {None}
    if not known:
        raise ValueError(f"expert is {expert!r}, but {where} has no experts")
    if expert not in known or isinstance(expert, bool):
        shared = " or 'shared'" if "shared" in known else ""
        last = max(number for number in known if isinstance(number, int))
        raise ValueError(f"expert is {expert!r}, but {where} has experts 0 to {last}{shared}")


def _check_roles(roles: tuple[str, ...], has: set[str], where: str) -> None:
    listed = (
        ", ".join(role for role in MODULES["all"] if role in has) or "no matrix that can be told"
    )
    if len(roles) == 1:
        if roles[0] not in has:
            raise ValueError(
                f"module is {roles[0]!r}, but {where} has no such matrix; it has {listed}"
            )
        return
    need = {"q", "k", "v", "o"} if "q" in roles else set()
    if "fc_out" in roles:
        need |= {"fc_out", "gate", "up"} if has & {"gate", "up"} else {"fc_out", "fc_in"}
    if missing := [role for role in roles if role in need - has]:
        raise TypeError(
            f"cannot find {', '.join(missing)} in {where}, which has {listed}; NAMES and FUSED in"
            " svdicl_lite/clipping/families.py tell what is found (layers of nn.Linear or Conv1D,"
            " not those that were factored already)"
        )


def _decoder(model: nn.Module) -> nn.Module:
    """The part of the model that generates text; in a model of images, too, that is not all."""
    config = getattr(model, "config", None)
    if getattr(config, "is_encoder_decoder", False):
        raise TypeError(
            f"a {type(model).__name__} has an encoder beside its decoder; only models that are all"
            " decoder can be clipped"
        )
    # the model itself, or one inside a model of your own
    inner: Any = next((part for part in model.modules() if hasattr(part, "get_decoder")), None)
    decoder: nn.Module = model if inner is None else inner.get_decoder()
    return decoder


def _blocks(model: nn.Module) -> tuple[str, nn.ModuleList]:
    decoder = _decoder(model)
    best: tuple[str, nn.ModuleList] | None = None
    outer: tuple[str, ...] = ()
    stem = next(name for name, module in model.named_modules() if module is decoder)
    for name, module in decoder.named_modules():
        if not isinstance(module, nn.ModuleList) or name.startswith(outer):
            continue
        outer += (f"{name}.",)  # a list inside a block holds experts or the like
        alike = len({type(block) for block in module}) == 1 and not isinstance(
            module[0], (nn.Linear, Conv1D)
        )
        if (
            alike
            and any(isinstance(m, (nn.Linear, Conv1D)) for m in module.modules())
            and (best is None or len(module) > len(best[1]))
        ):
            best = (f"{stem}.{name}" if stem else name, module)
    if best is None:
        raise TypeError(
            f"cannot find the blocks of a {type(model).__name__}: it holds no list of modules of"
            " one class with linear layers"
        )
    return best


class Part(NamedTuple):
    """What can be told of a matrix from its block alone; fields as in `Matrix`."""

    role: str
    stored: Tensor
    name: str  # in the block
    whole: bool
    expert: Expert


class Held(NamedTuple):
    """A weight (out, in) of a layer, or of an expert, in a block."""

    name: str  # of the module that holds it, in the block
    key: str  # what the layer is called
    weight: Tensor
    whole: bool  # it is all of the weight of its module
    expert: Expert


def _held(block: nn.Module) -> Iterator[Held]:
    """The weights of all layers and experts in the block."""
    for name, holder in block.named_modules():
        if isinstance(holder, (nn.Linear, Conv1D)):
            W = holder.weight.detach()
            path = name.split(".")
            shared = "shared" if any(part.startswith("shared_expert") for part in path) else None
            yield Held(name, path[-1], W.T if isinstance(holder, Conv1D) else W, True, shared)
            continue
        # experts are one parameter (experts, out, in) or (experts, in, out)
        transposed = getattr(holder, "is_transposed", False)
        for key, stack in holder.named_parameters(recurse=False):
            for expert, W in enumerate(stack.detach() if stack.ndim == 3 else ()):
                yield Held(name, key, W.T if transposed else W, False, expert)


def _parts(block: nn.Module, decoder: nn.Module) -> list[Part]:
    """Every matrix that can be told in the block. Raises TypeError if two play one role, or if the
    shape of one does not fit its role.
    """
    found: list[Part] = []
    for held in _held(block):
        role = role_of(kind_of(held.name), held.key)
        for part, stored in _taken_apart(role, held, block, decoder):
            found.append(Part(part, stored, held.name, held.whole and part == role, held.expert))
    if not any(part.role == "gate" for part in found):
        # without a gate, up_proj is but another name of the first layer
        found = [part._replace(role="fc_in") if part.role == "up" else part for part in found]
    _check_parts(block, found)
    return found


def _taken_apart(
    role: str | None, held: Held, block: nn.Module, decoder: nn.Module
) -> Iterable[tuple[str, Tensor]]:
    """(role, stored) of each of the paper's letters in one parameter."""
    W = held.weight
    if role == "qkv":
        return split_heads(W, decoder)
    if role == "gate_up":
        concatenated = getattr(block.get_submodule(held.name), "is_concatenated", True)
        gate, up = W.chunk(2) if concatenated else (W[0::2], W[1::2])
        return [("gate", gate), ("up", up)]
    return [(role, W)] if role else []


def _check_parts(block: nn.Module, found: list[Part]) -> None:
    seen: dict[tuple[str | None, Expert], Part] = {}
    for part in found:
        if (part.role, part.expert) in seen:
            raise TypeError(
                f"both {seen[part.role, part.expert].name} and {part.name} of a"
                f" {type(block).__name__} look like its {part.role}"
            )
        seen[part.role, part.expert] = part
    readers = {"q": "o", "fc_in": "fc_out", "gate": "fc_out", "up": "fc_out"}
    for part in found:
        reader = seen.get((readers.get(part.role), part.expert))
        n_outputs = part.stored.shape[:-1].numel()
        # what does not fit hides something else behind its name, a gate of attention, say
        if reader is not None and reader.stored.shape[-1] != n_outputs:
            raise TypeError(
                f"{part.name} of a {type(block).__name__} is named as {part.role} is, but its"
                f" {n_outputs} outputs do not fit its {reader.role}"
            )


def _branch(block: nn.Module, kind: str) -> nn.Module | None:
    # parameters and not `_held`, to find it too where a factored layer stands in
    for name, _ in block.named_parameters():
        child, *path = name.split(".")
        if kind_of(name) == kind and any(role_of(kind, key) for key in path):
            module = block.get_submodule(child)
            # given the residual, it adds it itself
            return None if "residual" in inspect.signature(module.forward).parameters else module
    return None
