"""The rule of gradients: where a clip would lower the label loss most, to first order.

With W = Σ σ_i u_i v_iᵀ and g_i = u_iᵀ (∂L/∂W) v_i, taking component i away changes the loss L by
−σ_i g_i, to first order; a clip by the sum over what it takes. One backward pass over a hundred
prompts tells it of all matrices and rates (Compress to Impress, arXiv 2510.20800). First order
holds for small changes: whether it holds for a cut of nine tenths, only a measured cell can tell.
Taught in chapter 08.
"""

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor

from svdicl_lite.clipping.families import roles_of
from svdicl_lite.clipping.matrices import Matrix, matrices, n_layers
from svdicl_lite.clipping.svd import SVD, rank_at
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.prompts import Prompts
from svdicl_lite.search.rules.label_loss import label_gradients
from svdicl_lite.search.rules.question import Question, Rule
from svdicl_lite.search.rules.sample import N_PROMPTS, sample

CLASSES_ENOUGH = 10  # so many different right answers will do, however many there are


def predicted_changes(factors: SVD, gradient: Tensor) -> Tensor:
    """−σ_i g_i of each component of W (k,), float64: the change of the loss, in nats, to first
    order, when component i is taken away. `gradient` is ∂L/∂W (m, n).

    A component of W that grows in the direction in which the loss grows lowers it when it goes:

    >>> W, G = torch.diag(torch.tensor([3.0, 2.0])), torch.diag(torch.tensor([-1.0, 0.5]))
    >>> predicted_changes(SVD.of(W), G)
    tensor([ 3., -1.], dtype=torch.float64)
    """
    G = gradient.to(factors.U.device, torch.float64)
    g = ((factors.U.T @ G) * factors.Vh).sum(1)
    return -factors.S * g


def gradient_table(
    evaluator: ICLEvaluator,
    found: Sequence[Matrix],
    clip_rates: Sequence[float],
    n: int = N_PROMPTS,
) -> pd.DataFrame:
    """One row per matrix and clip rate: layer, role, expert, clip_rate, predicted_change of the
    label loss (nats a prompt), from `n` of the evaluator's prompts.

    Raises ValueError if they are too few to hold every class, and what `label_gradients` raises.
    """
    groups = sample(evaluator, n)
    check_classes(groups, "rule 'gradient'")
    gradients = label_gradients(evaluator.model, found, groups)
    rows = []
    for matrix, gradient in zip(found, gradients):
        factors = SVD.of(matrix.weight)
        changes = predicted_changes(factors, gradient)
        for rate in clip_rates:
            row = {"layer": matrix.layer, "role": matrix.role, "expert": matrix.expert}
            taken = changes[rank_at(len(factors.S), rate) :] if rate else changes[:0]
            rows.append({**row, "clip_rate": rate, "predicted_change": taken.sum().item()})
    return pd.DataFrame(rows)


def check_classes(groups: Sequence[Prompts], who: str) -> None:
    """Raises ValueError for prompts without labels, and for prompts without one of the classes: a
    gradient from one class alone only says how to lean to it. `who` is asking, in the words of the
    error.
    """
    labels = [label for prompts in groups for label in prompts.labels]
    n_classes = len(groups[0].continuations[0])
    unknown = [label for label in labels if not 0 <= label < n_classes]
    if unknown:
        raise ValueError(
            f"{who} needs labels, but {len(unknown)} of {len(labels)} examples have none (label"
            f" {unknown[0]}); take a rule that needs none, such as 'block-influence' or 'condition'"
        )
    missing = sorted(set(range(n_classes)) - set(labels))
    # where answers are many, as the symbols of noisy recall are, some may never be due
    if missing and len(set(labels)) < min(n_classes, CLASSES_ENOUGH):
        raise ValueError(
            f"{who} has no example of class {missing[0]} (from 0) among {len(labels)}, but it needs"
            " some of every class; take more validation examples"
        )


def scores(question: Question) -> pd.DataFrame:
    """The fall of the label loss that is predicted, in nats a prompt: the sum over the matrices of
    the module.
    """
    validation = question.evaluator("gradient", "labelled prompts")
    found = {}
    for module in question.modules:
        for layer in range(n_layers(question.model)):
            for matrix in matrices(question.model, layer, module, question.expert):
                found[layer, matrix.role, matrix.expert] = matrix
    table = gradient_table(validation, list(found.values()), question.rates)
    parts = []
    for module in question.modules:
        of_module = table[table["role"].isin(roles_of(module))]
        changes = of_module.groupby(["layer", "clip_rate"])["predicted_change"].sum()
        part = (-changes).rename("score").reset_index()
        part.insert(1, "module", module)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


RULE = Rule(scores, "labels", "the largest fall of the label loss, predicted from its gradient")
