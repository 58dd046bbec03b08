"""What is known of families: which layer plays which role, and how a fused matrix is laid out.

Two tables hold it: `NAMES`, which layer plays which role, by the name of the layer alone, so that a
family nobody listed is found if it is named as others are; and `FUSED`, how a family lays q, k and
v into one matrix, which no name tells. What is in neither is refused, never guessed. A new family
is a line here. Taught in chapter 05.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

MODULES = {
    "attn": ("q", "k", "v", "o"),
    "mlp": ("fc_in", "gate", "up", "fc_out"),
    "all": ("q", "k", "v", "o", "fc_in", "gate", "up", "fc_out"),
}
"""The modules O of the paper, and the roles of the matrices in each. A single role is a module too.
An MLP has either fc_in and fc_out, or gate, up and fc_out (LLaMA's down_proj)."""

NAMES = {
    "attn": {
        "q": ("q_proj",), "k": ("k_proj",), "v": ("v_proj",),
        "o": ("o_proj", "out_proj", "c_proj", "dense"),
        "qkv": ("c_attn", "query_key_value", "qkv_proj", "Wqkv"),
    },
    "mlp": {
        "fc_in": ("c_fc", "fc_in", "fc1", "dense_h_to_4h"),
        "fc_out": ("c_proj", "fc_out", "fc2", "dense_4h_to_h", "down_proj"),
        "gate": ("gate_proj",), "up": ("up_proj",), "gate_up": ("gate_up_proj",),
    },
}  # fmt: skip
"""Role → what families call the layer that plays it."""

FUSED: dict[str, Callable[[Any], int]] = {
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


def role_of(kind: str, key: str) -> str | None:
    """The role of a layer called `key` in attention or in an MLP (`kind`); None if no family has
    one of that name.
    """
    return next((role for role, names in NAMES[kind].items() if key in names), None)


def kind_of(name: str) -> str:
    """Which branch of a block the submodule `name` belongs to, "attn" or "mlp"."""
    return "attn" if "attn" in name or "attention" in name else "mlp"


def split_heads(W: Tensor, decoder: nn.Module) -> list[tuple[str, Tensor]]:
    """q, k and v as parts of a fused W (out, in), each (groups, rows, in), or (rows, in) if there
    is one group.
    """
    config: Any = getattr(decoder, "config", None)
    layout = FUSED.get(getattr(config, "model_type", ""))
    if layout is None:
        return []
    groups, heads = layout(config), config.num_attention_heads
    rows: Tensor = W.unflatten(0, (groups, -1))
    n_q = heads // groups * (getattr(config, "head_dim", None) or config.hidden_size // heads)
    # families state the number of their key heads in many ways; the shape always tells
    n_kv = (rows.shape[1] - n_q) // 2
    q, k, v = rows.split((n_q, n_kv, n_kv), dim=1)
    if config.model_type in KEYS_LAST:
        k, v = v, k
    parts = ("q", q), ("k", k), ("v", v)
    return [(role, part[0] if groups == 1 else part) for role, part in parts]
