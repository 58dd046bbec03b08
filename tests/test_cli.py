import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer
from typer.testing import CliRunner

from svdicl_lite.cli import commands
from svdicl_lite.cli.report import Report
from svdicl_lite.cli.tables import fitted, width_of
from svdicl_lite.clipping.clip import clip_
from svdicl_lite.clipping.controls import dropped
from svdicl_lite.clipping.factored import load_factored
from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.spectra import condition_table
from svdicl_lite.models.loading import load_model
from svdicl_lite.search.algorithm1 import search_clip_rate
from svdicl_lite.search.experiment import Experiment
from svdicl_lite.search.greedy import greedy_search
from svdicl_lite.search.rules.registry import select_layer
from svdicl_lite.search.without_rate import calibration, compare

COMMANDS = ("condition", "sweep", "search", "greedy", "clip")
SMALL = [
    "--task",
    "sentiment",
    "--shots",
    "2",
    "--n-validation",
    "20",
    "--n-test",
    "24",
    "--clip-rates",
    "0,0.5,0.9",
    "--sets",
    "1",
]


def run(*arguments):
    return CliRunner().invoke(commands.app, list(map(str, arguments)))


def answer(*arguments):
    """The JSON of a command that succeeds, and that says nothing else on stdout."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def refused(*arguments):
    """The one sentence of a command that cannot be done."""
    result = run(*arguments)
    assert result.exit_code == 1 and result.stdout == "", result.output
    assert result.stderr.count("\n") == 1 and "Traceback" not in result.stderr, result.stderr
    return result.stderr


@pytest.fixture
def small(tiny):
    return Experiment(tiny, "sentiment", n_shots=2, n_validation=20, n_test=24)


def damaged(tiny, tokenizer, folder, change):
    """The folder of a model to which `change` has been done."""
    model, _ = load_model(tiny)
    change(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_condition_says_what_the_library_says(tiny):
    found, model = answer("condition", "--model", tiny, "--module", "mlp"), load_model(tiny)[0]
    assert found["matrices"] == condition_table(model, "mlp").to_dict("records")
    assert found["chosen_layer"] == select_layer(model, "mlp") and found["note"].startswith(
        f"layer {found['chosen_layer']} would be chosen"
    )
    assert (
        answer("condition", "--model", tiny, "--top-k", 3, "--reduction", "mean")["chosen_layer"]
        == 2
    )


def test_search_says_what_the_library_says_to_the_last_digit(tiny, small):
    found = answer("search", "--model", tiny, *SMALL, "--module", "attn", "--seed", 1, "--sets", 2)
    experiment = Experiment(tiny, "sentiment", n_shots=2, n_validation=20, n_test=24, seeds=(2, 3))
    validation, test = experiment.evaluator("validation"), experiment.evaluator("test")
    result = search_clip_rate(
        validation.model, validation, test, "attn", clip_rates=(0, 0.5, 0.9), seed=1
    )
    assert (found["layer"], found["module"], found["clip_rate"]) == (
        result.layer,
        "attn",
        result.clip_rate,
    )
    assert [row["accuracy"] for row in found["validation"]] == [
        outcome.accuracy for outcome in result.validation
    ]
    assert (found["test_gain"], found["p_value"], found["optimism"]) == (
        result.test_gain,
        result.p_value,
        result.optimism,
    )
    assert (
        found["test_gain_by_set"] == [*result.gain_by_set]
        and found["p_value_by_set"] == result.p_value_by_set
    )
    assert found["verdict"] == str(result) and found["experiment"]["seeds"] == [2, 3]
    assert (found["reading"], found["lean"], found["kind"]) == (
        result.reading,
        result.lean,
        result.kind,
    )
    assert found["reading_over_sets"] is None  # two sets are too few
    assert found["test_after"]["discrimination"] == result.test_after.discrimination


def test_search_chooses_by_what_it_is_told(tiny):
    told = ["search", "--model", tiny, *SMALL, "--layer", 1, "--choose-by", "discrimination"]
    found = answer(*told)
    best = max(found["validation"], key=lambda row: row["discrimination"])
    assert found["clip_rate"] == best["clip_rate"] and found["choose_by"] == "discrimination"
    assert "choose_by is 'f1', but must be one of accuracy" in refused(*told[:-1], "f1")
    assert "leave --choose-by out" in refused(*told, "--method", "calibration")


def test_the_same_command_twice_says_the_same(tiny):
    for command in (
        ["search", "--layer", "random", "--method", "random-subspace", "--seed", 3],
        ["greedy", "--module", "mlp"],
        ["sweep", "--layer", "1"],
    ):
        first, second = (answer(*command, "--model", tiny, *SMALL) for _ in range(2))
        assert first.pop("seconds") > 0 and second.pop("seconds") > 0 and first == second


def test_another_seed_draws_other_demonstrations_and_none_twice(tiny):
    seeds = [
        answer("sweep", "--model", tiny, *SMALL, "--layer", 0, "--seed", seed, "--sets", 3)[
            "experiment"
        ]["seeds"]
        for seed in (0, 1)
    ]
    assert seeds == [[0, 1, 2], [3, 4, 5]]


def test_sweep_lists_every_cell_and_shares_its_layers_out(tiny):
    found = answer("sweep", "--model", tiny, *SMALL)
    assert {(c["layer"], c["module"], c["clip_rate"]) for c in found["cells"]} == {
        (i, m, r) for i in range(3) for m in ("mlp", "attn") for r in (0, 0.5, 0.9)
    }
    assert all(
        cell["n"] == 20 and cell["low"] <= cell["accuracy"] <= cell["high"]
        for cell in found["cells"]
    )
    some = answer("sweep", "--model", tiny, *SMALL, "--module", "q", "--layer", 2, "--layer", 0)
    assert [(c["layer"], c["module"]) for c in some["cells"]] == [(0, "q")] * 3 + [(2, "q")] * 3


def test_greedy_says_what_the_library_says_and_minds_its_guard():
    # a model that gains by a clip of its last MLP (chapter 08), so that there is something to keep
    common = [
        "--model",
        "icl-gpt2-noisy",
        "--task",
        "sentiment",
        "--labels",
        "flipped",
        "--n-validation",
        40,
        "--n-test",
        40,
        "--shots",
        4,
        "--sets",
        1,
    ]
    found = answer(
        "greedy",
        *common,
        "--clip-rates",
        "0,0.95,0.99",
        "--layer",
        3,
        "--module",
        "mlp",
        "--guard",
        "topic:arbitrary",
        "--max-loss",
        0.9,
    )
    experiments = [
        Experiment("icl-gpt2-noisy", *which, n_shots=4, n_validation=40, n_test=40)
        for which in (("sentiment", "flipped"), ("topic", "arbitrary"))
    ]
    validation, test, guard = (
        experiments[i].evaluator(split)
        for i, split in ((0, "validation"), (0, "test"), (1, "validation"))
    )
    result = greedy_search(
        validation.model, validation, test, ("mlp",), (3,), (0, 0.95, 0.99), guard, 0.9
    )
    assert len(result.steps) == 1
    for said, step in zip(found["steps"], result.steps, strict=True):
        assert (said["layer"], said["module"], said["clip_rate"]) == (3, "mlp", step.cell.clip_rate)
        assert (said["validation"]["accuracy"], said["guard"]["accuracy"]) == (
            step.validation.accuracy,
            step.guard.accuracy,
        )
    assert (found["n_tried"], found["test_gain"], found["guard"], found["guard_labels"]) == (
        2,
        result.test_gain,
        "topic",
        "arbitrary",
    )


def test_a_journal_of_greedy_knows_its_guard(tiny, tmp_path):
    command = [
        "greedy",
        "--model",
        tiny,
        *SMALL,
        "--layer",
        2,
        "--module",
        "mlp",
        "--journal",
        tmp_path / "j",
    ]
    answer(*command, "--guard", "topic")
    assert "differs in 'guard'" in refused(
        *command, "--guard", "topic:flipped"
    ) and "differs in 'guard'" in refused(*command)


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


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--clip-rates", "0,1.5"], "clip_rate is 1.5, but must be a number in [0, 1]"),
        (["--clip-rates", "0.5"], "the first candidate rate must be 0"),
        (["--module", "ffn"], "module is 'ffn', but must be one of"),
        (
            ["--module", "gate", "--layer", "0"],
            "module is 'gate', but layer 0 of this GPT2LMHeadModel has no such matrix",
        ),
        (["--layer", "3"], "layer is 3, but this model has layers 0 to 2"),
        (["--layer", "-1"], "layer is -1, but this model has layers 0 to 2"),
        (["--task", "sst3"], "there is no task 'sst3'"),
        (["--labels", "upside-down"], "label_setting is 'upside-down'"),
        (["--method", "pruning"], "method is 'pruning', but must be one of svd"),
        (
            ["--expert", "2", "--layer", "0"],
            "expert is 2, but layer 0 of this GPT2LMHeadModel has no experts",
        ),
        (["--top-k", "9"], "top_k is 9, but must be between 1 and 3"),
        (["--reduction", "min"], "reduction is 'min'"),
        (["--n-test", "100000"], "n is 100000, but must be between 1 (one per seed) and 4000"),
        (["--sets", "0"], "sets is 0, but must be 1 or more"),
        (["--shots", "-1"], "n_shots is -1"),
        (["--shots", "400"], "tokens, but the model has 512 positions; use fewer shots"),
        (["--dtype", "float16"], "dtype is 'float16', which a CPU has no fast arithmetic for"),
        (["--device", "abacus"], "device is 'abacus', which cannot be used here"),
        (["--workers", "0"], "workers is '0', but must be a number of processes"),
        (["--workers", "dask://127.0.0.1:9"], "no scheduler answers at dask://127.0.0.1:9"),
        (["--journal", "/"], "Is a directory"),
        (["--journal", "/dev/full"], "the journal /dev/full is a device or a pipe; name a file"),
        (["--out", "/dev/full"], "File exists: '/dev/full'"),
        (["--out", "/dev/full/out"], "Not a directory: '/dev/full/out'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(tiny, arguments, message):
    assert message in refused("search", "--model", tiny, *SMALL, "--device", "cpu", *arguments)


def test_a_hub_that_cannot_be_reached_is_said_in_one_sentence(monkeypatch):
    import huggingface_hub

    def nobody(*args, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(huggingface_hub, "file_exists", nobody)
    assert "icl-gpt2-noisy" in refused("condition", "--model", "someone/some-model")


def test_a_checkpoint_that_is_damaged_is_said_in_one_sentence(tiny, tokenizer, tmp_path):
    folder = damaged(tiny, tokenizer, tmp_path / "m", lambda model: None)
    weights = tmp_path / "m" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert "damaged or incomplete" in refused("search", "--model", folder, *SMALL)


def test_nan_in_a_matrix_is_named_with_its_layer(tiny, tokenizer, tmp_path):
    folder = damaged(
        tiny,
        tokenizer,
        tmp_path / "m",
        lambda model: matrices(model, 1, "fc_out")[0].weight[0].fill_(torch.nan),
    )
    assert "cannot judge layer 1 fc_out" in refused("condition", "--model", folder)
    for command in (
        ["search", "--layer", 1, *SMALL],
        ["sweep", "--layer", 1, "--module", "mlp", *SMALL],
        ["clip", "--layer", 1, "--clip-rate", 0.5, "--out", tmp_path / "out"],
    ):
        assert "cannot clip layer 1 fc_out" in refused(command[0], "--model", folder, *command[1:])
    assert not (tmp_path / "out").exists()


def test_a_singular_matrix_is_shown_and_leaves_the_layer_to_you(tiny, tokenizer, tmp_path):
    folder = damaged(
        tiny,
        tokenizer,
        tmp_path / "m",
        lambda model: matrices(model, 1, "fc_out")[0].weight.zero_(),
    )
    found = answer("condition", "--model", folder, "--module", "mlp")
    assert (
        found["chosen_layer"] is None
        and found["matrices"][3]["condition_number"] is None
        and "layer 1 fc_out is singular" in found["note"]
    )
    assert "layer 1 fc_out is singular" in refused("search", "--model", folder, *SMALL)
    assert answer("search", "--model", folder, *SMALL, "--layer", 1)["layer"] == 1


def test_validation_and_test_that_overlap_are_refused(tiny, tmp_path):
    for name in ("train", "validation", "test"):
        words = "red blue" if name == "train" else "green grey"
        rows = [f"{i} {word},{i % 2}" for i in range(8) for word in words.split()]
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *rows]))
    (tmp_path / "mine.toml").write_text(
        'template = "text: {text} sentiment: {label}"\ndata = {train = "train.csv", validation ='
        ' "validation.csv", test = "test.csv"}\n[label_words]\n0 = "neg"\n1 = "pos"\n'
    )
    assert "stand in both validation and test" in refused(
        "search", "--model", tiny, "--task", tmp_path / "mine.toml", *SMALL[2:]
    )


def test_a_sweep_needs_no_test_rows(tiny, tmp_path):
    for name, words in (("train", "red blue"), ("validation", "green grey")):
        rows = [f"{i} {word},{i % 2}" for i in range(8) for word in words.split()]
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *rows]))
    (tmp_path / "mine.toml").write_text(
        'template = "text: {text} sentiment: {label}"\ndata = {train = "train.csv", validation ='
        ' "validation.csv"}\n[label_words]\n0 = "neg"\n1 = "pos"\n'
    )
    common = [
        "--model",
        tiny,
        "--task",
        tmp_path / "mine.toml",
        "--shots",
        2,
        "--n-validation",
        16,
        "--clip-rates",
        "0,0.9",
        "--layer",
        0,
    ]
    found = answer("sweep", *common, "--module", "mlp", "--journal", tmp_path / "j")
    assert [cell["n"] for cell in found["cells"]] == [16, 16]
    assert "task 'mine' has no test examples" in refused(
        "search", *common, "--journal", tmp_path / "j"
    )


def test_a_search_goes_on_from_a_sweep_whatever_its_test(tiny, tmp_path):
    common = ["--model", tiny, *SMALL, "--layer", 1, "--module", "mlp", "--journal", tmp_path / "j"]
    swept, lines = (
        answer("sweep", *common),
        lambda: len((tmp_path / "j").read_text().splitlines()) - 1,
    )
    assert lines() == 3
    found = answer("search", *common, "--n-test", 30)
    n_tested = len({0.0, found["clip_rate"]})
    assert [row["accuracy"] for row in found["validation"]] == [
        cell["accuracy"] for cell in swept["cells"]
    ] and lines() == 3 + n_tested
    assert (
        answer("search", *common, "--n-test", 24)["test_before"]["n"] == 24
        and lines() == 3 + 2 * n_tested
    )
    assert (
        answer("search", *common, "--n-test", 30) | {"seconds": 0} == found | {"seconds": 0}
        and lines() == 3 + 2 * n_tested
    )


def test_a_journal_of_another_search_is_refused(tiny, tmp_path):
    command = ["sweep", "--model", tiny, *SMALL, "--layer", 0, "--journal", tmp_path / "j"]
    first = answer(*command)
    assert "is of another search (it differs in 'n_shots')" in refused(*command, "--shots", 3)
    assert answer(*command)["cells"] == first["cells"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "--model", "m"],
        ["search", "--model", "m", "--task", "t", "--clip-rates", "0,half"],
        ["search", "--modle", "m"],
        ["search", "--model", "m", "--task", "t", "--layer", "lowest"],
        ["clip", "--model", "m"],
        ["find"],
    ],
)
def test_a_wrong_command_line_ends_with_2_and_says_why(arguments):
    result = run(*arguments)
    assert result.exit_code == 2 and result.stdout == "" and result.stderr


@pytest.mark.parametrize("command", ["condition", "sweep", "search", "greedy", "clip"])
def test_help_has_an_example_that_the_command_understands_and_the_keys_of_its_json(
    command, monkeypatch
):
    result = run(command, "--help")
    help = " ".join(result.stdout.split()).replace("- ", "-")
    assert result.exit_code == 0 and "JSON: " in help
    example = help.partition("Example: svdicl ")[2].split()
    asked = []
    for name in COMMANDS:
        monkeypatch.setattr(
            f"svdicl_lite.cli.{name}.run", lambda name, *args, **kwargs: asked.append(name)
        )
    assert run(*example).exit_code == 0 and asked == [command]


def test_every_key_of_the_json_is_in_the_help(tiny, tmp_path):
    commands = [
        ["condition"],
        ["sweep", *SMALL],
        ["search", *SMALL],
        ["greedy", *SMALL],
        ["clip", "--layer", 0, "--clip-rate", 0.5, "--out", tmp_path / "o"],
    ]
    for command, *arguments in commands:
        help = " ".join(run(command, "--help").stdout.split())
        said = set(
            help.partition("JSON: ")[2]
            .replace(",", " ")
            .replace(";", " ")
            .replace("(", " ")
            .replace(")", " ")
            .replace(".", " ")
            .replace(":", " ")
            .split()
        )
        if command == "greedy":
            help_of_search = " ".join(run("search", "--help").stdout.split())
            said |= set(
                help_of_search.partition("JSON: ")[2].replace(",", " ").replace(";", " ").split()
            )
        assert set(answer(command, "--model", tiny, *arguments)) - {"command", "version"} <= said, (
            command
        )


def test_the_commands_of_the_readme_are_understood(monkeypatch):
    lines = re.findall(r"^svdicl (.*)", (Path(__file__).parents[1] / "README.md").read_text(), re.M)
    asked = []
    for name in (*COMMANDS, "compare", "experiment", "doctor"):
        monkeypatch.setattr(
            f"svdicl_lite.cli.{name}.run", lambda name, *args, **kwargs: asked.append(name)
        )
    assert all(run(*shlex.split(line, comments=True)).exit_code == 0 for line in lines)
    kinds = ["condition", "search", "search", "sweep", "greedy", "compare", "clip"]
    assert asked == [*kinds, "experiment", "doctor"]


def test_help_comes_without_waiting_for_torch():
    code = (
        "import sys, svdicl_lite.cli.commands; sys.exit(any(name in sys.modules for name in"
        " ('torch', 'transformers', 'numpy', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_ctrl_c_prints_what_is_finished_and_keeps_it(tiny, tmp_path, monkeypatch):
    from svdicl_lite.search.journal import Journal

    add = Journal.add

    def interrupted(self, key, scores):
        if len(self.scores) == 4:
            raise KeyboardInterrupt
        add(self, key, scores)

    monkeypatch.setattr(Journal, "add", interrupted)
    for command in (
        ["sweep"],
        ["search", "--layer", 1, "--clip-rates", "0,0.1,0.5,0.75,0.9"],
        ["greedy", "--guard", "topic"],
    ):
        for journal in ([], ["--journal", tmp_path / command[0]]):
            result = run(command[0], "--model", tiny, *SMALL, *command[1:], *journal, "--json")
            found = json.loads(result.stdout)
            assert result.exit_code == 130 and found["interrupted"] and len(found["cells"]) == 4
            assert all(0 <= cell["accuracy"] <= 1 and cell["n"] == 20 for cell in found["cells"])
        assert len((tmp_path / command[0]).read_text().splitlines()) == 5
    result = run("sweep", "--model", tiny, *SMALL)
    assert (
        result.exit_code == 130
        and "broken off; 4 cells are finished" in result.stdout
        and "0.9" in result.stdout
    )


def test_what_another_command_left_in_the_journal_is_not_in_the_partial_table(
    tiny, tmp_path, monkeypatch
):
    common = ["--model", tiny, *SMALL, "--layer", 1, "--module", "mlp", "--journal", tmp_path / "j"]
    answer("search", *common)

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    for name in ("sweeps.sweep", "algorithm1.search_clip_rate"):
        monkeypatch.setattr(f"svdicl_lite.search.{name}", interrupted)
    for command, judges in (
        (["sweep"], {"validation"}),
        (["search"], {"validation", "test"}),
        (["search", "--n-test", 30], {"validation"}),
    ):
        result = run(command[0], *common, *command[1:], "--json")
        assert (
            result.exit_code == 130
            and {cell["judge"] for cell in json.loads(result.stdout)["cells"]} == judges
        )


def test_ctrl_c_where_there_is_nothing_to_show_ends_with_130_too(tiny, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("svdicl_lite.search.experiment.Experiment.evaluator", interrupted)
    result = run("sweep", "--model", tiny, *SMALL)
    assert (result.exit_code, result.stdout) == (130, "broken off; 0 cells are finished\n")
    monkeypatch.setattr("svdicl_lite.cli.report.partial", interrupted)  # a second one
    result = run("sweep", "--model", tiny, *SMALL)
    assert (result.exit_code, result.stdout, result.stderr) == (
        130,
        "",
        "svdicl sweep: broken off\n",
    )


def test_a_real_ctrl_c_ends_with_130_and_a_partial_table(tiny, tmp_path):
    command = [
        sys.executable,
        "-m",
        "svdicl_lite.cli",
        "sweep",
        "--model",
        tiny,
        "--task",
        "topic",
        "--n-validation",
        "2000",
        "--n-test",
        "1",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    heard = partial(
        signal.signal, signal.SIGINT, signal.SIG_DFL
    )  # whoever runs the tests in the background of a shell hands on that it is ignored
    run = subprocess.Popen(
        [*command, "--journal", tmp_path / "j"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=heard,
    )
    deadline = (
        time.monotonic() + 300
    )  # torch alone takes a minute to import where others take the processor
    while not (tmp_path / "j").exists() or (tmp_path / "j").read_bytes().count(b"\n") < 3:
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.001)
    run.send_signal(signal.SIGINT)
    stdout, stderr = run.communicate(timeout=300)
    n = len((tmp_path / "j").read_text().splitlines()) - 1
    assert run.returncode == 130 and "Traceback" not in stderr
    assert any(
        f"broken off; {finished} cells are finished" in stdout for finished in (n, n + 1)
    )  # it may fall between done and written


@pytest.mark.parametrize("method, layer", [("drop-block", 1), ("calibration", None)])
def test_controls_without_a_rate_say_what_the_library_says(tiny, small, method, layer):
    found = answer("search", "--model", tiny, *SMALL, "--method", method, "--layer", 1)
    validation, test = small.evaluator("validation"), small.evaluator("test")
    result = (
        calibration(validation, test)
        if layer is None
        else compare(validation, test, lambda: dropped(validation.model, layer))
    )
    assert (found["method"], found["layer"], found["clip_rate"], found["validation"]) == (
        method,
        layer,
        None,
        [],
    )
    assert found["test_after"]["accuracy"] == result.test_after.accuracy and found[
        "verdict"
    ] == str(result)
    assert f"method '{method}' is of a whole model" in refused(
        "search", "--model", tiny, *SMALL, "--method", method, "--expert", 0
    )


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), MemoryError("")],
)
def test_memory_that_is_not_there_is_said_in_one_sentence(tiny, monkeypatch, error):
    def greedy_eater(*args, **kwargs):
        raise error

    monkeypatch.setattr("svdicl_lite.search.algorithm1.search_clip_rate", greedy_eater)
    assert "out of memory" in refused("search", "--model", tiny, *SMALL)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--guard", "topic", "--max-loss", "nan"], "--max-loss is nan, but must be a loss"),
        (["--guard", "topic", "--max-loss", "-1"], "--max-loss is -1, but must be a loss"),
        (["--guard", "topic", "--max-loss", "2"], "--max-loss is 2, but must be a loss"),
        (["--max-loss", "0.1"], "--max-loss is 0.1, but there is no guard that could lose it"),
    ],
)
def test_a_loss_that_is_none_is_refused(tiny, arguments, message):
    assert message in refused("greedy", "--model", tiny, *SMALL, "--layer", 0, *arguments)


@pytest.mark.parametrize("name", ["result.json", "outcomes.csv"])
def test_a_journal_where_out_would_write_is_refused(tiny, tmp_path, name):
    (tmp_path / "link").symlink_to(tmp_path)
    for folder in (tmp_path, tmp_path / "link"):
        message = refused(
            "sweep", "--model", tiny, *SMALL, "--out", tmp_path, "--journal", folder / name
        )
        assert f"where --out would write its {name}; name another file" in message
    assert [*tmp_path.iterdir()] == [tmp_path / "link"]


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
    said = run("search", *common, "--n-validation", 20, "--n-test", 10)
    assert said.exit_code == 0 and "all of them" not in said.stdout
    assert "n is 21, but must be between 8" in refused("search", *common, "--n-test", 21)
    assert "fewer than the 30 sets of demonstrations; take --sets 20 or fewer" in refused(
        "search", *common, "--sets", 30
    )
    said = run("greedy", *common, "--guard", few, "--n-test", 8)  # the guard has its own number
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


RATES = "0 0.1 0.5 0.75 0.9 0.95 0.99 0.995".split()


def swept(n_layers, n_modules):
    return [
        {
            "module": module,
            "layer": str(layer),
            **{f"ξ = {rate}": f"0.{layer + 10}{i}7" for i, rate in enumerate(RATES)},
        }
        for module in ("mlp", "attn")[:n_modules]
        for layer in range(n_layers)
    ]


@pytest.mark.parametrize("width", [200, 80, 60, 40, 30])
@pytest.mark.parametrize("n_layers, n_modules", [(4, 2), (4, 1), (30, 2)])
def test_a_sweep_fits_whatever_the_width_with_every_digit(width, n_layers, n_modules):
    rows = swept(n_layers, n_modules)
    parts = fitted(rows, width, 2)
    assert all(width_of(part) <= width for part in parts)
    shown = sorted(cell for part in parts for row in part for cell in row.values())
    for cell in (cell for row in rows for cell in list(row.values())[2:]):
        assert cell in shown
    assert width != 200 or parts == [rows]


def test_a_table_is_turned_round_where_that_fits():
    rows = swept(4, 1)
    (part,) = fitted(rows, 60, 2)
    assert list(part[0]) == ["module layer", *(f"mlp {layer}" for layer in range(4))]
    assert [row["mlp 2"] for row in part] == list(rows[2].values())[2:]


def test_ends_of_intervals_go_before_digits():
    rows = [
        {"ξ": rate, "validation accuracy": "0.512 [0.410, 0.613]", "n": "200", "": ""}
        for rate in RATES
    ]
    assert fitted(rows, 41) == [rows]
    (part,) = fitted(rows, 40)
    assert part == [row | {"validation accuracy": "0.512"} for row in rows]


def test_on_a_narrow_terminal_nothing_of_a_sweep_is_cut(tiny, monkeypatch):
    command = ["sweep", "--model", tiny, *SMALL, "--clip-rates", ",".join(RATES)]
    wanted = Counter(f"{cell['accuracy']:.4g}" for cell in answer(*command)["cells"])
    monkeypatch.setenv("FORCE_COLOR", "1")  # as good as a terminal
    for width in (80, 40):
        monkeypatch.setenv("COLUMNS", str(width))
        shown = re.sub(r"\x1b\[[0-9;]*m", "", run(*command).stdout)
        table = [line for line in shown.splitlines() if line and line[0] in "┏┃┡│└"]
        assert max(map(len, table)) <= width
        cells = Counter(cell.strip() for line in table for cell in line.split("│"))
        assert wanted <= cells and wanted.total() == 48
