"""Searches on labels dealt out by lot: what is kept of them, and what they may claim."""

import json
from collections import Counter

import numpy as np
import pytest
from test_committed import written
from typer.testing import CliRunner

from svdicl_lite import ICLEvaluator, load_model, load_task, search_clip_rate
from svdicl_lite.cli.commands import app
from svdicl_lite.search import committed_shuffled
from svdicl_lite.search.committed import Kept, about, outcomes, stale
from svdicl_lite.search.committed_shuffled import (
    Searches,
    check_searches,
    claims,
    compute_searches,
    dealt_out,
    judged_draw,
    searched,
    searches,
)
from svdicl_lite.search.committed_spectra import spectra
from svdicl_lite.stats import wilson_interval

TOML = """
title = "A small one"
hypothesis = "Nothing is read."
analysis = "By counting."
model = {model}
kind = "shuffled"
task = "sentiment"
searches = 4
labels_each = 2
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
    digest, found = judged_draw(model, tokenizer, Searches.of(kept), 1)
    result = searched(found, 0, 1)
    row = searches(kept.path).iloc[2]
    assert (row["draw"], row["choice"], row["prompts"]) == (1, 0, digest)
    assert row["clip_rate"] == result.clip_rate
    assert (row["gain"], row["p_value"]) == (result.test_gain, result.p_value)
    assert (row["reading_low"], row["reading_high"]) == result.reading_over_sets
    assert row["kind"] == result.kind and row["verdict"] in str(result)
    assert row["majority"] == pytest.approx(17 / 24)


def test_a_draw_is_judged_once_and_searched_as_algorithm_1_does(kept):
    model, tokenizer = load_model(kept.said["model"])
    wanted = Searches.of(kept)
    _, found = judged_draw(model, tokenizer, wanted, 0)
    by_lot = dealt_out(
        load_task("sentiment"), {"train": 1000, "validation": 20, "test": 24}, 0.7, 0
    )
    validation, test = (
        ICLEvaluator(model, tokenizer, by_lot, split, n, 2, range(4))
        for split, n in (("validation", 20), ("test", 24))
    )
    by_hand = search_clip_rate(model, validation, test, "mlp", 0, clip_rates=(0, 0.9))
    for split, evaluator in (("validation", validation), ("test", test)):
        before = next(iter(found[split].values()))
        np.testing.assert_allclose(before.scores, evaluator().scores, atol=1e-5)
        assert (before.labels == evaluator().labels).all()
    again = searched(found, 7, 0)
    labels = again.test_before.labels
    assert sorted(labels) == sorted(by_hand.test_before.labels)
    assert (labels != by_hand.test_before.labels).any()
    assert again.cells == by_hand.cells
    best = max(again.validation, key=lambda outcome: outcome.accuracy)
    assert again.validation_after.accuracy == best.accuracy


def test_each_draw_has_texts_of_its_own_and_each_search_labels(kept):
    table = searches(kept.path)
    assert table["draw"].tolist() == [0, 0, 1, 1] and table["choice"].tolist() == [0, 1, 0, 1]
    assert (table.groupby("draw")["prompts"].nunique() == 1).all()
    assert table["prompts"].nunique() == 2
    model, tokenizer = load_model(kept.said["model"])
    _, found = judged_draw(model, tokenizer, Searches.of(kept), 0)
    first, second = (searched(found, choice, 0).test_before.labels for choice in (0, 1))
    assert (first != second).any()
    assert len(about(kept.path)["weights"]) == 16 and stale(kept) == ""


def test_what_is_claimed_is_counted_with_its_interval(kept, monkeypatch):
    table = searches(kept.path)
    monkeypatch.setattr(
        committed_shuffled,
        "searches",
        lambda path: table.assign(
            kind=["both", "lean", "none", "none"],
            gain=[0.1, 0.1, -0.1, 0.0],
            gain_low=[0.01, -0.1, -0.2, -0.1],
            p_value=0.01,
            p_value_by_set=[0.01, 0.2, 0.01, 1.0],
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
    assert all(n == 4 and low < times / n < high for times, n, (low, high) in found.values())


def test_searches_behind_one_draw_count_for_less():
    draws = np.repeat(np.arange(20), 10)
    spread, together = np.arange(200) % 20 == 0, draws == 0  # ten claims each
    assert committed_shuffled._interval(spread, draws) == wilson_interval(10, 200)
    assert committed_shuffled._interval(together, draws).high > wilson_interval(10, 200).high
    assert committed_shuffled._interval(together, draws).low == 0


def test_a_check_makes_some_again_and_refuses_others(kept, monkeypatch):
    found = check_searches(kept, 2, seed=0)
    assert len(found) == 2 and found["largest"].max() == 0
    table = searches(kept.path)
    worse = [accuracies + 0.05 for accuracies in table["validation"]]
    for change, words in (
        ({"gain": table["gain"] + 0.02}, "a search made again differs by 0.02, more than 0.0101"),
        ({"validation": worse}, "a search made again differs by 0.05"),
        ({"prompts": "others"}, "with other prompts of draw"),
    ):
        other = table.assign(**change)
        monkeypatch.setattr(committed_shuffled, "searches", lambda path, other=other: other)
        with pytest.raises(ValueError, match=words):
            check_searches(kept, seed=0)


def test_a_tie_that_rounding_broke_the_other_way_is_no_other_search(kept):
    row = searches(kept.path).iloc[0]
    again = {**row, "clip_rate": 0.5, "gain": 0.3, "validation": row["validation"] + 0.01}
    assert committed_shuffled._largest(row, again) == pytest.approx(0.01, abs=1e-6)
    again["clip_rate"] = row["clip_rate"]
    assert committed_shuffled._largest(row, again) == pytest.approx(abs(0.3 - row["gain"]))


@pytest.mark.parametrize(
    "change, sentence",
    [
        (("n_sets = 4", "colour = 4"), "says 'colour', but of shuffled searches it may say task"),
        (("searches = 4", ""), "does not say 'searches', needed for shuffled"),
        (
            ("larger_class = 0.7", "larger_class = 1.5"),
            "larger_class = 1.5, but it must be a number be",
        ),
        (("searches = 4", "searches = 5"), "the first must be twice the second or more"),
        (("searches = 4", "searches = 2"), "the first must be twice the second or more"),
        (("n_sets = 4", "n_sets = 2"), "n_sets = 2, but intervals over sets take 4 or more"),
    ],
)
def test_a_toml_that_says_too_little_or_too_much_is_named(tmp_path, change, sentence):
    path = written(tmp_path, "icl-gpt2", TOML.replace(*change))
    with pytest.raises(ValueError, match=sentence):
        compute_searches(Kept.read(path))
    assert not path.with_suffix(".parquet").exists()


def test_one_kind_is_not_read_as_another(kept):
    with pytest.raises(ValueError, match="small holds searches, not outcomes; `searches` reads it"):
        outcomes(kept.path)
    with pytest.raises(ValueError, match="not spectra"):
        spectra(kept.path)
    with pytest.raises(ValueError, match="baselines.parquet holds no searches"):
        searches("baselines")


def test_the_command_computes_checks_and_says_what_is_claimed(tiny, tmp_path):
    path = written(tmp_path, tiny, TOML)
    result = CliRunner().invoke(app, ["experiment", str(path)])
    assert result.exit_code == 0
    assert "small: 4 searches on shuffled labels claim\n  a gain in reading in" in result.stdout
    command = ["experiment", str(path), "--check", "1", "--seed", "3", "--json"]
    (found,) = json.loads(CliRunner().invoke(app, command).stdout)["experiments"]
    assert found == {"experiment": "small", "status": "1 searches again", "largest": 0}


def test_where_there_is_nothing_to_read_reading_is_claimed_in_at_most_one_of_twenty():
    found = claims("shuffled")
    times, n, (_, high) = found["a gain in reading"]
    assert n >= 500 and times / n <= 0.05 and high < 0.05
    # and what it guards against is there: accuracy is called changed far oftener
    assert found["accuracy, by McNemar"][0] > 5 * times
    assert found["accuracy, by its interval over sets"][2].low > 0.05
    table = searches("shuffled")
    assert np.isfinite(table["gain_low"]).all() and (table["validation_gain"] >= 0).all()
    assert table["majority"].between(0.67, 0.69).all() and table["draw"].nunique() >= 20
