"""Scores of many prompts that begin alike, fast and exactly.

`plain_scores` is what is meant: one prompt, one forward. `fast_scores` returns the same sooner. The demonstrations' keys and values
are computed once for all queries; queries of about one length run as one batch, filled up on the right, where a causal model cannot see it, so no
mask can be wrong; only the label words get a logit, and in the last block only the last positions pass the MLP. Taught in chapters 03 and 07.
"""

import copy
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.activations import NewGELUActivation
from transformers.cache_utils import LinearAttentionCacheLayerMixin

from svdicl_lite.attend import Beginning, Watched, sharing
from svdicl_lite.matrices import blocks, feed_forward, queries_and_output
from svdicl_lite.options import option_scores_plain
from svdicl_lite.prompts import OptionPrompts, Prompts


def plain_scores(model, prompts: Prompts | OptionPrompts) -> np.ndarray:
    """Label-word logits (N, C), or mean log-likelihoods of options: one full forward a prompt, nothing shared."""
    if isinstance(prompts, OptionPrompts):
        return option_scores_plain(model, prompts)
    rows = []
    with torch.inference_mode():
        for tokens, label_tokens in zip(prompts.tokens, prompts.label_tokens):
            logits = model(torch.tensor([tokens], device=model.device)).logits[0, -1]
            rows.append(logits[label_tokens].float().cpu().numpy())
    return np.stack(rows)


@dataclass(frozen=True)
class Batch:
    """Prompts of about one length, without the beginning that all prompts of the set share, filled up on the right."""

    index: list[int]  # (B,) which prompts these are
    tokens: Tensor  # (B, T)
    answers: Tensor  # (B, C) label tokens, or (B, A) the option's own, −1 behind a shorter one
    read: Tensor  # (B, 1) or (B, A) the positions, from the end, whose logits speak about the answer: 1 is the last

    @classmethod
    def of(cls, index: list[int], rows: list[list[int]], answers: list[list[int]], n_answer: list[int]) -> "Batch":
        longest, width = max(map(len, rows)), max(map(len, answers))
        filled = [row + row[-1:] * (longest - len(row)) for row in rows]
        read = [[longest - len(row) + max(n, 1) + (n > 0) - i for i in range(max(n, 1))] for row, n in zip(rows, n_answer)]
        read = [positions + [1] * (max(map(len, read)) - len(positions)) for positions in read]  # behind a shorter option: not counted
        return cls(index, torch.tensor(filled), torch.tensor([answer + [-1] * (width - len(answer)) for answer in answers]), torch.tensor(read))


class Plan:
    """How one set of prompts is run: first what all of them share, then the rest, the short ones first, in batches."""

    def __init__(self, prompts: Prompts | OptionPrompts, batch_size: int):
        self.of_options = isinstance(prompts, OptionPrompts)
        if self.of_options:  # every option of every query is a prompt of its own, and its own last tokens are the answer
            tokens = [prompt for options in prompts.tokens for prompt in options]
            n_answer = [n for row in prompts.n_option_tokens for n in row]
            answers = [prompt[-n:] for prompt, n in zip(tokens, n_answer)]
            self.shape = len(prompts.tokens), len(prompts.tokens[0])  # N, C
        else:
            tokens, answers, n_answer = prompts.tokens, prompts.label_tokens, [0] * len(prompts.tokens)
            self.shape = len(tokens), len(answers[0])
        first, last = min(tokens), max(tokens)  # what these two share, all share
        common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last)))
        common = min(common, min(len(prompt) - n for prompt, n in zip(tokens, n_answer)) - 1)
        self.prefix = torch.tensor([first[:common]], dtype=torch.long)  # (1, T_d)
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        n_batches = -(-len(order) // batch_size)
        parts = [order[i * len(order) // n_batches : (i + 1) * len(order) // n_batches] for i in range(n_batches)]
        self.batches = [Batch.of(part, [tokens[i][common:] for i in part], [answers[i] for i in part], [n_answer[i] for i in part]) for part in parts]


class End(NamedTuple):
    """The last block, of which only the last positions are read: its number, and its parts that need not run at the others.

    Those are its feed-forward part, the output of its attention, and its queries where a layer of their own makes them. Found once for all
    batches: on a small model the finding takes as long as a tenth of a batch.
    """

    number: int
    parts: list[nn.Module]

    @classmethod
    def of(cls, model) -> "End":
        *_, block = layers = blocks(model)
        return cls(len(layers) - 1, [part for part in (feed_forward(block), *queries_and_output(block)) if part is not None])


@torch.inference_mode()
def fast_scores(model, plans: list[Plan]) -> list[np.ndarray]:
    """Label-word logits, or mean log-likelihoods of options (N, C), for each plan, the model as it is."""
    end = End.of(model)
    with fused(model):
        return [run_batches(model, end, plan, prefix) for plan, prefix in zip(plans, run_prefixes(model, end, plans))]


SETS_AT_ONCE = 16  # sets of demonstrations in one batch
NO_KEYS = "a {} keeps no keys and values of what it has read, which fast scores are made of; judge it by plain scores"


def run_prefixes(model, end: End, plans: list[Plan], before_batch=lambda number: None) -> list[DynamicCache]:
    """The keys and values of what the prompts of each plan share; `before_batch` is told the number of the first plan of each batch.

    Raises TypeError for a model that remembers what it has read in another way, or not at all.
    """
    empty = DynamicCache(config=model.config)
    recurrent = any(isinstance(layer, LinearAttentionCacheLayerMixin) for layer in empty.layers)
    if recurrent or getattr(model, "_is_stateful", False):  # transformers' word for Mamba and the like
        raise TypeError(NO_KEYS.format(type(model).__name__))
    caches = []
    for start in range(0, len(plans), SETS_AT_ONCE):
        prefixes = [plan.prefix[0] for plan in plans[start : start + SETS_AT_ONCE]]
        together = Watched()
        if max(map(len, prefixes)):
            before_batch(start)
            filled = nn.utils.rnn.pad_sequence(prefixes, batch_first=True)  # (sets, T_d), on the right, where a causal model cannot see it
            with lean(end, 1), sharing(), only_rows(model.get_output_embeddings(), torch.tensor([0])):  # nobody reads the logits
                model(filled.to(model.device), past_key_values=together, use_cache=True, logits_to_keep=1)
            if not any(layer.is_initialized for layer in together.layers):  # the first GPT swallows what it does not know
                raise TypeError(NO_KEYS.format(type(model).__name__))
        for i, prefix in enumerate(prefixes):
            caches.append(copy.copy(empty))
            caches[-1].layers = [copy.copy(layer) for layer in empty.layers]
            for number, layer in enumerate(together.layers):
                if layer.is_initialized and len(prefix):
                    caches[-1].update(layer.keys[i : i + 1, :, : len(prefix)], layer.values[i : i + 1, :, : len(prefix)], number)
                    caches[-1].layers[number].attended = number in together.passed
    return caches


def run_batches(model, end: End, plan: Plan, prefix: DynamicCache, before_batch=lambda number: None) -> np.ndarray:
    """The scores (N, C), given the prefix; `before_batch` is told the number of each batch before it runs."""
    result = np.empty(plan.shape, dtype=np.float32)
    for number, batch in enumerate(plan.batches):
        before_batch(number)
        answers = batch.answers.to(model.device)
        if plan.of_options:
            told = run_batch(model, end, batch, prefix).float().log_softmax(-1)  # (B, A, V)
            found = told.gather(2, answers.clamp(min=0)[..., None])[..., 0]  # (B, A)
            counts = answers >= 0
            result.flat[batch.index] = ((found * counts).sum(1) / counts.sum(1)).cpu().numpy()
        else:
            words, column = answers.unique(return_inverse=True)
            with only_rows(model.get_output_embeddings(), words):
                logits = run_batch(model, end, batch, prefix)[:, 0]  # (B, words)
            result[batch.index] = logits.gather(1, column).float().cpu().numpy()
    return result


def run_batch(model, end: End, batch: Batch, prefix: DynamicCache) -> Tensor:
    """The logits (B, 1 or A, words) at the positions that are read."""
    n_last = int(batch.read.max())
    with lean(end, n_last), sharing():
        cache = shared(prefix, {end.number: n_last})
        logits = model(batch.tokens.to(model.device), past_key_values=cache, use_cache=True, logits_to_keep=n_last).logits
    return logits[torch.arange(len(logits), device=logits.device)[:, None], -batch.read.to(logits.device)]


def shared(prefix: DynamicCache, n_read: dict[int, int]) -> DynamicCache:
    """The prefix as every batch may use it: one copy for all queries, never written to. `n_read` is as in `Beginning`, by layer.

    A layer whose attention is `attend` gets a batch's own keys and values alone, and the beginning beside them; any other gets them joined.
    """

    def joined(layer, n_read: int | None):
        def update(keys, values, *args, **kwargs):  # (B, heads, T, d_head)
            if not layer.is_initialized:  # no demonstrations
                return keys, values
            beginning = Beginning(layer.keys, layer.values, n_read)
            if not layer.attended:
                return beginning.joined(keys, values)
            keys = keys.view(keys.shape)
            keys.beginning = beginning
            return keys, values

        joined = copy.copy(layer)  # of the same kind, whatever that is: it knows lengths and masks
        joined.update = update
        return joined

    cache = copy.copy(prefix)
    cache.layers = [joined(layer, n_read.get(number)) for number, layer in enumerate(prefix.layers)]
    return cache


@contextmanager
def lean(end: End, n_last: int):
    """Inside, the last block makes keys and values of all positions, and the rest at the last ones only: nothing reads the others."""

    def at_last(whole):
        def last_positions(hidden, *args, **kwargs):  # (B, T, d)
            skipped = max(hidden.shape[1] - n_last, 0)
            output = whole(hidden[:, skipped:].contiguous(), *args, **kwargs)
            output, *rest = output if isinstance(output, tuple) else (output,)  # some mixtures return their router's scores too
            flat = output.ndim == 2  # Llama 4's returns all tokens in one row
            output = nn.functional.pad(output.view(len(hidden), -1, output.shape[-1]), (0, 0, skipped, 0))
            output = output.flatten(0, 1) if flat else output
            return (output, *rest) if rest else output

        return last_positions

    with ExitStack() as stack:
        for part in end.parts:
            stack.enter_context(patched(part, at_last(part.forward)))
        yield


@contextmanager
def fused(model):
    """Inside, GPT-2's activation is one operation instead of eight, the same function; on small models it is a third of the time."""
    with ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, NewGELUActivation):
                stack.enter_context(patched(module, lambda hidden: nn.functional.gelu(hidden, approximate="tanh")))
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
