"""A clip that is no truncation: only the components that are predicted to raise the label loss go,
wherever in the spectrum they stand.

The prediction is the first-order one of `rules.gradient`, made on prompts with labels, so what it
gains is to be judged on others. Taught in chapter 10.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from svdicl_lite.clipping.matrices import Matrix
from svdicl_lite.clipping.ranks import without
from svdicl_lite.clipping.svd import SVD
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.rules.gradient import check_classes, predicted_changes
from svdicl_lite.search.rules.label_loss import label_gradients
from svdicl_lite.search.rules.sample import N_PROMPTS, sample


@contextmanager
def gradient_sign(
    validation: ICLEvaluator, found: Sequence[Matrix], n: int = N_PROMPTS
) -> Iterator[list[int]]:
    """Inside, the matrices `found` of the evaluator's model lack every component whose removal
    lowers the label loss on `n` validation prompts, to first order; after it, they are as they
    were, bit for bit. Yields how many components are left of each.

    For `search.without_rate.compare`: `compare(validation, test, lambda: gradient_sign(validation,
    matrices(model, 3, "mlp")))`. Raises what `label_gradients` raises, and ValueError for prompts
    that lack a class.
    """
    groups = sample(validation, n)
    check_classes(groups, "gradient sign")
    gradients = label_gradients(validation.model, found, groups)
    saved = [matrix.weight.clone() for matrix in found]
    kept = []
    try:
        for matrix, gradient in zip(found, gradients):
            factors = SVD.of(matrix.weight)
            dropped = predicted_changes(factors, gradient) < 0
            matrix.write(without(factors, dropped))
            kept.append(int((~dropped).sum()))
        yield kept
    finally:
        for matrix, original in zip(found, saved):
            matrix.write(original)
