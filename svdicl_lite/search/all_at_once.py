"""A clip of many matrices at once: components go wherever in the model they are predicted to matter
least (Zero-Sum SVD), or to help most.

Predictions are made on prompts with labels, so what the clip gains is to be judged on others.
Taught in chapter 10.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor

from svdicl_lite.clipping.clip import factor_all
from svdicl_lite.clipping.matrices import Matrix
from svdicl_lite.clipping.ranks import without
from svdicl_lite.clipping.svd import check_clip_rate
from svdicl_lite.clipping.whitened import factors_of_inputs
from svdicl_lite.clipping.zero_sum import negative_sum, zero_sum
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.demonstrations import demonstration_tokens
from svdicl_lite.search.rules.gradient import check_classes, predicted_changes
from svdicl_lite.search.rules.label_loss import label_gradients
from svdicl_lite.search.rules.sample import N_PROMPTS, sample

SELECTIONS: dict[str, Callable[[Sequence[Tensor], int], list[Tensor]]] = {
    "zero-sum": zero_sum,
    "negative-sum": negative_sum,
}


@contextmanager
def all_at_once(
    validation: ICLEvaluator,
    found: Sequence[Matrix],
    clip_rate: float,
    selection: str = "zero-sum",
    whitened: bool = True,
    n: int = N_PROMPTS,
) -> Iterator[list[int]]:
    """Inside, the matrices `found` together lack the share `clip_rate` of all their components,
    chosen by `selection` from the gradients of `n` validation prompts; after it, they are as they
    were, bit for bit. Yields how many components are left of each.

    `whitened` takes the components, as the paper does, of W S rather than of W, S being the
    Cholesky factor of what the demonstrations send into the matrix. For `search.without_rate`'s
    `compare`. Raises ValueError for a selection that is not in `SELECTIONS` and for prompts that
    lack a class, and what `label_gradients` and `factors_of_inputs` raise.
    """
    check_clip_rate(clip_rate)
    if selection not in SELECTIONS:
        raise ValueError(f"selection is {selection!r}, but must be one of {', '.join(SELECTIONS)}")
    groups = sample(validation, n)
    check_classes(groups, selection)
    gradients = label_gradients(validation.model, found, groups)
    if whitened:
        read = demonstration_tokens(validation)
        factors = factors_of_inputs(validation.model, "whitened", read, found)
    else:
        factors = factor_all(list(found))
    changes = [predicted_changes(*pair) for pair in zip(factors, gradients)]
    wanted = int(clip_rate * sum(map(len, changes)) + 1e-7)
    dropped = SELECTIONS[selection](changes, wanted)
    saved = [matrix.weight.clone() for matrix in found]
    try:
        for matrix, of_matrix, gone in zip(found, factors, dropped):
            if gone.any():
                matrix.write(without(of_matrix, gone.to(of_matrix.S.device)))
        yield [int((~gone).sum()) for gone in dropped]
    finally:
        for matrix, original in zip(found, saved):
            matrix.write(original)
