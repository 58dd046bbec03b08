"""What each rule and each clip of chapter 10 costs on SmolLM2-135M, beside Algorithm 1, in one run.

`benchmarks/rules.py [--write]`: 100 movie reviews of eight shots, four sets, the MLP. A rule costs
its own question and the search of seven rates in the layer that it names; the oracle and the lot
search all 30 layers, scaled up from those that were searched. A clip costs the seven rates in the
layer that condition numbers name; those without a rate cost the gradient and one pass. Seconds are
of processor time, one thread, and count the way up to a layer, which forwards do not. The forwards
of a gradient are those of all blocks; that of late layers alone takes less. `--write`
keeps the figures in `experiments/rules_seconds.json`, which the chapter reads.
"""

import argparse
import json
import os
import platform
import time
from functools import partial
from pathlib import Path

import numpy as np

from svdicl_lite.clipping import spectra
from svdicl_lite.clipping.matrices import matrices, n_layers
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.calibration import batch_bias
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.all_at_once import all_at_once
from svdicl_lite.search.cells import Cell, judged
from svdicl_lite.search.gradient_sign import gradient_sign
from svdicl_lite.search.rivals import asked
from svdicl_lite.search.rules.question import Question
from svdicl_lite.tasks.loading import load_task

RESULT = Path(__file__).parents[1] / "experiments/rules_seconds.json"
N, SHOTS, SETS = 100, 8, 4
RATES = (0.1, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995)
RULES = ("condition", "stable-rank", "last", "block-influence", "gradient")
METHODS = ("svd", "gavish-donoho", "whitened", "asvd", "row-clusters")


def seconds(work) -> float:
    """Of processor time."""
    started = time.process_time()
    work()
    return time.process_time() - started


def searched(evaluator, layer: int, method: str = "svd", rates=RATES) -> float:
    """Seconds for all rates in one layer's MLP."""
    cells = [Cell(layer, "mlp", rate, method=method) for rate in rates]
    return seconds(lambda: list(judged(evaluator, cells)))


def one_pass(evaluator, change) -> float:
    """Seconds to make a change of the model and to judge it once."""

    def work():
        with change():
            evaluator()

    return seconds(work)


def of_rules(evaluator) -> tuple[list[dict], list[dict]]:
    """A row a rule, and a row a layer that was searched."""
    model, layers = evaluator.model, n_layers(evaluator.model)
    question, rows = Question(model, ("mlp",), RATES, evaluator), []
    for rule in RULES:
        spectra._spectra.clear()  # each rule pays for its own
        said = asked(rule, question)
        rows.append(
            {"name": rule, "layer": said.layer, "asking": said.seconds, "asked": said.forwards}
        )
        print(rows[-1], flush=True)
    named = sorted({row["layer"] for row in rows})
    searches = [{"layer": layer, "seconds": searched(evaluator, layer)} for layer in named]
    at = {one["layer"]: one["seconds"] for one in searches}
    for row in rows:
        row["seconds"] = row["asking"] + at[row["layer"]]
        row["forwards"] = row["asked"] + in_forwards(row["layer"], layers)
    sweep, one = scaled_up(searches, layers)
    forwards = sum(in_forwards(layer, layers) for layer in range(layers))
    rows.append({"name": "oracle", "seconds": sweep, "forwards": forwards})
    rows.append({"name": "random", "seconds": one, "forwards": forwards / layers})
    return rows, searches


def scaled_up(searches: list[dict], layers: int) -> tuple[float, float]:
    """Seconds for all layers, and for one on average, from those that were searched.

    A search of layer l of L costs the way up, w l / L, and the clips, c (L − l) / L; w and c are
    fitted. All layers together go the way up once.
    """
    share = np.array([one["layer"] / layers for one in searches])
    spent = [one["seconds"] for one in searches]
    way, clips = np.linalg.lstsq(np.stack([share, 1 - share], axis=1), spent, rcond=None)[0]
    above = (layers + 1) / (2 * layers)  # the mean share of the blocks that run again
    return way + clips * layers * above, way * (1 - above) + clips * above


def in_forwards(layer: int, layers: int) -> float:
    return N * len(RATES) * (layers - layer) / layers


def of_clips(evaluator, layer: int) -> list[dict]:
    """A row a clip, in the layer of Algorithm 1 where it is of one."""
    model, layers = evaluator.model, n_layers(evaluator.model)
    rows = []
    for method in METHODS:
        rates = RATES[:1] if method == "gavish-donoho" else RATES  # it finds its own
        cost = in_forwards(layer, layers) * len(rates) / len(RATES)
        spent = searched(evaluator, layer, method, rates)
        rows.append({"name": method, "seconds": spent, "forwards": cost})
        print(rows[-1], flush=True)
    here = matrices(model, layer, "mlp")
    every = [matrix for number in range(layers) for matrix in matrices(model, number)]
    changes = {"gradient-sign": partial(gradient_sign, evaluator, here)}
    for how in ("zero-sum", "negative-sum"):
        changes[how] = partial(all_at_once, evaluator, every, 0.05, how)
    for name, change in changes.items():
        rows.append({"name": name, "seconds": one_pass(evaluator, change), "forwards": 4 * N})
        print(rows[-1], flush=True)
    bias = lambda: [batch_bias(evaluator().scores)]
    rows.append({"name": "calibration", "seconds": seconds(bias), "forwards": N})
    return rows


def main() -> None:
    """All of it in one run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"keep the figures in {RESULT.name}")
    write = parser.parse_args().write
    model, tokenizer = load_model("smollm2-135m")
    task = load_task("movies")
    evaluator = ICLEvaluator(model, tokenizer, task, "validation", N, SHOTS, range(SETS), 16)
    rules, searches = of_rules(evaluator)
    paper = rules[0]
    clips = of_clips(evaluator, paper["layer"])
    for row in [*rules, *clips]:
        times = row["forwards"] / paper["forwards"], row["seconds"] / paper["seconds"]
        print(f"{row['name']:16} {row['seconds']:8.1f} s, × Algorithm 1: {times[0]:7.2f} forwards,"
              f" {times[1]:7.2f} seconds")  # fmt: skip
    machine = f"{platform.machine()}, {os.cpu_count()} cores, one thread"
    settings = {"model": "smollm2-135m", "task": "movies", "module": "mlp", "n": N, "shots": SHOTS}
    found = {**settings, "sets": SETS, "rates": RATES, "machine": machine}
    found |= {"rules": rules, "searches": searches, "clips": clips}
    if write:
        RESULT.write_text(json.dumps(found, indent=1, default=float) + "\n")


if __name__ == "__main__":
    main()
