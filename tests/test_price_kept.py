"""The changes whose price is kept are those that validation chose, and were said before."""

import json
from pathlib import Path

from svdicl_lite.search.committed import Kept, outcomes
from svdicl_lite.search.committed_perplexity import perplexities

EXPERIMENTS = Path(__file__).parents[1] / "experiments"


def single_clips():
    """[layer, module, rate] of the clips that went to test, but the best of attention alone."""
    runs = Kept.read(EXPERIMENTS / "algorithm1.toml").runs
    cells = {cell for run in runs for cell in run.cells if cell.clip_rate and cell.method == "svd"}
    clips = {(cell.layer, cell.module, cell.clip_rate) for cell in cells}
    return clips - {(18, "attn", 0.75)}


def greedys_clips():
    """All that the greedy search kept on movies, in its order."""
    table = outcomes(EXPERIMENTS / "greedy.toml", search="greedy", split="test")
    return json.loads(table["clips"].iloc[-1])


def test_the_price_is_of_clips_that_validation_chose():
    *singles, four = Kept.read(EXPERIMENTS / "price.toml").said["changes"]
    assert {tuple(clip) for (clip,) in singles} == single_clips()
    assert four == greedys_clips()


def test_the_clip_priced_on_other_tasks_is_the_best_for_movies():
    runs = Kept.read(EXPERIMENTS / "price_tasks.toml").runs
    best = {
        (cell.layer, cell.module, cell.clip_rate)
        for run in runs
        for cell in run.cells
        if cell.clip_rate
    }
    assert best == {(18, "mlp", 0.75)} and "movies" not in {run.task for run in runs}


def test_every_language_was_read_under_every_change_with_as_many_texts():
    said, table = Kept.read(EXPERIMENTS / "price.toml").said, perplexities("price")
    changes = [[], *said["changes"]]
    for task in said["tasks"]:
        of_task = table[table["task"] == task]
        assert of_task["clips"].tolist() == changes
        assert all(len(losses) == said["n"] for losses in of_task["losses"])
        assert max(of_task["n_predicted"].iloc[0]) <= said["max_tokens"] - 1
        assert of_task[["times", "low", "high"]].iloc[0].tolist() == [1, 1, 1]
    clipped = table[table["clips"].map(len) > 0]
    assert ((clipped["low"] < clipped["times"]) & (clipped["times"] < clipped["high"])).all()
