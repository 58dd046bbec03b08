"""SmolLM2-135M on movie reviews: what a pass and a search cost, and how far that is from the floor.

`benchmarks/real.py [--sweep]`, all in one run: computed positions against real ones; a pass over
200 prompts of eight shots, four sets, against its floor (the multiplications of the blocks' weights
on real positions, at the rate at which this machine multiplies matrices of these shapes) and
against one full forward a prompt; Algorithm 1 at layer 24 against the same; the largest difference
of the scores. What runs one prompt at a time is timed on a few and scaled up. With `--sweep`, a
sweep of all layers is timed on three of them and scaled up. Two processor cores want
OMP_WAIT_POLICY=PASSIVE and large buffers kept (the Makefile says how).
"""

import statistics
import sys
import time

import numpy as np
import torch

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.matrices import blocks, n_layers
from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.plain import plain_scores
from svdicl_lite.tasks.loading import load_task

N, SETS, SHOTS, LAYER = 200, 4, 8, 24
FEW = 8  # prompts that are judged one at a time


def seconds(function, *arguments):
    """How long it took, and what it returned."""
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def matmul_rate(width=576, inner=1536, rows=1024):
    """Multiply-adds a second of float32 products (rows, width) × (width, inner): median of 9."""
    x, W = torch.randn(rows, width), torch.randn(width, inner)
    times = [seconds(torch.mm, x, W)[0] for _ in range(10)][1:]
    return rows * width * inner / statistics.median(times)


def computed_positions(model, evaluator):
    """(positions that went through the model in one pass, real ones among them)."""
    seen = []

    def count(module, arguments, keywords):
        tokens = arguments[0] if arguments else keywords["input_ids"]
        seen.append(tokens.numel())

    handle = model.register_forward_pre_hook(count, with_kwargs=True)
    try:
        evaluator()
    finally:
        handle.remove()
    real = sum(plan.prefix.numel() for plan in evaluator.plans)
    real += sum(len(row.tokens) for plan in evaluator.plans for row in plan.rows)
    return sum(seen), real


def few_plain(model, evaluator):
    """Seconds and scores of the first prompts of the first set, one full forward each."""
    prompts = evaluator.groups[0]
    few = prompts._replace(
        contexts=prompts.contexts[:FEW],
        continuations=prompts.continuations[:FEW],
        labels=prompts.labels[:FEW],
    )
    return seconds(plain_scores, model, few)


def search_at(model, evaluator, layer, module="mlp"):
    """Algorithm 1's eight rates at one layer: scores at each."""
    judge = evaluator.from_layer(layer)
    clip = Clip(model, layer, module)
    scores = []
    for rate in CLIP_RATES:
        with clip.at(rate, factored=True):
            scores.append(judge(module).scores)
    return scores


model, tokenizer = load_model("smollm2-135m")
evaluator = ICLEvaluator(model, tokenizer, load_task("movies"), "validation", N, SHOTS, range(SETS))
weights = sum(parameter.numel() for parameter in blocks(model).parameters())
rate = matmul_rate()
print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {2e-9 * rate:.0f} GFLOP/s")

computed, real = computed_positions(model, evaluator)
floor = weights * real / rate
print(f"positions: {computed:,} computed, {real:,} real, ratio {computed / real:.3f} (aim 1.1)")

turns = [(seconds(evaluator), few_plain(model, evaluator)) for _ in range(3)]
fast = statistics.median(turn[0][0] for turn in turns)
plain = statistics.median(turn[1][0] for turn in turns) * N / FEW
(_, outcome), (_, by_hand) = turns[-1]
apart = np.abs(outcome.scores[:FEW] - by_hand).max()
print(
    f"a pass: {fast:.1f} s, floor {floor:.1f} s, ratio {fast / floor:.2f} (aim 1.5); one prompt at"
    f" a time {plain:.0f} s, ratio {plain / fast:.1f} (aim 8); scores differ by {apart:.1e} at most"
)

search, _ = seconds(search_at, model, evaluator, LAYER)
print(
    f"Algorithm 1 at layer {LAYER}, {len(CLIP_RATES)} rates: {search:.1f} s; one prompt at a time"
    f" {len(CLIP_RATES) * plain:.0f} s, ratio {len(CLIP_RATES) * plain / search:.1f} (aim 30)"
)

if "--sweep" in sys.argv:
    depths = (n_layers(model) - 1, n_layers(model) // 2, 0)
    taken = [seconds(search_at, model, evaluator, layer)[0] for layer in depths]
    every = np.interp(range(n_layers(model)), depths[::-1], taken[::-1])
    above = sum(n_layers(model) - layer for layer in range(n_layers(model)))
    least = 2 * (len(CLIP_RATES) - 1) * floor * above / n_layers(model)
    whole = 2 * every.sum()
    print(
        f"a sweep of {n_layers(model)} layers, both modules, {len(CLIP_RATES)} rates, scaled up"
        f" from layers {', '.join(map(str, depths))}: {whole:,.0f} s, floor"
        f" {least:,.0f} s, ratio {whole / least:.2f}"
    )
