"""The layers of algorithm1_layers.toml are what was said, and their rates what validation chose."""

import random
from pathlib import Path

import pandas as pd
import pytest

from svdicl_lite.search.committed import Kept, outcomes
from svdicl_lite.search.kept_pairs import best_clip

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
KEPT = EXPERIMENTS / "algorithm1_layers.toml"
BY_CONDITION = {"attn": 24, "mlp": 28}


@pytest.fixture(scope="module")
def validation():
    swept = [outcomes(EXPERIMENTS / f"{n}.toml") for n in ("movies_depth", "smollm2_rules_cells")]
    table = pd.concat(swept)
    return table[table["clip_rate"] > 0].assign(
        accuracy=lambda t: t["evaluation"].map(lambda outcome: outcome.accuracy)
    )


def best_layer(table, module):
    of_module = table[table["module"] == module]
    return of_module["layer"].iloc[of_module["accuracy"].to_numpy().argmax()]


def test_layers_are_drawn_as_said_and_rates_chosen_on_validation(validation):
    """As the toml's analysis says it; `random` promises this order in every version of Python."""
    lots, said = random.Random(0), {}
    for task in ("movies", "domain", "tweets"):
        table, said[task] = validation[validation["task"] == task], []
        for module, by_condition in BY_CONDITION.items():
            others = sorted(set(table["layer"]) - {by_condition})
            drawn = sorted(sorted(others, key=lambda _: lots.random())[:5])
            layers = dict.fromkeys([by_condition, best_layer(table, module), *drawn])
            said[task] += [(at, module, best_clip(table, at, module)["clip_rate"]) for at in layers]
    runs = {run.task: run for run in Kept.read(KEPT).runs}
    cells = {
        task: [(cell.layer, cell.module, cell.clip_rate) for cell in run.cells[1:]]
        for task, run in runs.items()
    }
    assert cells == said
    assert all(run.split == "test" and run.n == 1000 for run in runs.values())
    assert all(cell.method == "svd" for run in runs.values() for cell in run.cells)


def test_cells_that_algorithm1_holds_too_have_the_same_scores():
    """Five clips were computed in both: what is kept does not depend on the run."""
    place = ["task", "layer", "module", "clip_rate"]
    before = outcomes(EXPERIMENTS / "algorithm1.toml", method="svd")
    both = before.merge(outcomes(KEPT), on=place, suffixes=("", "_again"))
    clips = both[both["clip_rate"] > 0]
    assert len(clips) == 5
    for row in clips.itertuples():
        assert abs(row.evaluation.scores - row.evaluation_again.scores).max() < 1e-3
