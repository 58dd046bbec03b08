"""Gradient scores of all matrices of SmolLM2-135M: seconds, memory, and a sweep's cost beside them.

`benchmarks/gradient.py [PROMPTS]`: 100 movie reviews (or PROMPTS) of eight shots, four sets. The
backward pass through all blocks and the factorisation of all 210 matrices are timed apart, because
the second does not depend on the prompts. A forward pass over the same prompts gives the unit in
which a sweep is counted: 30 layers × 2 modules × 7 rates, each from its layer on. Wall seconds and
seconds of processor time; the aim is 4 minutes and 6 GB on two cores.
"""

import resource
import sys
import time

from svdicl_lite.clipping.matrices import matrices, n_layers
from svdicl_lite.clipping.svd import SVD
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.rules.gradient import predicted_changes
from svdicl_lite.search.rules.label_loss import label_gradients
from svdicl_lite.tasks.loading import load_task

SETS, SHOTS, RATES = 4, 8, 7


def timed(function, *arguments):
    """What it returns; prints how long it took, and the peak of memory so far."""
    wall, processor = time.perf_counter(), time.process_time()
    result = function(*arguments)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    name = getattr(function, "__name__", type(function).__name__)
    print(f"{name}: {wall:.1f} s, processor {processor:.1f} s, peak {peak:.2f} GB", flush=True)
    return result, processor


def scores_of(found, gradients):
    """The predicted change of every component of every matrix."""
    pairs = zip(found, gradients)
    return [predicted_changes(SVD.of(matrix.weight), gradient) for matrix, gradient in pairs]


def main(n):
    """All of it in one run."""
    model, tokenizer = load_model("smollm2-135m")
    evaluator = ICLEvaluator(
        model, tokenizer, load_task("movies"), "validation", n, SHOTS, range(SETS), 16
    )
    found = [matrix for layer in range(n_layers(model)) for matrix in matrices(model, layer)]
    print(f"{len(found)} matrices, {n} prompts of {SHOTS} shots")
    _, forward = timed(evaluator)
    gradients, backward = timed(label_gradients, model, found, evaluator.groups)
    changes, factored = timed(scores_of, found, gradients)
    print(f"{sum(map(len, changes)):,} components scored")
    layers = n_layers(model)
    sweep = forward * 2 * RATES * (layers + 1) / 2
    share = (backward + factored) / sweep
    print(
        f"a sweep on as many prompts, {sweep:.0f} s of processor time scaled up: {share:.3f} of it"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
