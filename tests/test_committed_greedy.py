"""Kept greedy searches: computed, read as outcomes, gone on with, and checked."""

import json
import shutil

import numpy as np
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from svdicl_lite.cli.commands import app
from svdicl_lite.models.loading import load_model
from svdicl_lite.search import committed_greedy
from svdicl_lite.search.cells import Cell
from svdicl_lite.search.committed import Kept, about, outcomes, stale
from svdicl_lite.search.committed_greedy import (
    GreedySearches,
    check_greedy,
    clips_of,
    compute_greedy,
)
from svdicl_lite.search.greedy import greedy_search
from svdicl_lite.search.kept_pairs import against_whole

TOML = """
title = "A small one"
hypothesis = "It gains."
analysis = "By eye."
model = "icl-gpt2-noisy"
kind = "greedy"
tasks = ["sentiment"]
labels = "flipped"
layers = [2, 3]
clip_rates = [0, 0.75, 0.95]
n_validation = 40
n_test = 24
n_shots = 2
seeds = [0, 1]
"""
quietly = {"say": lambda text: None}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Computed once; a test that changes it copies the folder."""
    path = tmp_path_factory.mktemp("kept") / "small.toml"
    path.write_text(TOML)
    kept = Kept.read(path)
    compute_greedy(kept, path.parent / "journal", **quietly)
    return kept


@pytest.fixture(scope="module")
def searched(kept):
    """The same search, asked for directly."""
    model, tokenizer = load_model("icl-gpt2-noisy")
    wanted = GreedySearches.of(kept)
    judges = [wanted.evaluator(model, tokenizer, "sentiment", s) for s in ("validation", "test")]
    return greedy_search(model, *judges, ("mlp", "attn"), (2, 3), (0, 0.75, 0.95))


def test_what_is_kept_is_what_a_greedy_search_finds(kept, searched):
    table = outcomes(kept.path, search="greedy", split="test")
    whole, last = (row for _, row in table.iterrows())
    assert searched.steps and clips_of(last) == tuple(step.cell for step in searched.steps)
    assert clips_of(whole) == ()
    np.testing.assert_allclose(last["evaluation"].scores, searched.test_after.scores, atol=1e-4)
    np.testing.assert_allclose(whole["evaluation"].scores, searched.test_before.scores, atol=1e-4)
    (pair,) = against_whole(table)["compared"]
    assert pair.test_gain == pytest.approx(searched.test_gain)


def test_every_clip_tried_is_there_behind_those_kept_before_it(kept, searched):
    table = outcomes(kept.path, search="greedy", split="validation")
    tried = [clips_of(row) for _, row in table.iterrows()]
    assert len(tried) == len(set(tried)) == 1 + searched.n_tried
    steps = [step.cell for step in searched.steps]
    for clips in tried[1:]:
        assert list(clips[:-1]) == steps[: len(clips) - 1]
    accuracies = dict(zip(tried, (outcome.accuracy for outcome in table["evaluation"])))
    reached = accuracies[tuple(steps)]
    assert reached == searched.validation_after.accuracy > accuracies[()]


def test_the_single_clip_on_test_is_the_best_on_validation(kept):
    table = outcomes(kept.path, search="single")
    tried = table[table["split"] == "validation"]
    assert len(tried) == 2 * 2 * 2
    best = tried.loc[tried["evaluation"].map(lambda outcome: outcome.accuracy).idxmax()]
    (judged,) = (row for _, row in table[table["split"] == "test"].iterrows())
    assert clips_of(judged) == clips_of(best) == (Cell(*best[["layer", "module", "clip_rate"]]),)


def test_what_was_finished_is_not_computed_again(kept, tmp_path, monkeypatch):
    shutil.copytree(kept.path.parent, tmp_path / "copy")
    again = Kept.read(tmp_path / "copy/small.toml")
    before = again.outcomes.read_bytes()
    again.outcomes.unlink()
    assert stale(again) == "not computed"

    def never(*arguments):
        raise AssertionError("computed again")

    for judge in ("__call__", "from_layer"):
        monkeypatch.setattr(committed_greedy.ICLEvaluator, judge, never)
    compute_greedy(again, again.path.parent / "journal", **quietly)
    one, other = (parquet.read_table(path).to_pydict() for path in (kept.outcomes, again.outcomes))
    assert one == other and before and about(again.path)["prompts"] == about(kept.path)["prompts"]


@pytest.mark.parametrize("seed", range(4))
def test_a_check_judges_examples_again_with_all_that_was_clipped(kept, seed):
    found = check_greedy(kept, n_cells=3, seed=seed)
    assert len(found) == 3 and found["largest"].max() < 1e-3


def test_a_check_finds_clips_that_were_not_in_force(kept, tmp_path, monkeypatch):
    monkeypatch.setattr(committed_greedy, "clips_of", lambda row: ())
    with pytest.raises(ValueError, match="small: a score computed again differs by"):
        check_greedy(kept, n_cells=10, seed=0)


def test_the_command_knows_the_kind(kept):
    result = CliRunner().invoke(app, ["experiment", str(kept.path), "--check", "1", "--json"])
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)["experiments"]
    assert found["status"] == "1 clips again" and found["largest"] < 1e-3


@pytest.mark.parametrize(
    "change, sentence",
    [
        ("n_test = 24", "does not say 'n_test', needed for greedy searches"),
        ('tasks = ["sentiment"]', "does not say 'tasks', needed"),
    ],
)
def test_what_is_missing_is_named(kept, tmp_path, change, sentence):
    path = tmp_path / "small.toml"
    path.write_text(TOML.replace(change, ""))
    with pytest.raises(ValueError, match=sentence):
        GreedySearches.of(Kept.read(path))


def test_what_nobody_understands_is_named(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(TOML + "guard = 1\n")
    with pytest.raises(ValueError, match="says 'guard', but of greedy searches it may say tasks"):
        GreedySearches.of(Kept.read(path))
