"""How much of a clip's effect is the removal of the quantiser's noise, where the truth is known.

    nice .venv/bin/python benchmarks/quantised.py [--write]    # a minute or two of one core

`icl-gpt2-noisy` and `icl-gpt2` are shipped in float32. Here every matrix of their layers is rounded
to four bits and back (Q4_1, blocks of 32, by the gguf package), so rounding and truth are both
known. The same clips are judged on both weights, on the same prompts (flipped sentiment, n = 256,
8 shots, 8 sets, validation). `--write` keeps the figures in experiments/quantised.json, which the
card of SmolLM2 reads.

Written before it was first run:

H1. A clip's effect is the same on both weights: over all cells the mean difference of the effects,
    in accuracy and in discrimination, is within 0.02 of 0, and its interval over sets contains 0.
H2. Cutting what lies under the rounding's spectrum does not bring a matrix nearer to the exact one:
    the squared error of all matrices together is not smaller after the cut.
H3. Nor are the answers nearer: the mean squared distance of the label words' scores from those of
    the exact weights is not smaller after the cut.
"""

import argparse
import json
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize, quantize

from svdicl_lite import ICLEvaluator, load_model, load_task
from svdicl_lite.clipping.matrices import matrices, n_layers
from svdicl_lite.clipping.svd import SVD
from svdicl_lite.models.quantisation import noise_floor
from svdicl_lite.search.cells import Cell, judged
from svdicl_lite.stats import cluster_interval, mean_interval

MODELS = ("icl-gpt2-noisy", "icl-gpt2")
RATES = (0.1, 0.5, 0.75, 0.9, 0.95)
MODULES = ("mlp", "attn")
N, N_SHOTS, SETS = 256, 8, range(8)
KIND = GGMLQuantizationType.Q4_1
RESULT = Path(__file__).parents[1] / "experiments/quantised.json"
WITHIN = 0.02  # of H1


def rounded(W: torch.Tensor) -> torch.Tensor:
    """W (m, n) in four bits and back; itself where its rows are no whole number of blocks."""
    block, _ = GGML_QUANT_SIZES[KIND]
    if W.shape[1] % block:
        return W
    stored = quantize(np.ascontiguousarray(W.detach().numpy(), dtype=np.float32), KIND)
    return torch.from_numpy(dequantize(stored, KIND))


def all_matrices(model) -> list:
    return [matrix for layer in range(n_layers(model)) for matrix in matrices(model, layer)]


@contextmanager
def written(model, weights: list[torch.Tensor]):
    """The model with these matrices; afterwards as it was."""
    found = all_matrices(model)
    before = [matrix.weight.clone() for matrix in found]
    for matrix, W in zip(found, weights):
        matrix.write(W)
    try:
        yield
    finally:
        for matrix, W in zip(found, before):
            matrix.write(W)


def above_noise(W: torch.Tensor, noise: float) -> int:
    """How many singular values of W stand above the spectrum of a rounding of that deviation."""
    _, top = noise_floor(*W.shape, noise)
    return int((top < SVD.of(W).S).sum())


def judged_cells(model, evaluator) -> dict[tuple, object]:
    cells = [
        Cell(layer, module, rate)
        for layer in range(n_layers(model))
        for module in MODULES
        for rate in (0.0, *RATES)
    ]
    return {
        (cell.module, cell.clip_rate, cell.layer): outcome
        for cell, outcome in judged(evaluator, cells)
    }


def effects(exact: dict, four_bits: dict) -> list[dict]:
    """By module and rate, the mean effect over the layers on both weights, and their difference
    with an interval over sets; last over all of them."""
    keys = [key for key in exact if key[1]]
    groups = [(m, r, [k for k in keys if k[:2] == (m, r)]) for m in MODULES for r in RATES]
    rows = []
    for module, rate, members in [*groups, ("both", "all", keys)]:
        on = {}
        for name, judged_ in (("exact", exact), ("four bits", four_bits)):
            base = judged_[members[0][0], 0.0, members[0][2]]
            accuracy = np.mean(
                [judged_[k].correct.astype(float) - base.correct for k in members], 0
            )
            by_set = np.mean(
                [judged_[k].discrimination_by_set - base.discrimination_by_set for k in members], 0
            )
            on[name] = accuracy, by_set
        change = [b - a for a, b in zip(on["exact"], on["four bits"])]
        of_sets = cluster_interval(change[0], base.demonstration_sets)
        rows.append(
            {
                "module": module,
                "clip_rate": rate,
                "cells": len(members),
                "accuracy_exact": on["exact"][0].mean(),
                "accuracy_four_bits": on["four bits"][0].mean(),
                "accuracy_difference": change[0].mean(),
                "accuracy_interval": list(of_sets),
                "discrimination_exact": on["exact"][1].mean(),
                "discrimination_four_bits": on["four bits"][1].mean(),
                "discrimination_difference": change[1].mean(),
                "discrimination_interval": list(mean_interval(change[1])),
            }
        )
    return rows


def cut_under_the_noise(model, evaluator) -> dict:
    """What is left of the rounding when every component under its spectrum is cut, everywhere."""
    exact = [matrix.weight.clone() for matrix in all_matrices(model)]
    four_bits = [rounded(W) for W in exact]
    noise = [float((Q - W).std()) for W, Q in zip(exact, four_bits)]
    ranks = [above_noise(Q, s) for Q, s in zip(four_bits, noise)]
    cut = [SVD.of(Q).truncate(r).float() for Q, r in zip(four_bits, ranks)]
    exact_cut = [SVD.of(W).truncate(r).float() for W, r in zip(exact, ranks)]
    states = {
        "exact": exact,
        "four bits": four_bits,
        "four bits, cut": cut,
        "exact, cut to the same ranks": exact_cut,
    }
    rows, truth, distance, outcomes = [], None, {}, []
    for name, weights in states.items():
        with written(model, weights):
            outcome = evaluator()
        outcomes.append(outcome)
        centred = outcome.scores - outcome.scores.mean(1, keepdims=True)
        truth = centred if truth is None else truth
        distance[name] = np.square(centred - truth).mean(1)
        error = sum(float((A - W).square().sum()) for A, W in zip(weights, exact))
        rows.append(
            {
                "weights": name,
                "accuracy": outcome.accuracy,
                "accuracy_interval": list(outcome.accuracy_over_sets),
                "discrimination": outcome.discrimination,
                "discrimination_interval": list(outcome.discrimination_over_sets),
                "squared_error": error,
                # as a share of how much the exact scores differ between examples
                "score_distance": distance[name].mean() / truth.var(0).mean(),
            }
        )
    removed = 1 - sum(ranks) / sum(min(W.shape) for W in exact)
    touched = sum(r < min(W.shape) for r, W in zip(ranks, exact))
    farther = (distance["four bits, cut"] - distance["four bits"]) / truth.var(0).mean()
    interval = cluster_interval(farther, outcome.demonstration_sets)
    counts = {"removed": removed, "touched": touched, "matrices": len(ranks)}
    return {
        "rows": rows,
        "effects": _difference_of_cuts(*outcomes),
        "farther": farther.mean(),
        "farther_interval": list(interval),
        **counts,
    }


def _difference_of_cuts(exact, four_bits, four_bits_cut, exact_cut) -> dict:
    """What the cut does to the four bits beyond what it does to the exact weights."""
    accuracy = four_bits_cut.correct.astype(float) - four_bits.correct
    accuracy -= exact_cut.correct.astype(float) - exact.correct
    discrimination = four_bits_cut.discrimination_by_set - four_bits.discrimination_by_set
    discrimination -= exact_cut.discrimination_by_set - exact.discrimination_by_set
    return {
        "accuracy_difference": accuracy.mean(),
        "accuracy_interval": list(cluster_interval(accuracy, exact.demonstration_sets)),
        "discrimination_difference": discrimination.mean(),
        "discrimination_interval": list(mean_interval(discrimination)),
    }


def verdicts(result: dict) -> dict[str, bool]:
    last = result["effects"][-1]
    inside = [
        abs(last[f"{what}_difference"]) <= WITHIN
        and last[f"{what}_interval"][0] <= 0 <= last[f"{what}_interval"][1]
        for what in ("accuracy", "discrimination")
    ]
    _, before, after, _ = result["cut"]["rows"]
    return {
        "H1": all(inside),
        "H2": after["squared_error"] >= before["squared_error"],
        "H3": after["score_distance"] >= before["score_distance"],
    }


def measured(name: str) -> dict:
    model, tokenizer = load_model(name)
    task = load_task("sentiment", "flipped")

    def evaluator():
        return ICLEvaluator(model, tokenizer, task, "validation", N, N_SHOTS, SETS)

    exact = judged_cells(model, evaluator())
    with written(model, [rounded(matrix.weight) for matrix in all_matrices(model)]):
        four_bits = judged_cells(model, evaluator())
    result = {"effects": effects(exact, four_bits), "cut": cut_under_the_noise(model, evaluator())}
    return {**result, "verdicts": verdicts(result)}


def rounded_off(found):
    """The same to six digits behind the point, which is what a file needs."""
    if isinstance(found, dict):
        return {key: rounded_off(value) for key, value in found.items()}
    if isinstance(found, list):
        return [rounded_off(value) for value in found]
    found = found.item() if isinstance(found, np.generic) else found
    return round(found, 6) if isinstance(found, float) else found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"keep the figures in {RESULT.name}")
    write = parser.parse_args().write
    stated = __doc__[__doc__.index("H1.") :]
    found = {"hypothesis": stated, "n": N, "sets": len(SETS), "shots": N_SHOTS, "models": {}}
    for name in MODELS:
        result = found["models"][name] = measured(name)
        print(f"\n{name}\n")
        print(pd.DataFrame(result["effects"]).round(3).to_string(index=False))
        cut = result["cut"]
        print(f"\n{cut['removed']:.1%} of all singular values lie under the rounding's spectrum,")
        print(f"in {cut['touched']} of {cut['matrices']} matrices\n")
        print(pd.DataFrame(cut["rows"]).round(4).to_string(index=False))
        print("effect of the cut on four bits less that on the exact weights:")
        print(pd.DataFrame([cut["effects"]]).round(4).to_string(index=False))
        low, high = cut["farther_interval"]
        print(f"scores farther off by the cut: {cut['farther']:+.4f} [{low:+.4f}, {high:+.4f}]")
        for which, holds in result["verdicts"].items():
            print(f"{which} {'holds' if holds else 'does not hold'}")
    if write:
        RESULT.write_text(json.dumps(rounded_off(found), indent=1) + "\n")


if __name__ == "__main__":
    main()
