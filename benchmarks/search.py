"""The search against the released code's way of going about it, side by side in one run, on random weights of GPT-2-small's shape.

(i) plain: batch of one, the whole prompt again, a log-softmax over all positions and the whole vocabulary, a randomised SVD a rate, as
the released code does; (ii) batched: the same loop, exact SVD, prompts in batches, label logits only; (iii) `search_clip_rate`'s own path.
(i) and (ii) run on the first of the prompts and are scaled up to all of them, unless --whole. Says also how far (iii) is from
the floor: the multiplications that are left, at this machine's matmul rate.

`python benchmarks/search.py [--whole] [--sweep]`: about two minutes, twenty with --whole, six more with --sweep.
"""

import argparse
import multiprocessing
import random
import resource
import time

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from svdicl_lite.clip import Clip, clipped
from svdicl_lite.matrices import matrices
from svdicl_lite.prompts import Prompts
from svdicl_lite.replay import Replay
from svdicl_lite.scores import Plan
from svdicl_lite.svd import CLIP_RATES, rank_at

LAYER, N, SHARED, OWN, LABELS, BATCH = 10, 200, 250, 25, (11, 22), 64


def setting():
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(bos_token_id=0, eos_token_id=0)).eval()
    rng = random.Random(0)
    shared = [rng.randrange(50257) for _ in range(SHARED)]
    tokens = [shared + [rng.randrange(50257) for _ in range(OWN)] for _ in range(N)]
    return model, Prompts(tokens, [list(LABELS)] * N, [rng.randrange(2) for _ in range(N)])


@torch.inference_mode()
def plain(n):
    """Seconds of the released code's loop over n prompts a rate, and of its SVDs."""
    model, prompts = setting()
    originals = [matrix.weight.clone() for matrix in matrices(model, LAYER, "mlp")]
    forwards = svds = 0.0
    for rate in CLIP_RATES:
        start = time.perf_counter()
        for matrix, W in zip(matrices(model, LAYER, "mlp"), originals):
            U, S, V = torch.svd_lowrank(W, q=rank_at(min(W.shape), rate), niter=2)
            matrix.write(U @ torch.diag(S) @ V.T)
        svds += time.perf_counter() - start
        start = time.perf_counter()
        for tokens in prompts.tokens[:n]:
            torch.log_softmax(model(torch.tensor([tokens])).logits[0], dim=-1)[-1, list(LABELS)]
        forwards += time.perf_counter() - start
    return forwards * N / n + svds


@torch.inference_mode()
def batched(n):
    """Seconds of the same loop in batches, scaled up from n prompts a rate; and the scores (rates, n, C)."""
    model, prompts = setting()
    start, scores = time.perf_counter(), []
    for rate in CLIP_RATES:
        with clipped(model, LAYER, "mlp", rate):
            parts = [torch.tensor(prompts.tokens[i : min(i + 16, n)]) for i in range(0, n, 16)]
            scores.append(torch.cat([model(part, logits_to_keep=1).logits[:, -1, list(LABELS)] for part in parts]))
    return (time.perf_counter() - start) * N / n, torch.stack(scores)


def ours():
    """Seconds of recording, factoring and eight rates; and the scores (rates, N, C)."""
    model, prompts = setting()
    start = time.perf_counter()
    replay = Replay(model, [Plan(prompts, BATCH)], LAYER)
    clip, scores = Clip(model, LAYER, "mlp"), []
    for rate in CLIP_RATES:
        with clip.at(rate, factored=True):
            scores.append(torch.from_numpy(replay.scores("mlp")[0]))
    return time.perf_counter() - start, torch.stack(scores)


def sweep():
    """Seconds of all 12 layers × 2 modules × 8 rates."""
    model, prompts = setting()
    start, replay = time.perf_counter(), None
    for layer in range(12):
        replay = Replay(model, [Plan(prompts, BATCH)], layer, replay)
        for module in ("mlp", "attn"):
            clip = Clip(model, layer, module)
            for rate in CLIP_RATES[1:] if layer or module == "attn" else CLIP_RATES:  # the model as it is, once
                with clip.at(rate, factored=True):
                    replay.scores(module)
    return time.perf_counter() - start


def matmul_rate() -> float:
    """FLOP/s of a product of the MLP's shape, the best of five."""
    a, b, best = torch.randn(N * OWN, 768), torch.randn(768, 3072), 0.0
    for _ in range(5):
        start = time.perf_counter()
        a @ b
        best = max(best, 2 * N * OWN * 768 * 3072 / (time.perf_counter() - start))
    return best


def floor() -> float:
    """FLOPs that (iii) cannot avoid: tokens once up to the layer, then its MLP and the block above at every rate."""
    d, tokens, above = 768, SHARED + N * OWN, 11 - LAYER
    weights = sum(min(rank_at(d, rate) * 5 * d, 4 * d * d) if rate else 4 * d * d for rate in CLIP_RATES) * 2  # both matrices, thin where that is less
    below = tokens * LAYER * 12 * d * d + tokens * 4 * d * d  # and the attention of the layer itself
    each = len(CLIP_RATES) * (tokens * (above - 1) * 12 * d * d + tokens * 4 * d * d + N * 8 * d * d)  # the last block: attention, one MLP a query
    scores = 2 * d * ((N * OWN * (SHARED + OWN / 2) + SHARED**2 / 2) * (LAYER + 1 + len(CLIP_RATES) * above))  # q kᵀ and weights times v
    return 2 * (below + tokens * weights + each + scores)


def alone(function, *arguments):
    """What `function` returns in a process of its own, and that process's peak memory in MB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measured, (function, arguments))


def measured(function, arguments):
    result = function(*arguments)
    return result, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whole", action="store_true", help="run (i) and (ii) on all prompts")
    parser.add_argument("--sweep", action="store_true", help="also time the sweep of all layers")
    arguments = parser.parse_args()
    n = N if arguments.whole else 16
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; {N} prompts of {SHARED} + {OWN} tokens, {len(CLIP_RATES)} rates, MLP of layer {LAYER}")
    (seconds, scores), memory = alone(ours)
    slow, slow_memory = alone(plain, n)
    (middle, reference), middle_memory = alone(batched, n)
    (again, _), _ = alone(ours)
    best = min(seconds, again)
    how = "measured" if arguments.whole else f"scaled up from {n} prompts a rate"
    print(f"(i)   plain    {slow:8.1f} s, {slow_memory:6.0f} MB   {how}")
    print(f"(ii)  batched  {middle:8.1f} s, {middle_memory:6.0f} MB   {how}")
    print(f"(iii) ours     {best:8.1f} s, {memory:6.0f} MB   the better of {seconds:.1f} and {again:.1f}")
    print(f"ratio to (i) {slow / best:.0f}, to (ii) {middle / best:.0f}; memory {memory / slow_memory:.2f} of (i)")
    print(f"largest difference from (ii) in the scores: {(scores[:, :n] - reference).abs().max():.1e}")
    labels = torch.tensor(setting()[1].labels[:n])
    accuracies = [[(s.argmax(1) == labels).float().mean().item() for s in table] for table in (scores[:, :n], reference)]
    choices = [CLIP_RATES[max(range(len(CLIP_RATES)), key=table.__getitem__)] for table in accuracies]
    print(f"choice on these {n}: ours {choices[0]:g}, (ii) {choices[1]:g}")
    rate = matmul_rate()
    print(f"floor: {floor() / 1e12:.2f} TFLOP at {rate / 1e9:.0f} GFLOP/s = {floor() / rate:.1f} s; ours takes {best / (floor() / rate):.1f} times that")
    if arguments.sweep:
        whole, _ = alone(sweep)
        print(f"sweep of 12 × 2 × 8 cells: {whole:.0f} s; (i) would take {24 * slow:.0f} s, ratio {24 * slow / whole:.0f}")
