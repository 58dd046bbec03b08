"""Which interval covers what it claims to, by how many sets of demonstrations there are.

    nice .venv/bin/python benchmarks/coverage.py             # drawn scores, 93 s of one core
    nice .venv/bin/python benchmarks/coverage.py --models    # and three shipped models

Scores of two classes are drawn: each set of demonstrations has a signal and a lean of its own,
before and after a change that leaves most of an example's noise as it was; n = 384 examples are
dealt out to 4, 8, 12 or 16 sets. What an interval is to cover is the mean over all sets that could
have been drawn. With `--models` the sets are real ones: a clip is judged on 200 sets of 24
examples, and what is to be covered is the mean over the 200.

Seen, in 400 repeats (standard deviation 1.1 %) of six worlds and four numbers of sets, at 95 %:

- Student's t over the sets covers gain, reading and lean in 92.8 to 97.5 %, from four sets on.
- t over the examples covers them in 91 to 98 % where all sets are alike or nothing is read, but a
  gain in 58 to 76 % behind four sets that differ, and in 88 to 92 % behind sixteen. It is printed
  as "for these demonstrations only".
- For discrimination, t over the sets covers 93.5 to 96.8 %, but 87 to 92 % near the ceiling (an
  area of .998), where sets are skewed. DeLong's interval covers 55 to 94 % where sets differ, 95 to
  98 % where they do not; a bootstrap of sets and examples 89.5 to 100 %, too short for four sets
  and mostly too wide beyond. So sets are what the library takes as its sample.
- Where nothing changes in the mean, McNemar calls a change in 20, 10, 8 and 6 % (4, 8, 12, 16
  sets), sign flips in 0 to 2.5 %, the interval of reading in 4.2 to 4.8 %.
- Labels shuffled, 68 to 32: accuracy is called changed in 98 to 100 %, reading in 4.5 to 7 %
  (gains and losses together).
- Real sets are more skewed than these. On 200 sets of `icl-gpt2-noisy` (reading −5, lean +10
  points) t over 4, 8, 12 and 16 sets covers the gain in 85, 84, 94 and 91 %, reading in 82, 87, 90
  and 90 %, lean in 92 to 96 %; t over the examples in 60 to 76 %. Take sixteen sets where you can.
  `icl-gpt2` and `icl-llama` have no answer changed by that clip, so they say nothing.
  `coverage_models.py` asks more clips, and which interval holds on sets as skewed as these: the
  wider of t's and Hall's, which is what results print now.
"""

import argparse
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm

from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.search.results import Comparison
from svdicl_lite.stats import Interval, cluster_interval, mean_interval

N_EXAMPLES = 384
N_SETS = (4, 8, 12, 16)
REPEATS = 400
ALL_SETS = 4_000


class World(NamedTuple):
    """How sets of demonstrations differ: (mean, standard deviation) over the sets."""

    signal: tuple[float, float]  # distance of the classes' scores, in units of the noise
    lean: tuple[float, float]
    sharpened: tuple[float, float]  # by which factor the signal changes
    shifted: tuple[float, float]  # by how much the lean does
    of_class_one: float = 0.5
    reads: bool = True  # False: labels are shuffled


WORLDS = {
    "sets alike": World((1.5, 0.0), (-0.6, 0.0), (1.2, 0.0), (0.4, 0.0)),
    "sets differ": World((1.5, 0.3), (-0.8, 0.6), (1.2, 0.2), (0.6, 0.5)),
    "no change in the mean": World((1.5, 0.3), (0.0, 0.6), (1.0, 0.2), (0.0, 0.0)),
    "near the ceiling": World((4.0, 0.5), (-0.5, 0.6), (1.1, 0.1), (0.3, 0.3)),
    "68 to 32": World((1.5, 0.3), (-0.8, 0.6), (1.2, 0.2), (0.6, 0.5), 0.68),
    "68 to 32, labels shuffled": World(
        (1.5, 0.3), (-0.8, 0.6), (1.2, 0.2), (1.2, 0.5), 0.68, False
    ),
}
SAME_NOISE = 0.9  # correlation of an example's noise before and after


def drawn(world: World, rng: np.random.Generator, n_sets: int, size: int):
    """Before and after, (Evaluation, Evaluation)."""

    def of_sets(mean: float, deviation: float) -> np.ndarray:
        return (mean + deviation * rng.standard_normal(n_sets))[sets]

    sets = np.repeat(np.arange(n_sets), size)
    n = len(sets)
    truth = (np.arange(n) % size < round(world.of_class_one * size)).astype(int)
    signal, lean = of_sets(*world.signal), of_sets(*world.lean)
    sharper, shift = of_sets(*world.sharpened), of_sets(*world.shifted)
    noise, fresh = rng.standard_normal((2, n))
    other = SAME_NOISE * noise + np.sqrt(1 - SAME_NOISE**2) * fresh
    before = signal * (truth - 0.5) + lean + noise
    after = sharper * signal * (truth - 0.5) + lean + shift + other
    labels = truth if world.reads else rng.permutation(truth)
    return tuple(
        Evaluation(np.stack((-odds / 2, odds / 2), axis=1), labels, sets)
        for odds in (before, after)
    )


def compared(pair) -> Comparison:
    return Comparison(*pair, *pair)


def measured(result: Comparison) -> dict[str, float]:
    return {
        "gain": result.test_gain,
        "reading": result.reading,
        "lean": result.lean,
        "discrimination": result.discrimination_gain,
    }


# The intervals on trial.


def delong(result: Comparison) -> Interval:
    """For a change of discrimination behind these demonstrations (DeLong et al. 1988)."""
    before, after = result.test_before, result.test_after
    change = after.placements - before.placements
    variance = 0.0
    for rows in before.members:
        for label in np.unique(before.labels[rows]):
            of_class = change[rows][before.labels[rows] == label]
            if len(of_class) < 2:
                return Interval(-np.inf, np.inf)
            variance += of_class.var(ddof=1) / len(of_class) / len(before.members) ** 2
    half = norm.ppf(0.975) * np.sqrt(variance)
    return Interval(result.discrimination_gain - half, result.discrimination_gain + half)


def two_stage_bootstrap(result: Comparison, rng, n_resamples: int = 200) -> Interval:
    """For the same, drawing sets anew and then the examples in them (two classes)."""
    by_set = [
        _resampled_changes(result, rows, rng, n_resamples) for rows in result.test_before.members
    ]  # (sets, resamples)
    chosen = rng.integers(len(by_set), size=(n_resamples, len(by_set)))
    # a set that is drawn twice gets other examples each time
    shuffled = np.stack([rng.permuted(changes) for changes in by_set])
    means = shuffled[chosen, np.arange(n_resamples)[:, None]].mean(1)
    return Interval(*np.quantile(means, (0.025, 0.975)))


def _resampled_changes(result: Comparison, rows, rng, n_resamples: int) -> np.ndarray:
    labels = result.test_before.labels[rows]
    counts = [
        rng.multinomial(k, np.full(k, 1 / k), size=n_resamples)
        for k in ((labels == 1).sum(), (labels == 0).sum())
    ]
    change = 0.0
    for sign, outcome in ((-1, result.test_before), (1, result.test_after)):
        odds = np.subtract(*outcome.scores[rows].T[::-1])
        order = odds[labels == 1][:, None] - odds[labels == 0]
        right = (np.sign(order) + 1) / 2  # (ones, zeros)
        change += sign * (counts[0] @ right * counts[1]).sum(1)
    return change / (counts[0].shape[1] * counts[1].shape[1])


def intervals(result: Comparison, rng) -> dict[tuple[str, str], Interval]:
    """By measure and method."""
    sets = result.test_before.demonstration_sets
    change = result.test_after.discrimination_by_set - result.test_before.discrimination_by_set
    found = {
        ("gain", "t over sets"): cluster_interval(sum(result.parts), sets),
        ("gain", "t over examples"): mean_interval(sum(result.parts)),
        ("reading", "t over sets"): cluster_interval(result.parts[0], sets),
        ("reading", "t over examples"): result.reading_interval,
        ("lean", "t over sets"): cluster_interval(result.parts[1], sets),
        ("lean", "t over examples"): result.lean_interval,
        ("discrimination", "t over sets"): cluster_interval(change, np.arange(len(change))),
        ("discrimination", "DeLong"): delong(result),
    }
    if result.test_before.n_classes == 2:
        found["discrimination", "bootstrap of both"] = two_stage_bootstrap(result, rng)
    return found


def coverage(draw, truth: dict[str, float], rng, repeats: int = REPEATS) -> pd.Series:
    """The share of repeats in which each interval holds the truth, and of those where each test
    calls a gain or loss at 5 %. `draw()` gives a Comparison.
    """
    held = []
    for _ in range(repeats):
        result = draw()
        row = {
            key: low <= truth[key[0]] <= high for key, (low, high) in intervals(result, rng).items()
        }
        row["calls", "sign flips"] = result.p_value_by_set <= 0.05
        row["calls", "McNemar"] = result.p_value <= 0.05
        low, high = cluster_interval(result.parts[0], result.test_before.demonstration_sets)
        row["calls", "reading over sets"] = not low <= 0 <= high
        row["truth", "reading"], row["truth", "lean"] = truth["reading"], truth["lean"]
        held.append(row)
    return pd.DataFrame(held).mean().round(3)


def of_drawn_scores() -> pd.DataFrame:
    rows = {}
    for name, world in WORLDS.items():
        for n_sets in N_SETS:
            rng = np.random.default_rng(n_sets)
            size = N_EXAMPLES // n_sets
            everything = measured(compared(drawn(world, rng, ALL_SETS, size)))
            draw = partial(_one, world, rng, n_sets, size)
            rows[name, n_sets] = coverage(draw, everything, rng)
            print(name, n_sets, *rows[name, n_sets], flush=True)
    return pd.DataFrame(rows).T


def _one(world: World, rng, n_sets: int, size: int) -> Comparison:
    return compared(drawn(world, rng, n_sets, size))


# Real sets.

MODELS = ("icl-gpt2-noisy", "icl-gpt2-noisy-late", "icl-llama")  # icl-gpt2 is at 0 throughout
REAL_SETS, REAL_SIZE = 200, 24


def of_models() -> pd.DataFrame:
    rows = {}
    for name in MODELS:
        before, after = judged(name)
        everything = measured(compared((before, after)))
        for n_sets in N_SETS:
            rng = np.random.default_rng(n_sets)
            draw = partial(some_sets, before, after, rng, n_sets)
            rows[name, n_sets] = coverage(draw, everything, rng)
            print(name, n_sets, *rows[name, n_sets], flush=True)
    return pd.DataFrame(rows).T


def judged(name: str) -> tuple[Evaluation, Evaluation]:
    """Sentiment by eight demonstrations with flipped words, before and after the MLP of the last
    layer but one is clipped by .9.
    """
    from svdicl_lite import ICLEvaluator, clipped, load_model, load_task

    model, tokenizer = load_model(name)
    task = load_task("sentiment", "flipped")
    # the same 600 examples eight times, each time dealt out to 25 other sets
    evaluators = [
        ICLEvaluator(model, tokenizer, task, "test", REAL_SIZE * 25, 8, range(start, start + 25))
        for start in range(0, REAL_SETS, 25)
    ]
    before = joined([evaluator() for evaluator in evaluators])
    with clipped(model, model.config.num_hidden_layers - 2, "mlp", 0.9):
        after = joined([evaluator() for evaluator in evaluators])
    return before, after


def joined(outcomes: list[Evaluation]) -> Evaluation:
    n = len(outcomes[0].labels)
    return Evaluation(
        np.concatenate([outcome.scores for outcome in outcomes]),
        np.concatenate([outcome.labels for outcome in outcomes]),
        np.repeat(np.arange(len(outcomes) * n // REAL_SIZE), REAL_SIZE),
    )


def some_sets(before: Evaluation, after: Evaluation, rng, n_sets: int) -> Comparison:
    chosen = rng.choice(REAL_SETS, n_sets, replace=False)
    rows = np.concatenate([before.members[number] for number in chosen])
    return compared(
        [
            Evaluation(
                outcome.scores[rows], outcome.labels[rows], np.repeat(range(n_sets), REAL_SIZE)
            )
            for outcome in (before, after)
        ]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", action="store_true", help="the shipped models too")
    arguments = parser.parse_args()
    table = of_drawn_scores()
    if arguments.models:
        table = pd.concat([table, of_models()])
    with pd.option_context("display.width", 250, "display.max_columns", None):
        print(table.to_string())
