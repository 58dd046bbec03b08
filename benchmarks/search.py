"""The search against the released code's way of going about it, side by side in one run, on random
weights of GPT-2-small's shape.

(i) plain: batch of one, the whole prompt again, a log-softmax over all positions and the whole
vocabulary, a randomised SVD a rate, as the released code does; (ii) batched: the same loop, exact
SVD, prompts in batches, label logits only; (iii) `search_clip_rate`'s own path. (i) and (ii) run on
the first of the prompts and are scaled up to all of them, unless --whole. Says also how far (iii)
is from the floor: the multiplications that are left, at this machine's matmul rate.

`python benchmarks/search.py [--whole] [--sweep [LAYER LAYER]]`: about two minutes on two quiet
cores, twenty with --whole, ten more with --sweep. With two layers, `--sweep 3 8`, only these are
run and the others read off the line through them: a layer costs the blocks above it, at every rate.
Beside seconds stands processor time, user and system, of all threads: on a machine that others use
too, compare that.
"""

import argparse
import multiprocessing
import random
import resource
import time

import torch
from tqdm import tqdm
from transformers import GPT2Config, GPT2LMHeadModel

from svdicl_lite.clipping.clip import Clip, clipped
from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.svd import CLIP_RATES, rank_at
from svdicl_lite.scoring.batches import Plan
from svdicl_lite.scoring.prompts import Prompts
from svdicl_lite.scoring.resume import Replay

N_LAYERS, LAYER, N, SHARED, OWN, LABELS, BATCH = 12, 10, 200, 250, 25, (11, 22), 64


def setting():
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(bos_token_id=0, eos_token_id=0)).eval()
    rng = random.Random(0)
    shared = [rng.randrange(50257) for _ in range(SHARED)]
    tokens = [shared + [rng.randrange(50257) for _ in range(OWN)] for _ in range(N)]
    return model, Prompts(
        tokens, [[[word] for word in LABELS]] * N, [rng.randrange(2) for _ in range(N)]
    )


@torch.inference_mode()
def plain(n):
    """Seconds of the released code's loop, scaled up from n prompts a rate, with its SVDs; and the
    same in processor time.
    """
    model, prompts = setting()
    originals = [matrix.weight.clone() for matrix in matrices(model, LAYER, "mlp")]
    forwards, svds = [0.0, 0.0], [0.0, 0.0]

    def add(spent, start):
        for i, clock in enumerate((time.perf_counter, time.process_time)):
            spent[i] += clock() - start[i]

    for rate in CLIP_RATES:
        start = time.perf_counter(), time.process_time()
        for matrix, W in zip(matrices(model, LAYER, "mlp"), originals):
            U, S, V = torch.svd_lowrank(W, q=rank_at(min(W.shape), rate), niter=2)
            matrix.write(U @ torch.diag(S) @ V.T)
        add(svds, start)
        start = time.perf_counter(), time.process_time()
        for tokens in prompts.contexts[:n]:
            torch.log_softmax(model(torch.tensor([tokens])).logits[0], dim=-1)[-1, list(LABELS)]
        add(forwards, start)
    return [forward * N / n + svd for forward, svd in zip(forwards, svds)]


@torch.inference_mode()
def batched(n):
    """Seconds of the same loop in batches, scaled up from n prompts a rate; and the scores (rates,
    n, C).
    """
    model, prompts = setting()
    start, scores = time.perf_counter(), []
    for rate in CLIP_RATES:
        with clipped(model, LAYER, "mlp", rate):
            parts = [torch.tensor(prompts.contexts[i : min(i + 16, n)]) for i in range(0, n, 16)]
            scores.append(
                torch.cat(
                    [model(part, logits_to_keep=1).logits[:, -1, list(LABELS)] for part in parts]
                )
            )
    return (time.perf_counter() - start) * N / n, torch.stack(scores)


def ours():
    """Seconds of recording, factoring and eight rates, and the same in processor time; and the
    scores (rates, N, C).
    """
    model, prompts = setting()
    start = time.perf_counter(), time.process_time()
    replay = Replay.record(model, [Plan(prompts, BATCH)], LAYER)
    clip, scores = Clip(model, LAYER, "mlp"), []
    for rate in CLIP_RATES:
        with clip.at(rate, factored=True):
            scores.append(torch.from_numpy(replay.scores("mlp")[0]))
    return time.perf_counter() - start[0], time.process_time() - start[1], torch.stack(scores)


def sweep(layers):
    """Seconds, and seconds of processor time, of each of the layers: 2 modules × 8 rates, and the
    way up from the one before.
    """
    model, prompts = setting()
    replay, spent = None, []
    bar = tqdm(total=len(layers) * 2 * len(CLIP_RATES), unit="cell", desc="sweep", mininterval=5)
    for layer in layers:
        start = time.perf_counter(), time.process_time()
        replay = Replay.record(model, [Plan(prompts, BATCH)], layer, replay)
        for module in ("mlp", "attn"):
            clip = Clip(model, layer, module)
            for rate in CLIP_RATES:
                if rate or (layer, module) == (layers[0], "mlp"):  # the model as it is, once
                    with clip.at(rate, factored=True):
                        replay.scores(module)
                bar.update()
        spent.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return spent


def whole_sweep(layers, spent):
    """The sum over all layers, of seconds and of processor time: what was spent, or the line
    through two layers.
    """
    if len(layers) == N_LAYERS:
        return [sum(column) for column in zip(*spent)]
    (a, b), n = layers, N_LAYERS
    return [
        sum(at_a + (at_b - at_a) * (layer - a) / (b - a) for layer in range(n))
        for at_a, at_b in zip(*spent)
    ]


def matmul_rate() -> float:
    """FLOP/s of a product of the MLP's shape, the best of five."""
    a, b, best = torch.randn(N * OWN, 768), torch.randn(768, 3072), 0.0
    for _ in range(5):
        start = time.perf_counter()
        a @ b
        best = max(best, 2 * N * OWN * 768 * 3072 / (time.perf_counter() - start))
    return best


def floor() -> float:
    """FLOPs that (iii) cannot avoid: tokens once up to the layer, then its MLP and the block above
    at every rate.
    """
    d, tokens, above = 768, SHARED + N * OWN, 11 - LAYER
    weights = (
        sum(min(rank_at(d, rate) * 5 * d, 4 * d * d) if rate else 4 * d * d for rate in CLIP_RATES)
        * 2
    )  # both matrices, thin where that is less
    below = (
        tokens * LAYER * 12 * d * d + tokens * 4 * d * d
    )  # and the attention of the layer itself
    each = len(CLIP_RATES) * (
        tokens * (above - 1) * 12 * d * d + tokens * 4 * d * d + N * 8 * d * d
    )  # the last block: attention, one MLP a query
    scores = (
        2
        * d
        * ((N * OWN * (SHARED + OWN / 2) + SHARED**2 / 2) * (LAYER + 1 + len(CLIP_RATES) * above))
    )  # q kᵀ and weights times v
    return 2 * (below + tokens * weights + each + scores)


def sweep_floor() -> float:
    """FLOPs that the sweep cannot avoid, its SVDs and the way up left out: at 7 rates, the module
    itself and the blocks above.
    """
    d, tokens, rates = 768, SHARED + N * OWN, CLIP_RATES[1:]
    scores = 2 * d * (N * OWN * (SHARED + OWN / 2) + SHARED**2 / 2)  # of one block
    thin = sum(min(rank_at(d, rate) * 5 * d, 4 * d * d) for rate in rates) * 2
    each = 0.0
    for above in range(
        N_LAYERS
        # blocks above the layer; of the last one keys and values, and the rest for one token a
        # query
    ):
        blocks = max(above - 1, 0) * (tokens * 12 * d * d + scores) + (above > 0) * (
            tokens * 2 * d * d + N * 10 * d * d
        )
        own_mlp = tokens * thin if above else N * thin
        own_attention = (
            tokens * 4 * d * d + scores + tokens * 8 * d * d
            if above
            else tokens * 2 * d * d + N * 10 * d * d
        )
        each += 2 * len(rates) * blocks + own_mlp + len(rates) * own_attention
    return 2 * each


def alone(function, *arguments):
    """What `function` returns in a process of its own, and that process's peak memory in MB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measured, (function, arguments))


def measured(function, arguments):
    result = function(*arguments)
    return result, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--whole", action="store_true", help="run (i) and (ii) on all prompts")
    parser.add_argument(
        "--sweep",
        nargs="*",
        type=int,
        metavar="LAYER",
        help="also time the sweep of all layers, or of two and scale up",
    )
    arguments = parser.parse_args()
    n = N if arguments.whole else 16
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads; {N} prompts of {SHARED} +"
        f" {OWN} tokens, {len(CLIP_RATES)} rates, MLP of layer {LAYER}"
    )
    if arguments.sweep and (
        len(arguments.sweep) != 2 or not 0 <= arguments.sweep[0] < arguments.sweep[1] < N_LAYERS
    ):
        parser.error(f"--sweep takes no layers, or two of 0 to {N_LAYERS - 1}, the shallower first")
    (seconds, cpu, scores), memory = alone(ours)
    (slow, slow_cpu), slow_memory = alone(plain, n)
    (middle, reference), middle_memory = alone(batched, n)
    (again, cpu_again, _), _ = alone(ours)
    best, best_cpu = min(seconds, again), min(cpu, cpu_again)
    how = "measured" if arguments.whole else f"scaled up from {n} prompts a rate"
    print(
        f"(i)   plain    {slow:8.1f} s, {slow_cpu:8.1f} s of processor time, {slow_memory:6.0f} MB "
        f"  {how}"
    )
    print(f"(ii)  batched  {middle:8.1f} s, {'':30}{middle_memory:6.0f} MB   {how}")
    print(
        f"(iii) ours     {best:8.1f} s, {best_cpu:8.1f} s of processor time, {memory:6.0f} MB   the"
        " better of two"
    )
    print(
        f"ratio to (i) {slow / best:.0f}, in processor time {slow_cpu / best_cpu:.0f}, to (ii)"
        f" {middle / best:.0f}; memory {memory / slow_memory:.2f} of (i)"
    )
    print(
        f"largest difference from (ii) in the scores: {(scores[:, :n] - reference).abs().max():.1e}"
    )
    labels = torch.tensor(setting()[1].labels[:n])
    accuracies = [
        [(s.argmax(1) == labels).float().mean().item() for s in table]
        for table in (scores[:, :n], reference)
    ]
    choices = [
        CLIP_RATES[max(range(len(CLIP_RATES)), key=table.__getitem__)] for table in accuracies
    ]
    print(f"choice on these {n}: ours {choices[0]:g}, (ii) {choices[1]:g}")
    rate = matmul_rate()
    print(
        f"floor: {floor() / 1e12:.2f} TFLOP at {rate / 1e9:.0f} GFLOP/s = {floor() / rate:.1f} s;"
        f" ours takes {best / (floor() / rate):.1f} times that"
    )
    if arguments.sweep is not None:
        layers = arguments.sweep or list(range(N_LAYERS))
        spent, _ = alone(sweep, layers)
        (whole, whole_cpu), cells = whole_sweep(layers, spent), 2 * N_LAYERS
        (slow_after, slow_cpu_after), _ = alone(plain, n)  # the machine may have changed meanwhile
        slow, slow_cpu = (slow + slow_after) / 2, (slow_cpu + slow_cpu_after) / 2
        label = (
            "measured"
            if not arguments.sweep
            else f"scaled up from layers {layers[0]} and {layers[1]}"
        )
        print(
            f"sweep of 12 × 2 × 8 cells: {whole:.0f} s, {whole_cpu:.0f} s of processor time,"
            f" {label}"
        )
        print(
            f"(i), {cells} times the mean of before and after: {cells * slow:.0f} s,"
            f" {cells * slow_cpu:.0f} s; ratio {cells * slow / whole:.0f}, in processor time"
            f" {cells * slow_cpu / whole_cpu:.0f}"
        )
        print(
            f"floor of the sweep: {sweep_floor() / 1e12:.1f} TFLOP at that rate ="
            f" {sweep_floor() / rate:.0f} s"
        )
