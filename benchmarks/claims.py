"""What clipping does to the shipped models, in one table: where it helps, where it does not, and
what else would have done as well.

Every choice is made on validation, every number is of the test set: `N_TEST` prompts behind twelve
sets of demonstrations, the same ones before and after, McNemar's exact test, Holm over the whole
table, and an interval that takes the sets for what was sampled. A gain counts only if balanced
accuracy rises with it to more than chance. A model that falls to guessing, or to one answer for
all, also "gains" if it was below chance: such rows say "collapse" where it has got there and
"towards chance" where it is on its way. `python benchmarks/claims.py` prints all of it (some ten
minutes).
"""

from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np
import pandas as pd
import torch

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.controls import dropped, how_of
from svdicl_lite.clipping.matrices import n_layers
from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.algorithm1 import search_clip_rate
from svdicl_lite.search.results import SearchResult
from svdicl_lite.search.without_rate import calibration, compare
from svdicl_lite.stats import cluster_interval, holm, label_entropy, mcnemar
from svdicl_lite.tasks import grammar_tasks
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.suite import SUITE
from svdicl_lite.tasks.task import LABEL_SETTINGS
from svdicl_lite.training.recall import RecallEvaluator
from svdicl_lite.training.recall_recipe import best_clip

N_VALIDATION, N_TEST, SEEDS = 400, 1000, tuple(range(12))
N_RECALL = 1000, 2000
GONE_ON = ("icl-gpt2-prior", "icl-gpt2-noisy")
STAGES = (
    "icl-gpt2-noisy-early",
    "icl-gpt2-noisy",
    "icl-gpt2-noisy-late",
)  # 28, 56 and 168 steps of the same run
CONTROLS = ("random-subspace", "smallest", "scale")


@lru_cache(maxsize=8)
def loaded(name: str):
    return load_model(name)


@lru_cache(maxsize=64)
def evaluator(name: str, task: str, labels: str, split: str) -> ICLEvaluator:
    data = load_task(task, labels)
    n = min({"validation": N_VALIDATION, "test": N_TEST}[split], len(data.splits[split]))
    return ICLEvaluator(*loaded(name), data, split, n, seeds=SEEDS)


@dataclass(frozen=True)
class Row:
    """One comparison on a test set."""

    claim: str
    model: str
    task: str
    labels: str
    change: str
    before: Evaluation
    after: Evaluation

    @property
    def gain(self) -> float:
        return self.after.accuracy - self.before.accuracy

    @property
    def balanced_gain(self) -> float:
        return self.after.balanced_accuracy - self.before.balanced_accuracy

    def verdict(self, p_value: float) -> str:
        """In a word, given the p-value after Holm."""
        C = self.after.scores.shape[1]
        above = self.after.balanced_accuracy - 1 / C
        if p_value >= 0.01:
            return "no difference"
        if abs(above) < 0.03 or label_entropy(self.after.predictions, C) < 0.3:
            return "collapse"
        if self.gain > 0 and above < 0:
            return "towards chance"
        return "gain" if self.gain > 0 and self.balanced_gain > 0 else "loss"


def clipped_outcome(
    name: str, task: str, labels: str, layer: int, module: str, rate: float
) -> tuple[Evaluation, Evaluation]:
    """The test set before and after one clip that was chosen elsewhere."""
    model, test = loaded(name)[0], evaluator(name, task, labels, "test")
    before = test()
    with Clip(model, layer, module).at(rate):
        return before, test()


def told(module: str, layer: int, rate: float, method: str) -> str:
    """A change in words."""
    return f"{module} {layer} at {rate:g}" + ("" if method == "svd" else f", {method}")


def algorithm_1(
    claim: str, name: str, task: str, labels: str, module: str, layer=None, method: str = "svd"
) -> tuple[Row, SearchResult]:
    """Row and result of a search: rate (and layer, by condition numbers) chosen on validation."""
    validation, test = (evaluator(name, task, labels, split) for split in ("validation", "test"))
    result = search_clip_rate(loaded(name)[0], validation, test, module, layer, method=method)
    what = told(module, result.layer, result.clip_rate, method)
    return Row(claim, name, task, labels, what, result.test_before, result.test_after), result


def best_of_layers(claim: str, name: str, task: str, labels: str) -> tuple[Row, SearchResult]:
    """Row and result of the search over every module and every layer behind the first, by
    validation alone.
    """
    layers = [
        (module, layer)
        for module in ("mlp", "attn")
        for layer in range(1, n_layers(loaded(name)[0]))
    ]
    found = [algorithm_1(claim, name, task, labels, *place) for place in layers]
    return max(found, key=lambda pair: pair[1].validation_gain)


def overridden(claim: str, found: tuple[Row, SearchResult]) -> list[Row]:
    """(a) A prior that talks over flipped words: what a search found, the same clip on the other
    words, and the controls on the same module.
    """
    row, result = found
    place = row.model, row.task, "flipped", result.module, result.layer
    rows = [row]
    for labels in ("canonical", "arbitrary"):
        outcome = clipped_outcome(
            row.model, row.task, labels, result.layer, result.module, result.clip_rate
        )
        rows.append(Row(f"{claim}: cost", row.model, row.task, labels, row.change, *outcome))
    rows += [algorithm_1(f"{claim}: control", *place, method)[0] for method in CONTROLS]
    asked = row.model, row.task, "flipped"
    validation, test = (evaluator(*asked, split) for split in ("validation", "test"))
    without = partial(dropped, loaded(row.model)[0], result.layer)
    others = {
        f"layer {result.layer} dropped": compare(validation, test, without),
        "batch calibration, no clip": calibration(validation, test),
    }
    return rows + [
        Row(f"{claim}: control", *asked, change, found.test_before, found.test_after)
        for change, found in others.items()
    ]


def depth(name: str, task: str) -> list[Row]:
    """(b) The MLPs of all layers at ξ = .95 on canonical words."""
    rows, asked = [], (name, task, "canonical")
    for layer in range(n_layers(loaded(name)[0])):
        outcome = clipped_outcome(*asked, layer, "mlp", 0.95)
        rows.append(Row("b", *asked, f"mlp {layer} at 0.95", *outcome))
    return rows


def everywhere(name: str) -> list[Row]:
    """(c) Algorithm 1 on both tasks and every label setting."""
    return [
        algorithm_1("c", name, task, labels, "mlp")[0]
        for task in grammar_tasks.TASKS
        for labels in LABEL_SETTINGS
    ]


def stages() -> list[Row]:
    """(e) The noisy run at its three stages: Algorithm 1 on flipped words, and the same clip on
    canonical ones.
    """
    rows = []
    for name in STAGES:
        row, result = algorithm_1("e", name, "sentiment", "flipped", "mlp")
        outcome = clipped_outcome(
            name, "sentiment", "canonical", result.layer, result.module, result.clip_rate
        )
        rows += [row, Row("e: cost", name, "sentiment", "canonical", row.change, *outcome)]
    return rows


def on_the_suite(modules=("mlp", "attn")) -> list[Row]:
    """(f) Algorithm 1 on all seven tasks of the suite, canonical and flipped words, and the depth
    of its model on two of them.
    """
    name, rows = "suite-llama", []
    for task in SUITE:
        for labels in ("canonical",) if SUITE[task].options else ("canonical", "flipped"):
            rows += [algorithm_1("f", name, task, labels, module)[0] for module in modules]
    return rows + [
        replace(row, claim="f: depth")
        for task in ("mixed-topic", "choice")
        for row in depth(name, task)
    ]


def recalled() -> list[Row]:
    """(d) Noisy recall: the best clip of validation and its controls, each with its own best rate
    on the same module.
    """
    model = loaded("recall-gpt2")[0]
    validation, test = (
        RecallEvaluator(model, split, n) for split, n in zip(("validation", "test"), N_RECALL)
    )
    layer, module, _ = best_clip(model, n=N_RECALL[0])
    sets = np.repeat(np.arange(4), N_RECALL[1] // 4)

    def judged() -> Evaluation:
        outcome = test()
        return Evaluation(outcome.scores, outcome.labels, sets)

    before, rows = judged(), []
    for method in ("svd", *CONTROLS):
        clip, found = Clip(model, layer, module, how=how_of(method)), {}
        for rate in CLIP_RATES:
            with clip.at(rate, factored=method == "svd"):
                found[rate] = validation().accuracy
        rate = max(found, key=found.get)
        with clip.at(rate, factored=method == "svd"):
            after = judged()
        claim, what = "d" if method == "svd" else "d: control", told(module, layer, rate, method)
        rows.append(Row(claim, "recall-gpt2", "recall", "", what, before, after))
    return rows


def table(rows: list[Row]) -> pd.DataFrame:
    """The rows with their p-values, Holm's over all of them, and a verdict each."""
    p = [mcnemar(row.before.correct, row.after.correct) for row in rows]
    lines = []
    for row, plain, adjusted in zip(rows, p, holm(p)):
        C = row.before.scores.shape[1]
        low, high = cluster_interval(
            row.after.correct.astype(float) - row.before.correct, row.before.demonstration_sets
        )
        lines.append(
            {
                "claim": row.claim,
                "model": row.model,
                "task": row.task,
                "labels": row.labels,
                "change": row.change,
                "n": row.before.n,
                "before": row.before.accuracy,
                "after": row.after.accuracy,
                "gain": row.gain,
                "low": low,
                "high": high,
                "p": plain,
                "p (Holm)": adjusted,
                "balanced before": row.before.balanced_accuracy,
                "balanced after": row.after.balanced_accuracy,
                "entropy before": label_entropy(row.before.predictions, C),
                "entropy after": label_entropy(row.after.predictions, C),
                "verdict": row.verdict(adjusted),
            }
        )
    return pd.DataFrame(lines)


if __name__ == "__main__":
    torch.set_num_threads(1)
    rows = [
        *(
            row
            for name in GONE_ON
            for row in overridden("a", algorithm_1("a", name, "sentiment", "flipped", "mlp"))
        ),
        *(best_of_layers("a, any layer", name, "sentiment", "flipped")[0] for name in GONE_ON),
        *(row for name in ("icl-gpt2", *GONE_ON) for row in depth(name, "sentiment")),
        *(row for name in ("icl-gpt2", *GONE_ON) for row in everywhere(name)),
        *recalled(),
        *stages(),
        *on_the_suite(),
    ]
    print(table(rows).round(3).to_string(index=False))
