"""Scores of many prompts that begin alike, fast and exactly.

`plain_scores` is what is meant: one prompt, one forward. `scores` returns the same sooner. The demonstrations' keys and values
are computed once for all queries; queries of one length run as one batch, so nothing is padded and no mask can be wrong; at the
last position only the label words get a logit, and in the last block only that position passes the MLP. Taught in chapters 03 and 07.
"""

import copy
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import torch
from torch import Tensor, nn
from transformers import DynamicCache

from svdicl_lite.matrices import blocks, feed_forward
from svdicl_lite.prompts import Prompts


@torch.inference_mode()
def plain_scores(model, prompts: Prompts) -> np.ndarray:
    """Label-word logits (N, C), one full forward a prompt."""
    rows = []
    for tokens, label_tokens in zip(prompts.tokens, prompts.label_tokens):
        logits = model(torch.tensor([tokens], device=model.device)).logits[0, -1]
        rows.append(logits[label_tokens].float().cpu().numpy())
    return np.stack(rows)


@dataclass(frozen=True)
class Batch:
    """Prompts of one length, without the beginning that all prompts of the set share."""

    index: list[int]  # (B,) which prompts these are
    tokens: Tensor  # (B, T)
    answers: Tensor  # (B, C) label tokens


class Plan:
    """How one set of prompts is run: first what all of them share, then the rest in batches of equal length."""

    def __init__(self, prompts: Prompts, batch_size: int):
        tokens = prompts.tokens
        self.shape = len(tokens), len(prompts.label_tokens[0])  # N, C
        first, last = min(tokens), max(tokens)  # what these two share, all share
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last)))
        shared = min(shared, min(map(len, tokens)) - 1)
        self.prefix = torch.tensor([first[:shared]], dtype=torch.long)  # (1, T_d)
        by_length = defaultdict(list)
        for i, row in enumerate(tokens):
            by_length[len(row)].append(i)
        parts = [same[start : start + batch_size] for same in by_length.values() for start in range(0, len(same), batch_size)]
        self.batches = [
            Batch(part, torch.tensor([tokens[i][shared:] for i in part]), torch.tensor([prompts.label_tokens[i] for i in part])) for part in parts
        ]


@torch.inference_mode()
def scores(model, plan: Plan) -> np.ndarray:
    """Label-word logits (N, C) of one plan, the model as it is."""
    with lean(model):
        return run_batches(model, plan, run_prefix(model, plan))


def run_prefix(model, plan: Plan) -> DynamicCache:
    """The keys and values of what all prompts share."""
    cache = DynamicCache(config=model.config)
    if plan.prefix.shape[1]:
        model(plan.prefix.to(model.device), past_key_values=cache, use_cache=True, logits_to_keep=1)
    return cache


def run_batches(model, plan: Plan, prefix: DynamicCache, before_batch=lambda number: None) -> np.ndarray:
    """Label-word logits (N, C), given the prefix; `before_batch` is told the number of each batch before it runs."""
    result = np.empty(plan.shape, dtype=np.float32)
    for number, batch in enumerate(plan.batches):
        before_batch(number)
        answers = batch.answers.to(model.device)
        words, column = answers.unique(return_inverse=True)
        with only_rows(model.get_output_embeddings(), words):
            logits = model(batch.tokens.to(model.device), past_key_values=shared(prefix), use_cache=True, logits_to_keep=1).logits[:, -1]
        result[batch.index] = logits.gather(1, column).float().cpu().numpy()
    return result


def shared(prefix: DynamicCache) -> DynamicCache:
    """The prefix as every batch may use it: one copy for all queries, joined to each batch's own keys and values, never written to."""

    def joined(layer):
        def update(keys, values, *args, **kwargs):  # (B, heads, T, d_head)
            if not layer.is_initialized:  # no demonstrations
                return keys, values
            past = (tensor.expand(len(keys), -1, -1, -1) for tensor in (layer.keys, layer.values))
            return tuple(torch.cat(pair, dim=-2) for pair in zip(past, (keys, values)))

        joined = copy.copy(layer)  # of the same kind, whatever that is: it knows lengths and masks
        joined.update = update
        return joined

    cache = copy.copy(prefix)
    cache.layers = [joined(layer) for layer in prefix.layers]
    return cache


@contextmanager
def lean(model):
    """Inside, the feed-forward part of the last block runs at the last position only: nothing reads the others."""
    module = feed_forward(blocks(model)[-1])
    if module is None:
        yield
        return
    whole = module.forward

    def last_position(*args, **kwargs):
        length = args[0].shape[1]
        output = whole(*(arg[:, -1:] if isinstance(arg, Tensor) and arg.ndim == 3 else arg for arg in args), **kwargs)
        return nn.functional.pad(output, (0, 0, length - 1, 0))

    with patched(module, last_position):
        yield


@contextmanager
def only_rows(head: nn.Module, rows: Tensor):
    """Inside, the output head computes the logits of these tokens only, (…, len(rows)) instead of (…, vocabulary)."""
    weight, bias = head.weight[rows], None if head.bias is None else head.bias[rows]
    with patched(head, lambda hidden: nn.functional.linear(hidden, weight, bias)):
        yield


@contextmanager
def patched(module: nn.Module, forward):
    """Inside, `module` computes `forward`; after it, what it did before."""
    own = module.__dict__.get("forward")  # another patch, if there is one
    module.forward = forward
    try:
        yield
    finally:
        if own is None:
            del module.forward
        else:
            module.forward = own
