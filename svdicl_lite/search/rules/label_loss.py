"""The gradient of the label loss with respect to matrices of a model.

The loss of a prompt is −log p(right answer), p being a softmax over the scores by which the answers
are chosen: logits of the label words, or mean log-likelihoods of options. Prompts are read as
`fast_scores` reads them, demonstrations once and queries in small batches; the backward pass goes
the same way, each batch into the demonstrations' keys and values, and these once into the weights.
So memory holds one batch and one set of demonstrations at a time. Taught in chapter 08.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from svdicl_lite.clipping.gradients import gradients_of, parameter_of, part_of
from svdicl_lite.clipping.matrices import Matrix
from svdicl_lite.scoring.batches import Batch, Plan
from svdicl_lite.scoring.fast import read_prefixes, score_batch
from svdicl_lite.scoring.patches import LastBlock, fused_gelu
from svdicl_lite.scoring.prefix_cache import PrefixCache
from svdicl_lite.scoring.prompts import Prompts
from svdicl_lite.scoring.rotary import as_never_read, check_sides, rule_of

PROMPTS_AT_ONCE = 16


def label_gradients(
    model: PreTrainedModel, found: Sequence[Matrix], groups: Sequence[Prompts]
) -> list[Tensor]:
    """∂L/∂W (out, in) of each matrix, in the model's dtype, for L the mean label loss over all
    prompts of the groups, in nats. Weights, gradients and flags of the model stay as they are.

    Raises ValueError for matrices that cannot have a gradient (`parameter_of`) and for prompts that
    cannot be read together (`rotary`), TypeError for a model that keeps no keys and values.
    """
    parameters = [parameter_of(model, matrix) for matrix in found]
    plans = [Plan(prompts, PROMPTS_AT_ONCE) for prompts in groups]
    check_sides([plan.side(rule_of(model)) for plan in plans])
    n = sum(len(prompts.labels) for prompts in groups)
    with gradients_of(model, parameters), fused_gelu(model):
        as_never_read(model)
        last = LastBlock.of(model)
        for plan, prompts in zip(plans, groups):
            _backward(model, last, plan, prompts.labels, n)
        gradients = []
        for matrix, parameter in zip(found, parameters):
            whole = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            gradients.append(part_of(whole.detach(), parameter, matrix))
        return gradients


def _backward(
    model: PreTrainedModel, last: LastBlock, plan: Plan, labels: Sequence[int], n: int
) -> None:
    """Adds to the gradients what one set of demonstrations says: 1/n of the loss of each prompt."""
    (prefix,) = read_prefixes(model, last, [plan])
    pairs = _cut_off(prefix)
    n_rows = len(plan.rows) // len(labels)  # of a prompt: one, or one for each option
    by_length = sorted(range(len(labels)), key=lambda i: len(plan.rows[i * n_rows].tokens))
    for start in range(0, len(by_length), PROMPTS_AT_ONCE):
        chunk = sorted(by_length[start : start + PROMPTS_AT_ONCE])
        rows = [(0, i * n_rows + row) for i in chunk for row in range(n_rows)]
        scores = score_batch(model, last, Batch.of([plan], rows), [prefix])
        right = torch.tensor([labels[i] for i in chunk], device=scores.device)
        scores = scores.reshape(len(chunk), -1)  # (B, C)
        loss = nn.functional.cross_entropy(scores, right, reduction="sum")
        (loss / n).backward()
    reached = [(read, leaf.grad) for read, leaf in pairs if leaf.grad is not None]
    if reached:
        torch.autograd.backward([read for read, _ in reached], [grad for _, grad in reached])


def _cut_off(prefix: PrefixCache) -> list[tuple[Tensor, Tensor]]:
    """(keys or values as they were read, the leaf that stands in the cache for them since)."""
    pairs = []
    for layer in prefix.layers:
        for name in ("keys", "values"):
            read = getattr(layer, name, None)
            if isinstance(read, Tensor) and read.requires_grad:
                leaf = read.detach().requires_grad_()
                setattr(layer, name, leaf)
                pairs.append((read, leaf))
    return pairs
