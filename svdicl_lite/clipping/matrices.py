"""Finds the weight matrices of a decoder that can be clipped, and reads and writes them in the
model's own memory.

A model names its layers as it likes, stores them (out, in) or, as GPT-2's `Conv1D` does, (in, out),
and may keep several of the paper's letters in one parameter: W_Q, W_K, W_V side by side or
interleaved head by head, gate and up in one, all experts in one. Clipping such a parameter as a
whole would let the largest of its parts crowd out the others, so each part is found by itself. Two
tables hold what is known: `NAMES`, which layer plays which role, by the name of the layer alone, so
that a family nobody listed is found if it is named as others are; and `FUSED`, how a family lays q,
k and v into one matrix, which no name tells. What is in neither is refused, never guessed.
Embeddings, norms, biases, routers and the output head are not for clipping. Taught in chapter 04.
"""

import inspect
from dataclasses import dataclass
from numbers import Integral

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

MODULES = {
    "attn": ("q", "k", "v", "o"),
    "mlp": ("fc_in", "gate", "up", "fc_out"),
    "all": ("q", "k", "v", "o", "fc_in", "gate", "up", "fc_out"),
}
"""The modules O of the paper, and the roles of the matrices in each. A single role is a module too.
An MLP has either fc_in and fc_out, or gate, up and fc_out (LLaMA's down_proj)."""

NAMES = {
    "attn": {
        "q": ("q_proj",), "k": ("k_proj",), "v": ("v_proj",), "o": ("o_proj", "out_proj", "c_proj", "dense"),
        "qkv": ("c_attn", "query_key_value", "qkv_proj", "Wqkv"),
    },
    "mlp": {
        "fc_in": ("c_fc", "fc_in", "fc1", "dense_h_to_4h"), "fc_out": ("c_proj", "fc_out", "fc2", "dense_4h_to_h", "down_proj"),
        "gate": ("gate_proj",), "up": ("up_proj",), "gate_up": ("gate_up_proj",),
    },
}  # fmt: skip
"""Role → what families call the layer that plays it."""

FUSED = {
    "gpt2": lambda config: 1,
    "openai-gpt": lambda config: 1,
    "phi3": lambda config: 1,
    "mpt": lambda config: 1,
    "gpt_neox": lambda config: config.num_attention_heads,
    "bloom": lambda config: config.num_attention_heads,
    "codegen": lambda config: 4,
    "gpt_bigcode": lambda config: 1 if config.multi_query else config.num_attention_heads,
    "falcon": lambda config: (
        config.num_kv_heads
        if config.new_decoder_architecture
        else 1
        if config.multi_query
        else config.num_attention_heads
    ),
}
"""Model type → the number of groups in its fused q, k, v. Each group holds the rows of its query
heads, then those of its key heads, then those of its value heads: with one group q, k and v are
concatenated, with a group per head they interleave."""

KEYS_LAST = ("codegen",)  # lays its groups q, v, k


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
    expert: int | str | None = (
        None  # its number, "shared" for the expert that sees every token, None outside of experts
    )

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
        expert = {None: "", "shared": " of the shared expert"}.get(
            self.expert, f" of expert {self.expert}"
        )
        return f"layer {self.layer} {self.role}{expert}"


def roles_of(module: str) -> tuple[str, ...]:
    """The roles in `module`: mlp, attn, all, or one role by itself. Raises ValueError for anything
    else.
    """
    if module in MODULES["all"]:
        return (module,)
    if module not in MODULES:
        raise ValueError(
            f"module is {module!r}, but must be one of {', '.join((*MODULES, *MODULES['all']))}"
        )
    return MODULES[module]


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
    OPT, whose block is its own MLP, and in BLOOM, whose submodules add the residual themselves."""
    return _branch(block, "mlp")


def queries_and_output(block: nn.Module) -> list[nn.Module]:
    """The submodules of `block` that make queries of hidden states, where keys and values are made
    apart, and the output of attention.
    """
    named = (
        (name, _role("attn", name.rpartition(".")[2]))
        for name, _ in block.named_modules()
        if _kind(name) == "attn"
    )
    return [block.get_submodule(name) for name, role in named if role in ("q", "o")]


def matrices(
    model: nn.Module, layer: int, module: str = "all", expert: int | str | None = None
) -> list[Matrix]:
    """The matrices of `module` in `layer` (0 is the first), in the order of `MODULES`, experts by
    number and a shared one last.

    `expert` keeps the matrices of one expert alone: its number, or "shared". Raises ValueError for
    an unknown module, a role or an expert that this layer does not have, IndexError for a layer the
    model does not have, TypeError for a model whose matrices cannot be found.
    """
    roles, (stem, layers) = roles_of(module), _blocks(model)
    if not (isinstance(layer, Integral) and 0 <= layer < len(layers)):
        raise IndexError(f"layer is {layer!r}, but this model has layers 0 to {len(layers) - 1}")
    where, parts = (
        f"layer {layer} of this {type(model).__name__}",
        _parts(layers[layer], _decoder(model)),
    )
    found = [
        Matrix(int(layer), role, stored, f"{stem}.{layer}.{name}", whole, e)
        for role, stored, name, whole, e in parts
    ]
    has = {matrix.role for matrix in found}
    _check_roles(roles, has, where)
    if expert is not None:
        known = list(dict.fromkeys(m.expert for m in found if m.expert is not None))
        if not known:
            raise ValueError(f"expert is {expert!r}, but {where} has no experts")
        if expert not in known or isinstance(expert, bool):
            shared = " or 'shared'" if "shared" in known else ""
            raise ValueError(
                f"expert is {expert!r}, but {where} has experts 0 to"
                f" {max(e for e in known if e != 'shared')}{shared}"
            )
        found = [matrix for matrix in found if matrix.expert == expert]
        if not any(matrix.role in roles for matrix in found):
            raise ValueError(
                f"expert is {expert!r}, but the {module} of {where} belongs to no expert; only its"
                " mlp does"
            )
    return [matrix for role in roles for matrix in found if matrix.role == role]


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
            " svdicl_lite/matrices.py tell what is found (layers of nn.Linear or Conv1D, not those"
            " that were factored already)"
        )


def _decoder(model: nn.Module) -> nn.Module:
    """The part of the model that generates text, which in a model of images too is not all of it."""
    config = getattr(model, "config", None)
    if getattr(config, "is_encoder_decoder", False):
        raise TypeError(
            f"a {type(model).__name__} has an encoder beside its decoder; only models that are all"
            " decoder can be clipped"
        )
    inner = next(
        (module for module in model.modules() if hasattr(module, "get_decoder")), None
    )  # the model itself, or one inside a model of your own
    return model if inner is None else inner.get_decoder()


def _blocks(model: nn.Module) -> tuple[str, nn.ModuleList]:
    decoder, best, outer = _decoder(model), None, ()
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


def _role(kind: str, key: str) -> str | None:
    return next((role for role, names in NAMES[kind].items() if key in names), None)


def _kind(name: str) -> str:
    return "attn" if "attn" in name or "attention" in name else "mlp"


def _held(block: nn.Module):
    """(name in the block, what the layer is called, weight (out, in), whole, expert) of every layer
    and expert in the block.
    """
    for name, holder in block.named_modules():
        if isinstance(holder, (nn.Linear, Conv1D)):
            W, *path = holder.weight.detach(), *name.split(".")
            shared = "shared" if any(part.startswith("shared_expert") for part in path) else None
            yield name, path[-1], W.T if isinstance(holder, Conv1D) else W, True, shared
            continue
        for key, stack in holder.named_parameters(
            recurse=False
        ):  # experts are one parameter (experts, out, in) or (experts, in, out)
            for expert, W in enumerate(stack.detach() if stack.ndim == 3 else ()):
                yield (
                    name,
                    key,
                    W.T if getattr(holder, "is_transposed", False) else W,
                    False,
                    expert,
                )


def _parts(
    block: nn.Module, decoder: nn.Module
) -> list[tuple[str, Tensor, str, bool, int | str | None]]:
    """(role, stored, name in the block, whole, expert) of every matrix that can be told in the
    block.
    """
    found = []
    for name, key, W, whole, expert in _held(block):
        role = _role(_kind(name), key)
        if role == "qkv":
            parts = _split_heads(W, decoder)
        elif role == "gate_up":
            concatenated = getattr(block.get_submodule(name), "is_concatenated", True)
            parts = zip(("gate", "up"), W.chunk(2) if concatenated else (W[0::2], W[1::2]))
        else:
            parts = [(role, W)] if role else []
        found += [(part, stored, name, whole and part == role, expert) for part, stored in parts]
    if not any(
        role == "gate" for role, *_ in found
    ):  # without a gate, up_proj is but another name of the first layer
        found = [("fc_in" if role == "up" else role, *rest) for role, *rest in found]
    seen = {}
    for role, stored, name, _, expert in found:
        if (role, expert) in seen:
            raise TypeError(
                f"both {seen[role, expert][0]} and {name} of a {type(block).__name__} look like its"
                f" {role}"
            )
        seen[role, expert] = name, (stored.shape[:-1].numel(), stored.shape[-1])
    for (role, expert), (name, shape) in seen.items():
        reader = {"q": "o", "fc_in": "fc_out", "gate": "fc_out", "up": "fc_out"}.get(role)
        if (reader, expert) in seen and seen[reader, expert][1][1] != shape[
            0
        ]:  # then the name hides something else, a gate of attention, say
            raise TypeError(
                f"{name} of a {type(block).__name__} is named as {role} is, but its {shape[0]}"
                f" outputs do not fit its {reader}"
            )
    return found


def _split_heads(W: Tensor, decoder: nn.Module) -> list[tuple[str, Tensor]]:
    """q, k and v as parts of a fused W (out, in), each (groups, rows, in), or (rows, in) if there
    is one group.
    """
    config = getattr(decoder, "config", None)
    layout = FUSED.get(getattr(config, "model_type", None))
    if layout is None:
        return []
    groups, heads = layout(config), config.num_attention_heads
    rows = W.unflatten(0, (groups, -1))
    n_q = heads // groups * (getattr(config, "head_dim", None) or config.hidden_size // heads)
    n_kv = (
        rows.shape[1] - n_q
    ) // 2  # families state the number of their key heads in many ways; the shape always tells
    q, k, v = rows.split((n_q, n_kv, n_kv), dim=1)
    if config.model_type in KEYS_LAST:
        k, v = v, k
    return [
        (role, part[0] if groups == 1 else part) for role, part in (("q", q), ("k", k), ("v", v))
    ]


def _branch(block: nn.Module, kind: str) -> nn.Module | None:
    for (
        name,
        _,
    ) in block.named_parameters():  # not `_held`, to find it too where a factored layer stands in
        child, *path = name.split(".")
        if _kind(name) == kind and any(_role(kind, key) for key in path):
            module = block.get_submodule(child)
            return None if "residual" in inspect.signature(module.forward).parameters else module
    return None
