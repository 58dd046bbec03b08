"""Prompts that are longer than a model has positions. Taught in chapter 15."""

from collections.abc import Callable
from typing import Any, NamedTuple

from transformers import PreTrainedModel

from svdicl_lite.scoring.prompts import Prompts


class Place(NamedTuple):
    """Of which examples some prompts are, for a sentence about them."""

    split: str
    first: int  # the row of the first of them
    n_shots: int
    own: Callable[[int], int]  # the tokens that the i-th takes without demonstrations


def positions_of(model: PreTrainedModel) -> int | None:
    """How many positions the model has; None for BLOOM and MPT, which have no limit."""
    config: Any = model.config.get_text_config()
    positions: int | None = getattr(config, "max_position_embeddings", None)
    return positions


def fitting(
    model: PreTrainedModel, prompts: Prompts, place: Place, drop_long: bool
) -> tuple[Prompts, int]:
    """The prompts that the model has positions for, and how many are left out, none unless
    `drop_long`.

    Raises ValueError, naming the longest row and its tokens, if one is too long, and if all are.
    """
    positions, lengths = positions_of(model), prompts.lengths
    if positions is None or max(lengths) <= positions:
        return prompts, 0
    kept = [i for i, length in enumerate(lengths) if length <= positions]
    n_long = len(lengths) - len(kept)
    if kept and drop_long:
        return (
            prompts._replace(
                contexts=[prompts.contexts[i] for i in kept],
                continuations=[prompts.continuations[i] for i in kept],
                labels=[prompts.labels[i] for i in kept],
            ),
            n_long,
        )
    raise ValueError(_sentence(prompts, place, positions, n_long))


def _sentence(prompts: Prompts, place: Place, positions: int, n_long: int) -> str:
    lengths = prompts.lengths
    i = max(range(len(lengths)), key=lengths.__getitem__)
    own = place.own(i)
    if n_long == len(lengths) and place.n_shots and own <= positions:
        return (
            f"a prompt of {place.n_shots} shots has {lengths[i]} tokens, but the model has"
            f" {positions} positions; use fewer shots"
        )
    way = "leave such rows out by --drop-long (drop_long=True)"
    if n_long == len(lengths):
        way = "take shorter texts"
    fewer = ", use fewer shots" if place.n_shots and own <= positions else ""
    return (
        f"row {place.first + i} of {place.split} (from 0) has {own} tokens of its own and"
        f" {lengths[i]} after {place.n_shots} shots, but the model has {positions} positions, and"
        f" {n_long} of {len(lengths)} rows after these demonstrations are too long; {way}{fewer},"
        " or take a model with more positions"
    )
