"""Positions that depend on how long the whole sequence is.

Most rotary positions turn a key by its own position alone, so that keys of demonstrations serve
every query after them. LongRoPE (Ding et al. 2024; Phi-3) turns all of them otherwise as soon as a
sequence is longer than the model was first trained on, and dynamic NTK scaling turns them otherwise
for every length beyond: there, keys read once for prompts of both kinds would be wrong, and such
prompts are read one at a time. Taught in chapter 15.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

Rule = tuple[bool, int]
"""(whether longer sequences are all turned alike, the length up to which nothing changes)."""


def rule_of(model: Any) -> Rule | None:
    """What the config says of the lengths at which positions change; None if they do not."""
    config = model.config.get_text_config()
    found = []
    for rope in _described(getattr(config, "rope_parameters", None)):
        kind = str(rope.get("rope_type", rope.get("type", "default")))
        length = getattr(config, "max_position_embeddings", 0)
        if kind == "longrope":
            found.append((True, int(rope.get("original_max_position_embeddings") or length)))
        elif "dynamic" in kind:
            found.append((False, int(length)))
    if not found:
        return None
    alike = all(alike for alike, _ in found) and len({length for _, length in found}) == 1
    return alike, min(length for _, length in found)


def _described(said: Any) -> Iterator[dict[str, Any]]:
    """The rotary positions of a config: one for all layers, or one for each kind of layer."""
    if not isinstance(said, dict):
        return
    if "rope_type" in said or "type" in said:
        yield said
    else:
        for of_kind in said.values():
            yield from _described(of_kind)


def side_of(rule: Rule | None, prefix: int, shortest: int, longest: int) -> str | None:
    """Where the sequences of a plan lie: "below" the length, "above" it, or None, on both sides,
    where only reading each by itself is right.

    `prefix`: the tokens that all share and that are read alone; `shortest`, `longest`: of whole
    sequences.
    """
    if rule is None:
        return "below"
    alike, length = rule
    if longest <= length:
        return "below"
    begins_above = prefix > length or (prefix == 0 and shortest > length)
    return "above" if alike and begins_above else None


def check_sides(sides: Sequence[str | None]) -> None:
    """Raises ValueError for sequences that cannot be read together."""
    if None in sides or len(set(sides)) > 1:
        raise ValueError(
            "the model turns positions otherwise in long sequences, and these prompts lie on both"
            " sides of that length; judge them by an ICLEvaluator, or one by one by plain_scores"
        )


def as_never_read(model: nn.Module) -> None:
    """Puts dynamic frequencies back to what they were before anything was read: transformers keeps
    those of the longest sequence so far, on which scores would then depend.
    """
    if rule_of(model) is None:
        return
    for module in model.modules():
        first = getattr(module, "original_inv_freq", None)
        if first is not None and hasattr(module, "max_seq_len_cached"):
            module.register_buffer("inv_freq", first.clone(), persistent=False)
            module.max_seq_len_cached = module.original_max_seq_len
