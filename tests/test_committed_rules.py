"""Kept scores of rules: asked, written, read again, checked, and judged on a table of clips."""

import shutil

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet
from test_rivals import TEST, VALIDATION, outcome, rule
from typer.testing import CliRunner

from svdicl_lite.cli.commands import app
from svdicl_lite.models.loading import load_model
from svdicl_lite.search.committed import Kept, about, outcomes, stale
from svdicl_lite.search.committed_rules import (
    Asking,
    asked_by,
    check_rules,
    compute_rules,
    rule_scores,
)
from svdicl_lite.search.cross_fitted import cross_fitted, of_sets
from svdicl_lite.search.rules.registry import rule_table

TOML = """
title = "A small one"
hypothesis = "Rules have scores."
analysis = "By eye."
model = "icl-gpt2-noisy"
kind = "rules"
tasks = ["sentiment"]
n = 24
seeds = [0, 1]
n_shots = 2
clip_rates = [0, 0.5, 0.9]
rules = ["last", "stable-rank", "gradient"]
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Computed once; a test that changes it copies the folder."""
    path = tmp_path_factory.mktemp("kept") / "small.toml"
    path.write_text(TOML)
    kept = Kept.read(path)
    compute_rules(kept, say=lambda text: None)
    return kept


def test_what_was_kept_is_what_the_rules_say(kept):
    model, tokenizer = load_model("icl-gpt2-noisy")
    prompts = Asking.of(kept).evaluator(model, tokenizer, "sentiment")
    table = rule_scores(kept.path)
    assert len(table) == 3 * 4 * 2 * 2 and stale(kept) == ""
    said = rule_table(model, "gradient", clip_rates=(0, 0.5, 0.9), validation=prompts)
    both = said.merge(table[table["rule"] == "gradient"], on=["layer", "module", "clip_rate"])
    assert len(both) == 16 and np.allclose(both["score_x"], both["score_y"], rtol=1e-3, atol=1e-6)
    assert set(table.loc[table["rule"] == "last", "task"]) == {"any"}
    assert set(table.loc[table["rule"] == "gradient", "task"]) == {"sentiment"}


def test_rules_read_back_know_their_layer_and_what_they_cost(kept):
    found = {one.rule: one for one in asked_by(kept.path, "sentiment", "mlp")}
    assert [*found] == ["last", "stable-rank", "gradient"]
    assert found["last"].layer == 3 and not found["last"].tells_rates
    assert found["gradient"].tells_rates and found["gradient"].forwards == 3 * 24
    with pytest.raises(ValueError, match="no rule's scores of mlp on 'topic'"):
        asked_by(kept.path, "topic", "mlp")


def test_a_check_asks_again_and_a_changed_score_is_seen(kept, tmp_path):
    assert check_rules(kept, n_layers=1, seed=0)["largest"].max() < 1e-3
    for suffix in (".toml", ".parquet"):
        shutil.copy(kept.path.with_suffix(suffix), tmp_path / f"small{suffix}")
    file = tmp_path / "small.parquet"
    table = parquet.read_table(file)
    scores = [np.asarray(row, dtype=np.float32) * 1.1 for row in table["scores"].to_pylist()]
    changed = table.set_column(
        table.schema.get_field_index("scores"), "scores", [[row.tolist() for row in scores]]
    )
    parquet.write_table(changed.replace_schema_metadata(table.schema.metadata), file)
    with pytest.raises(ValueError, match="a score found again differs by"):
        check_rules(Kept.read(tmp_path / "small.toml"), n_layers=4, seed=0)


def test_the_command_checks_it_and_other_readers_say_what_it_holds(kept):
    done = CliRunner().invoke(app, ["experiment", str(kept.path), "--check", "1", "--seed", "0"])
    assert done.exit_code == 0 and "2 layers again" in done.output
    with pytest.raises(ValueError, match="holds rule_scores, not outcomes"):
        outcomes(kept.path)
    assert "gradient" in [cost["rule"] for cost in about(kept.path)["costs"]]


@pytest.mark.parametrize(
    "line, said",
    [
        ('depth = "all"', "says 'depth', but of rules it may say tasks"),
        ("", "does not say 'n'"),
    ],
)
def test_what_nobody_understands_is_refused(tmp_path, line, said):
    path = tmp_path / "odd.toml"
    path.write_text(TOML + line if line else TOML.replace("n = 24\n", ""))
    with pytest.raises(ValueError, match=said):
        Asking.of(Kept.read(path))


# Judged on a table that was measured once.


def test_half_of_the_sets_is_half_of_the_examples_and_forwards_are_all():
    part = of_sets(VALIDATION, [0, 1])
    assert [one.n for one in part["evaluation"]] == [16] * 5
    assert part["forwards"].tolist() == VALIDATION["forwards"].tolist()
    with pytest.raises(ValueError, match="no example stands after one of the sets"):
        of_sets(VALIDATION, [7])


def test_each_half_judges_what_the_other_chose():
    """A clip that helps the first half of the sets alone is chosen there, and judged where it does
    not help; the other half chooses nothing.
    """
    table = TEST.copy()
    before = outcome(0)
    sets = before.demonstration_sets
    right = np.where(sets < 2, 0, 1)  # a table of which answers are wrong

    def wrong_in(first, second):
        wrong = np.where(sets < 2, first, second).astype(bool)
        says = np.where(wrong, 1 - before.labels, before.labels)
        scores = np.eye(2, dtype=np.float32)[says]
        return type(before)(scores, before.labels, sets)

    half = np.arange(len(sets)) % 4 < 2
    table["evaluation"] = pd.Series(
        [wrong_in(half, half), *(wrong_in(0, 1) for _ in range(4))], dtype=object
    )
    found = cross_fitted(table, [rule([0, 0, 0, 1], 1)], "mlp", "accuracy")
    choice = found["gradient"]
    assert choice.clip_rate is None and len(choice.parts[0]) == len(right)
    gain = choice.parts[0] + choice.parts[1]
    judged_second = choice.sets >= 2
    assert gain[~judged_second].sum() == 0  # chosen by the second half: no clip
    assert gain[judged_second].mean() == pytest.approx(-np.mean(~half[sets >= 2]))
    assert {"oracle", "random", "gradient, unsearched", "calibration"} <= found.keys()
