"""Experiments that are kept: read, computed, resumed, read again, and checked against the model."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from svdicl_lite.cli.commands import app
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search import computed
from svdicl_lite.search.cells import Cell
from svdicl_lite.search.committed import Kept, about, outcomes, stale
from svdicl_lite.search.computed import compute, spot_check
from svdicl_lite.tasks.loading import load_task

TOML = """
title = "A small one"
hypothesis = "It can be computed."
analysis = "By eye."
model = {model}
n = 12
n_shots = 2
seeds = [0, 1]
layers = [1, 2]
clip_rates = [0, 0.5, 0.9]
modules = ["mlp"]
[[runs]]
task = "sentiment"
labels = "flipped"
[[runs]]
task = "topic"
split = "test"
methods = ["svd", "scale"]
"""


def written(folder, model, text=TOML):
    path = Path(folder) / "small.toml"
    path.write_text(text.replace("{model}", json.dumps(str(model))))
    return path


@pytest.fixture(scope="module")
def kept(tiny, tmp_path_factory):
    """Computed once; tests that change anything copy the folder."""
    kept = Kept.read(written(tmp_path_factory.mktemp("kept"), tiny))
    compute(kept, say=lambda text: None)
    return kept


@pytest.fixture
def copied(kept, tmp_path):
    """A copy to do anything with."""
    shutil.copytree(kept.path.parent, tmp_path / "copy")
    return Kept.read(tmp_path / "copy/small.toml")


def test_the_outcomes_are_what_judging_by_hand_gives(kept, tiny):
    model, tokenizer = load_model(tiny)
    task = load_task("sentiment", "flipped")
    evaluator = ICLEvaluator(model, tokenizer, task, "validation", 12, 2, (0, 1))
    table = outcomes(kept.path, task="sentiment", layer=2, clip_rate=0.9)
    (found,) = table["evaluation"]
    with Cell(2, "mlp", 0.9).clip(model).at(0.9):
        by_hand = evaluator()
    np.testing.assert_allclose(found.scores, by_hand.scores, atol=1e-5)
    assert (found.labels == by_hand.labels).all()
    assert (found.demonstration_sets == by_hand.demonstration_sets).all()


def test_each_run_has_the_model_without_a_clip_once_and_every_cell(kept):
    table = outcomes(kept.path)
    assert len(table) == (1 + 4) + (1 + 8)
    assert (table[table["clip_rate"] == 0].groupby("task").size() == 1).all()
    assert set(table[table["task"] == "topic"]["method"]) == {"svd", "scale"}
    assert (table[table["clip_rate"] == 0]["task"].tolist()) == ["sentiment", "topic"]


def test_the_model_without_a_clip_is_there_whatever_layer_is_wanted(kept):
    table = outcomes(kept.path, task="topic", layer=2, method="scale")
    assert table["clip_rate"].tolist() == [0.0, 0.5, 0.9]


def test_what_is_computed_says_of_what_it_is(kept):
    said = about(kept.path)
    assert said["said"] == kept.said and len(said["weights"]) == 16
    assert type(said["seconds"]) is int and said["seconds"] < 600, "whole ones, of a tiny model"
    assert {"torch", "transformers", "svdicl-lite"} <= said["versions"].keys()


def test_a_check_computes_some_of_it_again(kept):
    found = spot_check(kept, n_cells=3, seed=1)
    assert len(found) == 3 and found["largest"].max() < 1e-4


def test_a_check_refuses_a_score_that_is_another(copied, monkeypatch):
    plain = computed.plain_scores
    monkeypatch.setattr(computed, "plain_scores", lambda *args: plain(*args) + 0.002)
    with pytest.raises(ValueError, match=r"small: a score computed again differs by 0.002"):
        spot_check(copied, seed=0)


def test_a_check_refuses_other_weights(copied, tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / "other")
    file = tmp_path / "other/model.safetensors"
    weights = load_file(file)
    name = next(name for name in weights if "mlp" in name and weights[name].ndim == 2)
    weights[name] = weights[name] + torch.full_like(weights[name], 1e-3)
    save_file(weights, file, metadata={"format": "pt"})
    other = Kept(copied.path, {**copied.said, "model": str(tmp_path / "other")}, copied.runs)
    with pytest.raises(ValueError, match="was computed with other weights"):
        spot_check(other, seed=0)


def test_a_change_of_the_cells_is_stale_and_a_change_of_the_words_is_not(copied, tiny):
    assert stale(copied) == ""
    words = written(copied.path.parent, tiny, TOML.replace("By eye.", "By a test."))
    assert stale(Kept.read(words)) == ""
    cells = written(copied.path.parent, tiny, TOML.replace("0.9]", "0.75]"))
    assert stale(Kept.read(cells)) == "its toml says something else than its outcomes"
    copied.outcomes.unlink()
    assert stale(copied) == "not computed"


def test_what_was_finished_before_a_break_is_not_computed_again(tiny, tmp_path, monkeypatch):
    kept = Kept.read(written(tmp_path, tiny))
    seen = []

    def broken_off(text):
        seen.append(text)
        if len(seen) == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute(kept, tmp_path / "journal", say=broken_off)
    assert not kept.outcomes.exists()
    judged = []
    by_itself = computed.judged
    monkeypatch.setattr(
        computed, "judged", lambda e, cells, journal: by_itself(e, note(cells, journal, e), journal)
    )

    def note(cells, journal, evaluator):
        from svdicl_lite.search.cells import cell_key

        judged.extend(c for c in cells if journal.get(cell_key(evaluator, c)) is None)
        return cells

    compute(kept, tmp_path / "journal", say=lambda text: None)
    assert len(judged) == 14 - 7 and len(outcomes(kept.path)) == 14


@pytest.mark.parametrize(
    "change, sentence",
    [
        (('title = "A small one"', ""), "does not say 'title'"),
        (('hypothesis = "It can be computed."', ""), "does not say 'hypothesis'"),
        (("n = 12", ""), "does not say 'n' of a run"),
        (("n_shots = 2", "shots = 2"), "says 'shots', but a run may say"),
        (("n = 12", "n = = 12"), "is not TOML"),
        (('task = "topic"\nsplit = "test"', 'task = "sentiment"\nlabels = "flipped"'), "two runs"),
        (("layers = [1, 2]", ""), "says clip_rates without the layers"),
    ],
)
def test_a_toml_that_says_too_little_or_too_much_is_named(tmp_path, tiny, change, sentence):
    assert change[0] in TOML
    with pytest.raises(ValueError, match=sentence):
        Kept.read(written(tmp_path, tiny, TOML.replace(*change)))


def test_outcomes_that_are_not_there_or_damaged_say_how_to_get_them(tmp_path, tiny):
    path = written(tmp_path, tiny)
    with pytest.raises(FileNotFoundError, match="make experiments"):
        outcomes(path)
    path.with_suffix(".parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(ValueError, match="holds no outcomes of an experiment"):
        outcomes(path)
    with pytest.raises(FileNotFoundError, match="there is no experiment"):
        Kept.read(tmp_path / "none.toml")


def test_a_column_that_does_not_exist_is_named(kept):
    with pytest.raises(ValueError, match="there is no column 'depth'"):
        outcomes(kept.path, depth=3)


def test_the_command_computes_what_is_missing_and_checks_what_is_there(tiny, tmp_path):
    path = written(tmp_path, tiny)
    command = ["experiment", str(path), "--journals", str(tmp_path / "journals")]
    result = CliRunner().invoke(app, [*command, "--check", "1"])
    assert result.exit_code == 1 and "make experiments" in result.output
    assert CliRunner().invoke(app, command).exit_code == 0
    result = CliRunner().invoke(app, [*command, "--check", "2", "--seed", "3", "--json"])
    (found,) = json.loads(result.stdout)["experiments"]
    assert found["status"] == "2 cells again" and found["largest"] < 1e-4


def test_cells_can_be_named_one_by_one(tmp_path, tiny):
    text = TOML.replace("layers = [1, 2]\nclip_rates = [0, 0.5, 0.9]\n", "").replace(
        'modules = ["mlp"]', 'cells = [[2, "attn", 0.5], [1, "mlp", 0.9, "scale"]]'
    )
    run = Kept.read(written(tmp_path, tiny, text)).runs[0]
    assert run.cells[1:] == (Cell(2, "attn", 0.5), Cell(1, "mlp", 0.9, method="scale"))


@pytest.mark.parametrize(
    "cell", ["[1, 2]", '"last"', '[1, "mlp", "half"]', '[1, "mlp", 0.5, "svd", 3]']
)
def test_a_cell_that_is_none_is_refused(tmp_path, tiny, cell):
    text = TOML.replace("layers = [1, 2]\nclip_rates = [0, 0.5, 0.9]\n", f"cells = [{cell}]\n")
    with pytest.raises(ValueError, match=r"small.toml names the cell .* but a cell is \[layer"):
        Kept.read(written(tmp_path, tiny, text))
