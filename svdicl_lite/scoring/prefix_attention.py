"""Attention of many prompts to one prefix, without a copy of the prefix for each prompt.

Keys and values of the demonstrations are the same for all queries. transformers joins them to those
of every query, which copies more numbers than attention multiplies. Here all queries meet them in
one product, (heads, B·T, d) × (heads, d, T_d), and their own keys in another; one softmax over both
gives what attention over the joined keys gives, exactly. A batch may hold queries of several sets
of demonstrations: then each set's queries meet their own prefix, one set after the other.

Most families hand their attention to a function of transformers' `AttentionInterface`; inside
`prefix_attention` that is `attend`, registered there beside "sdpa" under a name of its own. Which
layers' keys it gets as the cache made them is not guessed but seen when the prefix itself is read
(`ReadingCache`); the others, gptj, gpt_neo, bloom, falcon and mpt among them, get joined keys as
ever. Taught in chapter 08.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from svdicl_lite.scoring.prefix_cache import BatchCache, ReadingCache, SharedPrefix

NAME = "svdicl_prefix"  # of `attend` among transformers' attention functions

# The cache of the forward pass that is on. As a keyword of the model it would not arrive: StableLM
# and Nemotron hand no keywords on to their attention.
_cache: ContextVar[ReadingCache | BatchCache | None] = ContextVar("cache", default=None)


@contextmanager
def prefix_attention(model: PreTrainedModel) -> Iterator[None]:
    """Inside, a model whose attention is transformers' "sdpa" gets it from `attend`."""
    # Falcon says "sdpa", too, but writes its attention itself and would take another way if it read
    # another name; only the class knows that (transformers asks it before it changes a model).
    replaced = (
        model.config._attn_implementation == "sdpa" and model._can_set_attn_implementation()  # noqa: SLF001
    )
    if replaced:
        model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        if replaced:
            model.set_attn_implementation("sdpa")


@contextmanager
def attending_to(cache: ReadingCache | BatchCache) -> Iterator[None]:
    """Inside, `attend` asks this cache for prefixes."""
    token = _cache.set(cache)
    try:
        yield
    finally:
        _cache.reset(token)


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """As `sdpa_attention_forward`, (B, T, heads, d) of queries (B, heads, T, d); also to the prefix
    that stands before `key` in the cache, if there is one.
    """
    cache = _cache.get()
    prefix = None if cache is None else cache.prefix_before(key)
    if prefix is not None:
        if _is_plain(prefix, query, key, attention_mask, kwargs):
            assert attention_mask is not None
            return _attend_apart(query, key, value, attention_mask, prefix, scaling), None
        key, value = prefix.concatenated(key, value)
    output, weights = sdpa_attention_forward(
        module, query, key, value, attention_mask, scaling=scaling, **kwargs
    )
    return output, weights


def _is_plain(
    prefix: SharedPrefix, query: Tensor, key: Tensor, mask: Tensor | None, kwargs: dict[str, Any]
) -> bool:
    """Whether this is softmax attention with one mask of yes and no for all heads, nothing else."""
    n_keys = prefix.longest + key.shape[2]
    return (
        mask is not None
        and mask.dtype == torch.bool
        and mask.shape[1:] == (1, query.shape[2], n_keys)
        and kwargs.get("position_bias") is None
        and kwargs.get("softcap") is None
        and not kwargs.get("dropout")
    )


def _attend_apart(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor,
    prefix: SharedPrefix,
    scaling: float | None,
) -> Tensor:
    """(B, T, heads, d), one set's queries after the other's; zero where nobody reads."""
    unread = 0 if prefix.n_read is None else max(query.shape[2] - prefix.n_read, 0)
    outputs = []
    start = 0
    for keys, values, n in zip(prefix.keys, prefix.values, prefix.n_prompts):
        # one mask for all prompts of a set; a shorter prefix stands on the right
        of_set = mask[start % len(mask), 0, unread:, prefix.longest - keys.shape[2] :]
        rows = slice(start, start + n)
        own = query[rows, :, unread:], key[rows], value[rows]
        outputs.append(_attend_to_one(*own, of_set, keys[0], values[0], scaling))
        start += n
    output = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
    return nn.functional.pad(output, (0, 0, 0, 0, unread, 0))


def _attend_to_one(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor,
    keys: Tensor,
    values: Tensor,
    scaling: float | None,
) -> Tensor:
    """(B, T, heads, d) of one set's queries (B, heads, T, d): `keys` and `values` (kv heads, T_d,
    d) are the prefix's, `mask` (T, T_d + T) is True where one sees.
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
    # where no window hides the prefix, only what comes after oneself is to be hidden
    first = 0 if unseen[:, :shared].any() else shared
    by_prompt[..., first:].masked_fill_(unseen[:, first:], -torch.inf)
    weights = scores.softmax(-1)
    output = torch.bmm(weights[..., :shared], values).view(kv_heads, B, rows, -1)
    output += weights.view(kv_heads, B, rows, -1)[..., shared:] @ value.transpose(0, 1)
    return (
        output.view(kv_heads, B, heads // kv_heads, T, -1)
        .permute(1, 3, 0, 2, 4)
        .reshape(B, T, heads, -1)
    )


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
