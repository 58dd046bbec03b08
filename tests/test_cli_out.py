"""What a command writes: JSON, tables, models, and what becomes of it when nobody can read it."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import command_line
import numpy as np
import pandas as pd
import pytest
import torch
from command_line import SMALL, answer, damaged, refused, run
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from svdicl_lite.cli.report import Report
from svdicl_lite.clipping.clip import clip_
from svdicl_lite.clipping.factored import load_factored
from svdicl_lite.models.loading import load_model

# Fixtures: pytest looks for their names here.
small = command_line.small


def test_out_holds_the_json_and_every_example(tiny, small, tmp_path):
    found = answer(
        "search", "--model", tiny, *SMALL, "--layer", 1, "--out", tmp_path / "new" / "out"
    )
    assert json.loads((tmp_path / "new" / "out" / "result.json").read_text()) == found
    examples = pd.read_csv(tmp_path / "new" / "out" / "outcomes.csv")
    by_cell = examples.groupby(["judge", "clip_rate"])["correct"]
    for row in found["validation"]:
        assert by_cell.mean()["validation", row["clip_rate"]] == row["accuracy"]
    assert (
        by_cell.mean()["test", found["clip_rate"]] == found["test_after"]["accuracy"]
        and by_cell.size()["test", 0] == 24
    )
    unclipped = examples[(examples["judge"] == "test") & (examples["clip_rate"] == 0)]
    scores = unclipped[["score_0", "score_1"]].to_numpy(dtype=np.float32)
    np.testing.assert_allclose(scores, small.evaluator("test")().scores, rtol=0, atol=1e-4)
    assert (scores.argmax(1) == unclipped["prediction"]).all() and (
        (unclipped["prediction"] == unclipped["label"]) == unclipped["correct"]
    ).all()


@pytest.mark.parametrize(
    "command, parts",
    [
        (["condition"], ["condition_number", "fc_out", "would be chosen"]),
        (["sweep", *SMALL, "--layer", 0], ["ξ = 0.9", "mlp", "n = 20"]),
        (["search", *SMALL, "--layer", 0], ["← chosen", "McNemar p =", "optimism"]),
        (
            ["search", *SMALL, "--layer", 0, "--sets", 3],
            ["gain by set of demonstrations", "sign-flip p ="],
        ),
        (["greedy", *SMALL, "--layer", 0], ["clips tried", "McNemar p ="]),
    ],
)
def test_without_json_there_is_a_table_with_what_a_reader_needs(tiny, command, parts):
    result = run(command[0], "--model", tiny, *command[1:])
    assert result.exit_code == 0 and all(part in result.stdout for part in parts), result.stdout


def test_clip_writes_a_model_that_loads_with_its_tokenizer(tiny, tmp_path, fingerprint, tokenizer):
    found = answer(
        "clip",
        "--model",
        tiny,
        "--layer",
        1,
        "--module",
        "mlp",
        "--clip-rate",
        0.75,
        "--out",
        tmp_path / "clipped",
    )
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "clipped")
    assert (
        fingerprint(loaded)
        == fingerprint(clip_(load_model(tiny)[0], 1, "mlp", 0.75))
        != fingerprint(load_model(tiny)[0])
    )
    assert (
        AutoTokenizer.from_pretrained(tmp_path / "clipped")("text: a pos")["input_ids"]
        == tokenizer("text: a pos")["input_ids"]
    )
    assert [(row["matrix"], row["rank"]) for row in found["matrices"]] == [
        ("layer 1 fc_in", 8),
        ("layer 1 fc_out", 8),
    ]
    assert (
        found["parameters"] == found["parameters_before"]
        and found["load"]
        == f"transformers.AutoModelForCausalLM.from_pretrained('{tmp_path}/clipped')"
    )


def test_clip_factored_says_how_its_smaller_model_is_loaded(tiny, tmp_path):
    found = answer(
        "clip", "--model", tiny, "--layer", 1, "--clip-rate", 0.75, "--factored", "--out", tmp_path
    )  # empty is as good as new
    assert (
        found["load"] == f"svdicl_lite.clipping.factored.load_factored('{tmp_path}')"
        and len(found["factored"]) == 2
    )
    loaded, tokens = load_factored(tmp_path), torch.arange(40)[None]
    assert loaded.num_parameters() == found["parameters"] < found["parameters_before"]
    with torch.no_grad():  # 1e-4: rounding of logits near 10 in float32
        torch.testing.assert_close(
            loaded(tokens).logits,
            clip_(load_model(tiny)[0], 1, "mlp", 0.75)(tokens).logits,
            rtol=0,
            atol=1e-4,
        )


def test_clip_keeps_the_dtype_of_the_checkpoint(tiny, tokenizer, tmp_path):
    folder = damaged(tiny, tokenizer, tmp_path / "half", lambda model: model.bfloat16())
    answer(
        "clip", "--model", folder, "--layer", 0, "--clip-rate", 0.5, "--out", tmp_path / "clipped"
    )
    assert {
        p.dtype for p in AutoModelForCausalLM.from_pretrained(tmp_path / "clipped").parameters()
    } == {torch.bfloat16}


def test_clip_writes_over_nothing(tiny, tmp_path):
    (tmp_path / "mine").write_text("dear diary")
    for out in (tmp_path, tmp_path / "mine"):
        assert "is there already and not an empty folder" in refused(
            "clip", "--model", tiny, "--layer", 0, "--clip-rate", 0.5, "--out", out
        )
    assert [*tmp_path.iterdir()] == [tmp_path / "mine"] and (
        tmp_path / "mine"
    ).read_text() == "dear diary"


@pytest.fixture
def few(tmp_path):
    """The .toml of a task with 20 examples for each of validation and test."""
    words = {"train": "red blue", "validation": "green grey", "test": "white black"}
    for name, two in words.items():
        rows = [f"{i} {word},{i % 2}" for i in range(10) for word in two.split()]
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *rows]))
    (tmp_path / "few.toml").write_text(
        'template = "text: {text} sentiment: {label}"\ndata = {train = "train.csv", validation ='
        ' "validation.csv", test = "test.csv"}\n[label_words]\n0 = "neg"\n1 = "pos"\n'
    )
    return tmp_path / "few.toml"


def test_a_small_file_is_taken_whole_and_it_is_said_unless_a_number_was_asked_for(tiny, few):
    common = ["--model", tiny, "--task", few, "--shots", 2, "--layer", 0, "--clip-rates", "0,0.9"]
    found = answer("search", *common)
    assert [row["n"] for row in found["validation"]] == [20, 20]
    assert (found["test_before"]["n"], found["experiment"]["n_test"]) == (20, 20)
    said = run("search", *common).stdout
    for split in ("validation", "test"):
        assert f"{split} has 20 examples, and all of them are taken" in said
    said = run("search", *common, "--n-validation", 20, "--n-test", 14)
    assert said.exit_code == 0 and "all of them" not in said.stdout
    assert "n is 21, but must be between 12" in refused("search", *common, "--n-test", 21)
    assert "split; or take --sets 7 or fewer" in refused("search", *common, "--n-test", 7)
    assert "fewer than the 30 sets of demonstrations; take --sets 20 or fewer" in refused(
        "search", *common, "--sets", 30
    )
    said = run("greedy", *common, "--guard", few, "--n-test", 12)  # the guard has its own number
    assert said.exit_code == 0 and "validation has 20 examples" in said.stdout


def report(**columns):
    rows = [{"module": "mlp", "layer": 0, "ξ = 0.5": 0.9875, **columns}]
    return Report({"cells": ["ξ → …"]}, rows, "ξ → 0.5, −1 × 2 …", n_keys=2)


class Gone(io.StringIO):
    """A pipe that nobody reads any more."""

    def flush(self):
        raise BrokenPipeError(32, "Broken pipe")


def test_results_are_written_before_anybody_may_stop_reading(tmp_path, monkeypatch):
    for as_json in (True, False):
        monkeypatch.setattr(sys, "stdout", Gone())
        report().deliver("sweep", 1.0, as_json, tmp_path)
        assert json.loads((tmp_path / "result.json").read_text())["cells"] == ["ξ → …"]
        (tmp_path / "result.json").unlink()


def test_a_full_device_is_told_and_the_results_are_there(tmp_path, monkeypatch):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(OSError, match="No space left on device: 'standard output'"):
            report().deliver("sweep", 1.0, False, tmp_path)
    assert json.loads((tmp_path / "result.json").read_text())["cells"] == ["ξ → …"]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_what_a_terminal_has_no_letters_for_is_shown_in_others(tmp_path, monkeypatch, encoding):
    for as_json in (True, False):
        stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", stdout)
        report().deliver("sweep", 1.0, as_json, tmp_path)
        shown = stdout.buffer.getvalue().decode(encoding)
        if as_json:
            assert json.loads(shown)["cells"] == ["ξ → …"]
        elif encoding == "utf-8":
            assert "ξ = 0.5" in shown and "ξ → 0.5, −1 × 2 …" in shown
        else:
            assert "xi = 0.5" in shown and "xi -> 0.5, -1 x 2 ..." in shown
            lines = [line for line in shown.splitlines() if line[0] in "+|"]
            assert len({*map(len, lines)}) == 1 and len(lines) == 5  # a frame in ASCII, unbroken
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["cells"] == ["ξ → …"]


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one_and_the_table(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "result.json").write_text("old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path}/result.json'"):
        report().deliver("sweep", 1.0, False, tmp_path)
    assert [*tmp_path.iterdir()] == [tmp_path / "result.json"]
    assert (tmp_path / "result.json").read_text() == "old" and "0.9875" in capsys.readouterr().out


def test_a_closed_pipe_loses_nothing(tiny, tmp_path):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "svdicl_lite.cli", "condition", "--model", tiny, "--out", "o"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, cwd=tmp_path, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads((tmp_path / "o" / "result.json").read_text())["matrices"]) == 18


def test_a_model_that_does_not_fit_on_the_disk_leaves_nothing_that_blocks_another_try(
    tiny, tmp_path, monkeypatch
):
    command = ["clip", "--model", tiny, "--layer", 0, "--clip-rate", 0.5, "--out"]

    def full(self, folder, **kwargs):
        (Path(folder) / "model.safetensors").write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    (tmp_path / "empty").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr("transformers.PreTrainedModel.save_pretrained", full)
        for out in (tmp_path / "empty", tmp_path / "new"):
            said = refused(*command, out)
            assert f"'{out}' cannot be written" in said and "No space left on device" in said
    assert [*tmp_path.rglob("*")] == [tmp_path / "empty"]
    (tmp_path / "empty" / ".unfinished").mkdir()  # as a kill leaves it
    (tmp_path / "empty" / ".unfinished" / "model.safetensors").write_bytes(b"half")
    for out in (tmp_path / "empty", tmp_path / "new"):
        assert answer(*command, out)["out"] == str(out)
        assert not (out / ".unfinished").exists() and load_model(str(out))
