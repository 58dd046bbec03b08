"""Searches on labels dealt out by lot: what is kept of them, and what they may claim."""

import json
from collections import Counter

import pytest
from test_committed import written
from typer.testing import CliRunner

from svdicl_lite import load_model, load_task
from svdicl_lite.cli.commands import app
from svdicl_lite.search import committed_shuffled
from svdicl_lite.search.committed import Kept, about, outcomes, stale
from svdicl_lite.search.committed_shuffled import (
    Searches,
    check_searches,
    claims,
    compute_searches,
    dealt_out,
    searched,
    searches,
)
from svdicl_lite.search.committed_spectra import spectra

TOML = """
title = "A small one"
hypothesis = "Nothing is read."
analysis = "By counting."
model = {model}
kind = "shuffled"
task = "sentiment"
searches = 3
larger_class = 0.7
clip_rates = [0, 0.9]
n_validation = 20
n_test = 24
n_sets = 4
n_shots = 2
"""


@pytest.fixture(scope="module")
def kept(tiny, tmp_path_factory):
    kept = Kept.read(written(tmp_path_factory.mktemp("kept"), tiny, TOML))
    compute_searches(kept, say=lambda text: None)
    return kept


def test_labels_are_dealt_out_by_lot_and_texts_with_them():
    task = load_task("topic")
    sizes = {"train": 60, "validation": 30, "test": 40}
    by_lot = dealt_out(task, sizes, 0.5, seed=3)
    assert {split: len(rows) for split, rows in by_lot.splits.items()} == sizes
    for split, size in sizes.items():
        rows = by_lot.splits[split]
        counts = Counter(rows["label"])
        others = [counts[label] for label in range(1, len(task.classes))]
        assert counts[0] == size // 2 and max(others) - min(others) <= 1
        assert rows.features == task.splits[split].features
        known = dict(zip(task.splits[split]["text"], task.splits[split]["label"]))
        assert len(set(rows["text"])) == size and set(rows["text"]) <= known.keys()
        # by lot: about one in five labels is still the right one, not all and not none
        right = sum(known[text] == label for text, label in zip(rows["text"], rows["label"]))
        assert 0 < right < size * 0.6
    again = dealt_out(task, sizes, 0.5, seed=3).splits["test"]
    assert again.to_dict() == by_lot.splits["test"].to_dict()
    assert again.to_dict() != dealt_out(task, sizes, 0.5, seed=4).splits["test"].to_dict()


def test_a_kept_search_is_what_searching_by_hand_finds(kept):
    model, tokenizer = load_model(kept.said["model"])
    digest, result = searched(model, tokenizer, Searches.of(kept), 2)
    row = searches(kept.path).iloc[2]
    assert (row["prompts"], row["layer"], row["clip_rate"]) == (
        digest,
        result.layer,
        result.clip_rate,
    )
    assert (row["gain"], row["p_value"]) == (result.test_gain, result.p_value)
    assert (row["reading_low"], row["reading_high"]) == result.reading_over_sets
    assert row["kind"] == result.kind and row["verdict"] in str(result)
    assert row["majority"] == pytest.approx(17 / 24)


def test_each_search_has_texts_and_labels_of_its_own(kept):
    assert len(set(searches(kept.path)["prompts"])) == 3
    assert len(about(kept.path)["weights"]) == 16 and stale(kept) == ""


def test_what_is_claimed_is_counted_with_its_interval(kept, monkeypatch):
    table = searches(kept.path)
    monkeypatch.setattr(
        committed_shuffled,
        "searches",
        lambda path: table.assign(
            kind=["both", "lean", "none"],
            gain=[0.1, 0.1, -0.1],
            gain_low=[0.01, -0.1, -0.2],
            p_value=0.01,
            p_value_by_set=[0.01, 0.2, 0.01],
        ),
    )
    found = claims(kept.path)
    assert {claim: times for claim, (times, _, _) in found.items()} == {
        "a gain in reading": 1,
        "a gain by lean": 1,
        "accuracy, by its interval over sets": 1,
        "accuracy, by sign flips": 1,
        "accuracy, by McNemar": 2,
    }
    assert all(n == 3 and low < times / n < high for times, n, (low, high) in found.values())


def test_a_check_makes_some_again_and_refuses_others(kept, monkeypatch):
    found = check_searches(kept, 2, seed=0)
    assert len(found) == 2 and found["largest"].max() == 0
    table = searches(kept.path)
    worse = [accuracies + 0.05 for accuracies in table["validation"]]
    for change, words in (
        ({"gain": table["gain"] + 0.02}, "a search made again differs by 0.02, more than 0.0101"),
        ({"validation": worse}, "a search made again differs by 0.05"),
        ({"prompts": "others"}, "with other prompts of search"),
    ):
        other = table.assign(**change)
        monkeypatch.setattr(committed_shuffled, "searches", lambda path, other=other: other)
        with pytest.raises(ValueError, match=words):
            check_searches(kept, seed=0)


def test_a_tie_that_rounding_broke_the_other_way_is_no_other_search(kept):
    row = searches(kept.path).iloc[0]
    again = {**row, "clip_rate": 0.5, "gain": 0.3, "validation": row["validation"] + 0.01}
    assert committed_shuffled._largest(row, again) == pytest.approx(0.01, abs=1e-6)
    again["layer"] = row["layer"] + 1
    assert committed_shuffled._largest(row, again) == pytest.approx(0.01, abs=1e-6)


@pytest.mark.parametrize(
    "change, sentence",
    [
        (("n_sets = 4", "colour = 4"), "says 'colour', but shuffled searches may say task, searc"),
        (("searches = 3", ""), "does not say 'searches' of its searches"),
        (
            ("larger_class = 0.7", "larger_class = 1.5"),
            "larger_class = 1.5, but it must be a number be",
        ),
        (("n_sets = 4", "n_sets = 2"), "n_sets = 2, but intervals over sets take 4 or more"),
    ],
)
def test_a_toml_that_says_too_little_or_too_much_is_named(tmp_path, change, sentence):
    kept = Kept.read(written(tmp_path, "icl-gpt2", TOML.replace(*change)))
    with pytest.raises(ValueError, match=sentence):
        compute_searches(kept)
    assert not kept.outcomes.exists()


def test_one_kind_is_not_read_as_another(kept):
    with pytest.raises(ValueError, match="small holds searches, not outcomes; `searches` reads it"):
        outcomes(kept.path)
    with pytest.raises(ValueError, match="not spectra"):
        spectra(kept.path)
    with pytest.raises(ValueError, match="baselines.parquet holds no searches"):
        searches("baselines")


def test_the_command_computes_checks_and_says_what_is_claimed(tiny, tmp_path):
    path = written(tmp_path, tiny, TOML.replace("searches = 3", "searches = 2"))
    result = CliRunner().invoke(app, ["experiment", str(path)])
    assert result.exit_code == 0
    assert "small: 2 searches on shuffled labels claim\n  a gain in reading in" in result.stdout
    command = ["experiment", str(path), "--check", "1", "--seed", "3", "--json"]
    (found,) = json.loads(CliRunner().invoke(app, command).stdout)["experiments"]
    assert found == {"experiment": "small", "status": "1 searches again", "largest": 0}
