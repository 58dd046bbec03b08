"""Scores of many prompts that begin alike, fast and exactly.

`plain_scores` is what is meant: one prompt, one forward. `fast_scores` returns the same sooner. The
demonstrations' keys and values are computed once for all queries; queries of about one length run
as one batch, filled up on the right, where a causal model cannot see it; a few queries behind each
of several sets of demonstrations run as one batch too, where the model lets one say at which
position a token stands; only the label words get a logit, and in the last block only the last
positions pass the MLP. Taught in chapters 03 and 07.
"""

import copy
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.activations import NewGELUActivation
from transformers.cache_utils import LinearAttentionCacheLayerMixin

from svdicl_lite.clipping.matrices import blocks, feed_forward, queries_and_output
from svdicl_lite.scoring.batches import Batch, Plan, batches_of
from svdicl_lite.scoring.prefix_attention import Beginning, Watched, sharing


class End(NamedTuple):
    """The last block, of which only the last positions are read: its number, and its parts that
    need not run at the others.

    Those are its feed-forward part, the output of its attention, and its queries where a layer of
    their own makes them. Found once for all batches: on a small model the finding takes as long as
    a tenth of a batch.
    """

    number: int
    parts: list[nn.Module]

    @classmethod
    def of(cls, model) -> "End":
        *_, block = layers = blocks(model)
        return cls(
            len(layers) - 1,
            [
                part
                for part in (feed_forward(block), *queries_and_output(block))
                if part is not None
            ],
        )


@torch.inference_mode()
def fast_scores(model, plans: list[Plan]) -> list[np.ndarray]:
    """Label-word logits, or mean log-likelihoods of options (N, C), for each plan, the model as it
    is; all plans are of one task.
    """
    end = End.of(model)
    with fused(model):
        prefixes = run_prefixes(model, end, plans)
        return run_batches(model, end, plans, batches_of(model, plans, prefixes), prefixes)


SETS_AT_ONCE = 16  # sets of demonstrations that are read in one batch
NO_KEYS = (
    "a {} keeps no keys and values of what it has read, which fast scores are made of; judge it by"
    " plain scores"
)


def run_prefixes(
    model, end: End, plans: list[Plan], before_batch=lambda number: None
) -> list[DynamicCache]:
    """The keys and values of what the prompts of each plan share; `before_batch` is told the number
    of the first plan of each batch.

    Raises TypeError for a model that remembers what it has read in another way, or not at all.
    """
    empty = DynamicCache(config=model.config)
    recurrent = any(isinstance(layer, LinearAttentionCacheLayerMixin) for layer in empty.layers)
    if recurrent or getattr(
        model, "_is_stateful", False
    ):  # transformers' word for Mamba and the like
        raise TypeError(NO_KEYS.format(type(model).__name__))
    caches = []
    for start in range(0, len(plans), SETS_AT_ONCE):
        prefixes = [plan.prefix[0] for plan in plans[start : start + SETS_AT_ONCE]]
        together = Watched()
        if max(map(len, prefixes)):
            before_batch(start)
            filled = nn.utils.rnn.pad_sequence(
                prefixes, batch_first=True
            )  # (sets, T_d), on the right, where a causal model cannot see it
            with (
                lean(end, 1),
                sharing(),
                only_rows(model.get_output_embeddings(), torch.tensor([0])),
            ):  # nobody reads the logits
                model(
                    filled.to(model.device),
                    past_key_values=together,
                    use_cache=True,
                    logits_to_keep=1,
                )
            if not any(
                layer.is_initialized for layer in together.layers
            ):  # the first GPT swallows what it does not know
                raise TypeError(NO_KEYS.format(type(model).__name__))
        for i, prefix in enumerate(prefixes):
            caches.append(copy.copy(empty))
            caches[-1].layers = [copy.copy(layer) for layer in empty.layers]
            for number, layer in enumerate(together.layers):
                if layer.is_initialized and len(prefix):
                    caches[-1].update(
                        layer.keys[i : i + 1, :, : len(prefix)],
                        layer.values[i : i + 1, :, : len(prefix)],
                        number,
                    )
                    caches[-1].layers[number].attended = number in together.passed
    return caches


def run_batches(
    model,
    end: End,
    plans: list[Plan],
    batches: list[Batch],
    prefixes: list[DynamicCache],
    before_batch=lambda number: None,
) -> list[np.ndarray]:
    """The scores (N, C) of each plan, given the prefixes; `before_batch` is told the number of each
    batch before it runs.
    """
    results = [np.empty(plan.shape, dtype=np.float32) for plan in plans]
    for number, batch in enumerate(batches):
        before_batch(number)
        answers = batch.answers.to(model.device)
        if plans[0].of_options:
            told = run_batch(model, end, batch, prefixes).float().log_softmax(-1)  # (B, A, V)
            found = told.gather(2, answers.clamp(min=0)[..., None])[..., 0]  # (B, A)
            counts = answers >= 0
            found = (found * counts).sum(1) / counts.sum(1)  # (B,)
        else:
            words, column = answers.unique(return_inverse=True)
            with only_rows(model.get_output_embeddings(), words):
                logits = run_batch(model, end, batch, prefixes)[:, 0]  # (B, words)
            found = logits.gather(1, column).float()  # (B, C)
        for (which, index), rows in zip(
            batch.sets, found.cpu().split([len(index) for _, index in batch.sets])
        ):
            results[which].reshape(-1, *rows.shape[1:])[index] = rows.numpy()
    return results


def run_batch(model, end: End, batch: Batch, prefixes: list[DynamicCache]) -> Tensor:
    """The logits (B, 1 or A, words) at the positions that are read."""
    n_last, where = int(batch.read.max()), {}
    begins = torch.tensor(
        [prefixes[which].get_seq_length() for which, index in batch.sets for _ in index]
    )[:, None]  # (B, 1)
    longest, T = int(begins.max()), batch.tokens.shape[1]
    if (
        int(begins.min()) < longest
    ):  # all end where the batch's own tokens begin: the shorter ones are filled up on the left
        where["position_ids"] = (begins + torch.arange(T)).to(model.device)
        where["attention_mask"] = (
            (torch.arange(longest + T) >= longest - begins).long().to(model.device)
        )  # (B, longest + T)
    with lean(end, n_last), sharing():
        cache = shared(
            [prefixes[which] for which, _ in batch.sets],
            [len(index) for _, index in batch.sets],
            {end.number: n_last},
        )
        logits = model(
            batch.tokens.to(model.device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=n_last,
            **where,
        ).logits
    return logits[
        torch.arange(len(logits), device=logits.device)[:, None], -batch.read.to(logits.device)
    ]


def shared(
    prefixes: list[DynamicCache], n_prompts: list[int], n_read: dict[int, int]
) -> DynamicCache:
    """The prefixes as a batch may use them: one copy for all prompts of a set, never written to.
    `n_read` is as in `Beginning`, by layer.

    A layer whose attention is `attend` gets a batch's own keys and values alone, and the beginning
    beside them; any other gets them joined.
    """

    longest = max(range(len(prefixes)), key=lambda i: prefixes[i].get_seq_length())

    def joined(layers: tuple, n_read: int | None):
        """One layer of all sets, as a layer of one cache."""
        of_longest = layers[longest]

        def update(keys, values, *args, **kwargs):  # (B, heads, T, d_head)
            if not of_longest.is_initialized:  # no demonstrations
                return keys, values
            beginning = Beginning(
                [layer.keys for layer in layers],
                [layer.values for layer in layers],
                n_prompts,
                n_read,
            )
            if not of_longest.attended:
                return beginning.joined(keys, values)
            keys = keys.view(keys.shape)
            keys.beginning = beginning
            return keys, values

        joined = copy.copy(
            of_longest
        )  # of the same kind, whatever that is: it knows lengths and masks
        joined.update = update
        return joined

    cache = copy.copy(prefixes[longest])
    cache.layers = [
        joined(layers, n_read.get(number))
        for number, layers in enumerate(zip(*(prefix.layers for prefix in prefixes)))
    ]
    return cache


@contextmanager
def lean(end: End, n_last: int):
    """Inside, the last block makes keys and values of all positions, and the rest at the last ones
    only: nothing reads the others.
    """

    def at_last(whole):
        def last_positions(hidden, *args, **kwargs):  # (B, T, d)
            skipped = max(hidden.shape[1] - n_last, 0)
            output = whole(hidden[:, skipped:].contiguous(), *args, **kwargs)
            output, *rest = (
                output if isinstance(output, tuple) else (output,)
            )  # some mixtures return their router's scores too
            flat = output.ndim == 2  # Llama 4's returns all tokens in one row
            output = nn.functional.pad(
                output.view(len(hidden), -1, output.shape[-1]), (0, 0, skipped, 0)
            )
            output = output.flatten(0, 1) if flat else output
            return (output, *rest) if rest else output

        return last_positions

    with ExitStack() as stack:
        for part in end.parts:
            stack.enter_context(patched(part, at_last(part.forward)))
        yield


@contextmanager
def fused(model):
    """Inside, GPT-2's activation is one operation instead of eight, the same function; on small
    models it is a third of the time.
    """
    with ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, NewGELUActivation):
                stack.enter_context(
                    patched(module, lambda hidden: nn.functional.gelu(hidden, approximate="tanh"))
                )
        yield


@contextmanager
def only_rows(head: nn.Module, rows: Tensor):
    """Inside, the output head computes the logits of these tokens only, (…, len(rows)) instead of
    (…, vocabulary).
    """
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
