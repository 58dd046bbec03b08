"""Kept losses of plain texts: computed, read again, gone on with, and checked."""

import json

import numpy as np
import pytest
import torch
from pyarrow import parquet
from typer.testing import CliRunner

from svdicl_lite.cli.commands import app
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.plain_text import PlainTexts
from svdicl_lite.search import committed_perplexity
from svdicl_lite.search.committed import Kept, outcomes, stale
from svdicl_lite.search.committed_perplexity import (
    PlainReading,
    check_perplexity,
    compute_perplexity,
    in_force,
    perplexities,
)
from svdicl_lite.search.price import perplexity, times_perplexity
from svdicl_lite.tasks.loading import load_task

TOML = """
title = "A small one"
hypothesis = "It costs."
analysis = "By eye."
model = "icl-gpt2-noisy"
kind = "perplexity"
tasks = ["sentiment", "topic"]
n = 12
max_tokens = 9
changes = [[[3, "mlp", 0.95]], [[1, "attn", 0.75], [2, "mlp", 0.9]]]
"""
quietly = {"say": lambda text: None}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Computed once."""
    path = tmp_path_factory.mktemp("kept") / "small.toml"
    path.write_text(TOML)
    kept = Kept.read(path)
    compute_perplexity(kept, path.parent / "journal", **quietly)
    return kept


@pytest.fixture(scope="module")
def noisy():
    return load_model("icl-gpt2-noisy")


def test_every_change_is_kept_with_the_loss_of_every_text(kept, noisy):
    model, tokenizer = noisy
    table, changes = perplexities(kept.path), ((), *PlainReading.of(kept).changes)
    assert table["task"].tolist() == ["sentiment"] * 3 + ["topic"] * 3 and stale(kept) == ""
    texts = load_task("topic").splits["test"].select(range(12))["text"]
    cut = [tokenizer(text, add_special_tokens=False)["input_ids"][:9] for text in texts]
    for clips, row in zip(changes, table.iloc[3:].itertuples()):
        assert row.clips == [[cell.layer, cell.module, cell.clip_rate] for cell in clips]
        with in_force(model, clips):
            expected = [plainly(model, ids) for ids in cut]
        np.testing.assert_allclose(row.losses, expected, atol=1e-4)
        assert row.n_predicted.tolist() == [len(ids) - 1 for ids in cut]
        whole = np.exp(sum(expected) / row.n_predicted.sum())
        assert row.perplexity == pytest.approx(whole, rel=1e-4)


@torch.inference_mode()
def plainly(model, ids):
    """−log p of all tokens but the first, one text, no cut corners."""
    p = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return -sum(p[i, token].item() for i, token in enumerate(ids[1:]))


def test_the_model_is_left_as_it_was(kept, noisy):
    model, tokenizer = noisy
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with in_force(model, PlainReading.of(kept).changes[1]):
        assert any(not value.equal(before[name]) for name, value in model.state_dict().items())
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())


def test_texts_of_any_lengths_are_read_as_if_alone(noisy):
    model, tokenizer = noisy
    words = load_task("topic").splits["test"]["text"]
    texts = ["", words[0], *(" ".join(words[i : 2 * i]) for i in (1, 2, 9)), words[3]]
    read = PlainTexts(tokenizer, texts, 120)
    alone = [read.one(model, i) if read.n_predicted[i] else 0.0 for i in range(len(texts))]
    np.testing.assert_allclose(read.losses(model), alone, atol=1e-3)
    whole = np.exp(read.losses(model).sum() / read.n_predicted.sum())
    assert perplexity(model, tokenizer, [t[:60] for t in texts]) != pytest.approx(whole)


def test_texts_too_long_for_a_batch_are_read_alone(noisy, monkeypatch):
    model, tokenizer = noisy
    texts = load_task("topic").splits["test"].select(range(5))["text"]
    together = PlainTexts(tokenizer, texts)
    monkeypatch.setattr("svdicl_lite.scoring.plain_text.POSITIONS_AT_ONCE", 4)
    one_by_one = PlainTexts(tokenizer, texts)
    assert [len(batch) for batch in one_by_one.batches] == [1] * 5 and len(together.batches) == 1
    np.testing.assert_allclose(one_by_one.losses(model), together.losses(model), atol=1e-4)


def test_what_was_finished_is_not_computed_again(kept, monkeypatch):
    before = parquet.read_table(kept.outcomes).to_pydict()
    monkeypatch.setattr(committed_perplexity.PlainTexts, "losses", None)
    monkeypatch.setattr(committed_perplexity.PlainTexts, "keep", None)
    compute_perplexity(kept, kept.path.parent / "journal", **quietly)
    assert parquet.read_table(kept.outcomes).to_pydict() == before


def test_a_check_reads_texts_again_under_the_change(kept):
    found = check_perplexity(kept, n_rows=3, seed=0)
    assert len(found) == 3 and found["largest"].max() < 1e-4


def test_a_check_finds_changes_that_were_not_in_force(kept, monkeypatch):
    monkeypatch.setattr(committed_perplexity, "in_force", lambda model, clips: in_force(model, ()))
    with pytest.raises(ValueError, match="small: a text's loss a token computed again differs by"):
        check_perplexity(kept, n_rows=3, seed=0)


def test_the_command_knows_the_kind(kept):
    result = CliRunner().invoke(app, ["experiment", str(kept.path), "--check", "1", "--json"])
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)["experiments"]
    assert found["status"] == "1 changes again" and found["largest"] < 1e-4
    with pytest.raises(ValueError, match="not outcomes; `perplexities` reads it"):
        outcomes(kept.path)


def test_the_interval_of_a_ratio_covers_it_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covers = []
    for _ in range(400):
        n = rng.integers(3, 30, size=60)
        change = n * rng.normal(0.1, 0.2, size=60)  # long texts say more
        _, low, high = times_perplexity(np.zeros(60), change, n)
        covers.append(low < np.exp(0.1) < high)
    assert 0.91 < np.mean(covers) < 0.98  # 0.95 ± three standard deviations, t for large n


@pytest.mark.parametrize(
    "change, to, sentence",
    [
        ("n = 12", "", "does not say 'n', needed for perplexity"),
        ("n = 12", "n = 12\nguard = 1", "says 'guard', but of perplexity it may say tasks"),
        ("[[3, ", "[[", "has other changes than lists of"),
        ("max_tokens = 9", "max_tokens = 0", "max_tokens = 0, but it must be a whole number, 1"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, to, sentence):
    path = tmp_path / "small.toml"
    path.write_text(TOML.replace(change, to))
    with pytest.raises(ValueError, match=sentence):
        PlainReading.of(Kept.read(path))


def test_texts_that_are_not_there_are_named(tmp_path, noisy):
    path = tmp_path / "small.toml"
    path.write_text(TOML.replace("n = 12", "n = 100000"))
    with pytest.raises(ValueError, match="100000 texts of task 'topic' are wanted, but its test"):
        PlainReading.of(Kept.read(path)).texts(noisy[1], "topic")
