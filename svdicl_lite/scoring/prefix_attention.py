"""Attention of many prompts to one beginning, without a copy of the beginning for each prompt.

Keys and values of the demonstrations are the same for all queries. transformers joins them to those
of every query, which copies more numbers than attention multiplies. Here all queries meet them in
one product, (heads, B·T, d) × (heads, d, T_d), and their own keys in another; one softmax over both
gives what attention over the joined keys gives, exactly. A batch may hold queries of several sets
of demonstrations: then each set's queries meet their own beginning, one set after the other.

Most families hand their attention to a function from a table of transformers,
`ALL_ATTENTION_FUNCTIONS`; inside `sharing` the one called "sdpa" is `attend`. Which layers do is
not guessed but seen when the beginning itself is read (`Watched`); the others, gptj, gpt_neo,
bloom, falcon and mpt among them, get joined keys as ever. Taught in chapter 07.
"""

from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS


class Beginning(NamedTuple):
    """What the prompts of each set in a batch share, in one layer; it rides on the tensor of a
    batch's own keys, from the cache to `attend`.
    """

    keys: list[Tensor]  # one for each set: (1, kv heads, T_d, d)
    values: list[Tensor]
    n_prompts: list[int]  # of each set, one set's after the other's; B in all
    n_read: int | None  # in the last block: how many last positions anyone reads; None for all

    @property
    def longest(self) -> int:
        """Of the T_d. A shorter beginning stands on the right, as the mask says."""
        return max(keys.shape[2] for keys in self.keys)

    def joined(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """With a batch's own keys and values (B, kv heads, T, d) behind it."""

        def past(tensors):
            filled = (
                nn.functional.pad(tensor, (0, 0, self.longest - tensor.shape[2], 0))
                for tensor in tensors
            )
            return torch.cat(
                [tensor.expand(n, -1, -1, -1) for tensor, n in zip(filled, self.n_prompts)]
            )

        return torch.cat((past(self.keys), keys), dim=-2), torch.cat(
            (past(self.values), values), dim=-2
        )


class Watched(DynamicCache):
    """A cache that learns which of its layers hand their keys on to `attend` as they are."""

    def __init__(self):
        # without the model's config: it keeps all keys, also those out of a window
        super().__init__()
        self.passed: set[int] = set()

    def update(self, keys, values, layer, *args, **kwargs):
        keys, values = super().update(keys, values, layer, *args, **kwargs)
        keys = keys.view(keys.shape)  # a tensor of its own, for the note not to stay on the cache
        keys.seen = lambda: self.passed.add(layer)
        return keys, values


@contextmanager
def sharing():
    """Inside, families that get their attention from transformers' table get it from `attend`."""
    ALL_ATTENTION_FUNCTIONS["sdpa"] = attend  # over transformers' own, which `del` uncovers
    try:
        yield
    finally:
        del ALL_ATTENTION_FUNCTIONS["sdpa"]


def attend(
    module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **kwargs,
):
    """As `sdpa_attention_forward`, (B, T, heads, d) of queries (B, heads, T, d), to a `Beginning`
    too if there is one on `key`.
    """
    if hasattr(key, "seen"):
        key.seen()
    beginning = getattr(key, "beginning", None)
    if beginning is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
    unread = 0 if beginning.n_read is None else max(query.shape[2] - beginning.n_read, 0)
    n_keys = beginning.longest + key.shape[2]
    plain = (
        attention_mask is not None
        and attention_mask.dtype == torch.bool
        and attention_mask.shape[1:] == (1, query.shape[2], n_keys)
    )
    if (
        not plain
        or kwargs.get("position_bias") is not None
        or kwargs.get("softcap") is not None
        or kwargs.get("dropout")
    ):
        key, value = beginning.joined(key, value)
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
    outputs, start = [], 0
    for keys, values, n in zip(beginning.keys, beginning.values, beginning.n_prompts):
        mask = attention_mask[
            start % len(attention_mask), 0, unread:, beginning.longest - keys.shape[2] :
        ]  # one for all prompts of a set
        part = slice(start, start + n)
        outputs.append(
            _attend(
                query[part, :, unread:], key[part], value[part], mask, keys[0], values[0], scaling
            )
        )
        start += n
    output = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
    return nn.functional.pad(output, (0, 0, 0, 0, unread, 0)), None


def _attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor,
    keys: Tensor,
    values: Tensor,
    scaling: float | None,
) -> Tensor:
    """(B, T, heads, d) of one set's queries (B, heads, T, d): `keys` and `values` are the
    beginning's, `mask` (T, T_d + T) is True where one sees.
    """
    (B, heads, T, d), kv_heads, shared = query.shape, key.shape[1], keys.shape[1]
    rows = heads // kv_heads * T  # of a prompt's queries that meet the same keys
    query = (
        (query * (d**-0.5 if scaling is None else scaling))
        .reshape(B, kv_heads, rows, d)
        .transpose(0, 1)
        .reshape(kv_heads, B * rows, d)
    )
    scores = query.new_empty(kv_heads, B * rows, shared + key.shape[2])
    torch.bmm(query, keys.mT, out=scores[..., :shared])
    by_prompt = scores.view(kv_heads, B, rows, -1)
    by_prompt[..., shared:] = query.view(kv_heads, B, rows, d) @ key.transpose(0, 1).mT
    unseen = ~mask.repeat(heads // kv_heads, 1)  # (rows, shared + T)
    first = (
        0 if unseen[:, :shared].any() else shared
    )  # no window hides the beginning: then only what comes after oneself
    by_prompt[..., first:].masked_fill_(unseen[:, first:], -torch.inf)
    weights = scores.softmax(-1)
    output = torch.bmm(weights[..., :shared], values).view(kv_heads, B, rows, -1)
    output += weights.view(kv_heads, B, rows, -1)[..., shared:] @ value.transpose(0, 1)
    return (
        output.view(kv_heads, B, heads // kv_heads, T, -1)
        .permute(1, 3, 0, 2, 4)
        .reshape(B, T, heads, -1)
    )
