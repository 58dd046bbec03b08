"""Scores of many prompts that begin alike, fast and exactly.

`plain_scores` is what is meant: one prompt, one forward. `fast_scores` returns the same sooner. The
demonstrations' keys and values are computed once for all queries; queries of about one length run
as one batch, padded on the right, where a causal model cannot see it; queries after several sets
of demonstrations run as one batch too, where the model lets one say at which position a token
stands; only the label words get a logit, and in the last block only the last positions pass the
MLP. Taught in chapters 03 and 08.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import LinearAttentionCacheLayerMixin

from svdicl_lite.scoring.batches import Batch, Plan, batches_of
from svdicl_lite.scoring.patches import (
    LastBlock,
    fused_gelu,
    only_last_positions,
    only_logits_of,
)
from svdicl_lite.scoring.prefix_attention import attending_to, prefix_attention
from svdicl_lite.scoring.prefix_cache import BatchCache, PrefixCache, ReadingCache
from svdicl_lite.scoring.rotary import as_never_read

SETS_AT_ONCE = 16  # sets of demonstrations that are read in one batch
NO_KEYS = (
    "a {} keeps no keys and values of what it has read, which fast scores are made of; judge it by"
    " plain scores"
)


@torch.inference_mode()
def fast_scores(model: PreTrainedModel, plans: Sequence[Plan]) -> list[NDArray[np.float32]]:
    """Label-word logits, or mean log-likelihoods of options (N, C), for each plan, the model as it
    is; all plans are of one task.

    Raises TypeError for a model that remembers what it has read otherwise than in keys and values.
    """
    last = LastBlock.of(model)
    prefixes: list[PrefixCache] = []
    as_never_read(model)
    with prepared(model):
        for _, group in read_together(plans):
            prefixes += read_prefixes(model, last, group)
        batches = batches_of(model, plans, prefixes)
        found = [score_batch(model, last, batch, prefixes) for batch in batches]
    return by_plan(plans, batches, found)


@contextmanager
def prepared(model: PreTrainedModel) -> Iterator[None]:
    """A context in which the functions of this file run, once for all batches."""
    with fused_gelu(model), prefix_attention(model):
        yield


def read_together(plans: Sequence[Plan]) -> list[tuple[int, Sequence[Plan]]]:
    """The plans whose prefixes are read in one batch, each group with the number of its first."""
    starts = range(0, len(plans), SETS_AT_ONCE)
    return [(start, plans[start : start + SETS_AT_ONCE]) for start in starts]


def read_prefixes(
    model: PreTrainedModel, last: LastBlock, plans: Sequence[Plan]
) -> list[PrefixCache]:
    """The keys and values of what the prompts of each plan share, all read in one batch.

    Raises TypeError for a model that remembers what it has read in another way, or not at all.
    """
    empty = DynamicCache(config=model.config)
    recurrent = any(isinstance(layer, LinearAttentionCacheLayerMixin) for layer in empty.layers)
    # transformers' word for Mamba and the like
    if recurrent or getattr(model, "_is_stateful", False):
        raise TypeError(NO_KEYS.format(type(model).__name__))
    prefixes = [plan.prefix[0] for plan in plans]
    cache = ReadingCache()
    if max(map(len, prefixes)):
        # (sets, T_d), padded on the right, where a causal model cannot see it
        tokens = nn.utils.rnn.pad_sequence(prefixes, batch_first=True).to(model.device)
        nobody = torch.tensor([0])  # reads these logits
        with only_last_positions(last, 1), attending_to(cache), only_logits_of(model, nobody):
            model(tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
        # the first GPT swallows what it does not know
        if not any(getattr(layer, "is_initialized", False) for layer in cache.layers):
            raise TypeError(NO_KEYS.format(type(model).__name__))
    return [cache.prefix(i, len(prefix), model.config) for i, prefix in enumerate(prefixes)]


def score_batch(
    model: PreTrainedModel, last: LastBlock, batch: Batch, prefixes: Sequence[PrefixCache]
) -> Tensor:
    """What each row says of its targets: logits (B, C) of label words, or mean log-likelihoods (B,)
    of options.
    """
    targets = batch.targets.to(model.device)
    if batch.of_options:
        told = read_batch(model, last, batch, prefixes).float().log_softmax(-1)  # (B, A, V)
        found = told.gather(2, targets.clamp(min=0)[..., None])[..., 0]  # (B, A)
        counts = targets >= 0
        return (found * counts).sum(1) / counts.sum(1)
    words, column = targets.unique(return_inverse=True)
    with only_logits_of(model, words):
        logits = read_batch(model, last, batch, prefixes)[:, 0]  # (B, words)
    return logits.gather(1, column).float()


def read_batch(
    model: PreTrainedModel, last: LastBlock, batch: Batch, prefixes: Sequence[PrefixCache]
) -> Tensor:
    """The logits (B, 1 or A, words) at the columns that are read."""
    n_prompts = [len(index) for _, index in batch.sets]
    of_sets = [prefixes[number] for number, _ in batch.sets]
    cache = BatchCache(of_sets, n_prompts, n_read={last.number: batch.n_last})
    with only_last_positions(last, batch.n_last), attending_to(cache):
        logits: Tensor = model(
            batch.tokens.to(model.device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=batch.n_last,
            **_positions(model, batch, of_sets),
        ).logits
    rows = torch.arange(len(logits), device=logits.device)[:, None]
    kept_from = batch.tokens.shape[1] - batch.n_last
    return logits[rows, batch.read_at.to(logits.device) - kept_from]


def _positions(
    model: PreTrainedModel, batch: Batch, prefixes: Sequence[PrefixCache]
) -> dict[str, Tensor]:
    """Where the tokens of a batch stand, and what they see, if prefixes differ in length. All
    prefixes end where the batch's own tokens begin: the shorter ones are padded on the left.
    """
    repeats = torch.tensor([len(index) for _, index in batch.sets])
    lengths = torch.tensor([prefix.get_seq_length() for prefix in prefixes])
    begins = lengths.repeat_interleave(repeats)[:, None]  # (B, 1)
    longest, T = int(lengths.max()), batch.tokens.shape[1]
    if int(lengths.min()) == longest:
        return {}
    seen = torch.arange(longest + T) >= longest - begins  # (B, longest + T)
    return {
        "position_ids": (begins + torch.arange(T)).to(model.device),
        "attention_mask": seen.long().to(model.device),
    }


def by_plan(
    plans: Sequence[Plan], batches: Sequence[Batch], found: Sequence[Tensor]
) -> list[NDArray[np.float32]]:
    """The scores (N, C) of each plan, from what was `found` in each batch."""
    results = [np.empty(plan.shape, dtype=np.float32) for plan in plans]
    for batch, scores in zip(batches, found):
        parts = scores.cpu().split([len(index) for _, index in batch.sets])
        for (number, index), rows in zip(batch.sets, parts):
            results[number].reshape(-1, *rows.shape[1:])[index] = rows.numpy()
    return results
