"""What was judged on test is what validation chose, and was said before."""

from pathlib import Path

import pandas as pd
import pytest

from svdicl_lite.search.committed import Kept, outcomes
from svdicl_lite.search.kept_pairs import best_clip

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
ALGORITHM_1 = [
    run
    for name in ("algorithm1", "algorithm1_unread")
    for run in Kept.read(EXPERIMENTS / f"{name}.toml").runs
]
LANGUAGES = Kept.read(EXPERIMENTS / "languages.toml")


def clips(run):
    """Layer, module and rate of a run's clips proper."""
    return [
        (cell.layer, cell.module, cell.clip_rate)
        for cell in run.cells
        if cell.clip_rate > 0 and cell.method == "svd"
    ]


def chosen(table, places):
    return [(layer, m, best_clip(table, layer, m)["clip_rate"]) for layer, m in places]


def best_of_all(table, module):
    """The place of highest accuracy over all layers; the first of equals."""
    of_module = table[(table["module"] == module) & (table["clip_rate"] > 0)]
    row = of_module.loc[of_module["evaluation"].map(lambda outcome: outcome.accuracy).idxmax()]
    return row["layer"], module, row["clip_rate"]


@pytest.mark.parametrize("run", ALGORITHM_1, ids=[run.task for run in ALGORITHM_1])
def test_algorithm_1_is_judged_on_what_validation_chose(run):
    tables = [
        outcomes(EXPERIMENTS / f"{name}.toml") for name in ("algorithm1_choice", "movies_depth")
    ]
    table = pd.concat(tables)
    mine = table[table["task"] == run.task]
    expected = chosen(mine, [(24, "attn"), (28, "mlp")])
    if run.task == "movies":  # where all layers were swept: the best of each module, too
        expected += [best_of_all(mine, module) for module in ("mlp", "attn")]
    assert clips(run) == expected


def test_all_languages_are_judged_on_what_english_validation_chose():
    table = outcomes(EXPERIMENTS / "languages_choice.toml")
    assert set(table["task"]) == {"hotels"} and set(table["split"]) == {"validation"}
    for run in LANGUAGES.runs:
        assert clips(run) == chosen(table, [(14, "mlp"), (24, "attn"), (28, "mlp")])
        assert run.split == "test"
