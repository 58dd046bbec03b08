"""What the command line refuses, in one sentence that says what to do instead."""

import pytest
import torch
from command_line import SMALL, answer, damaged, refused

from svdicl_lite.clipping.matrices import matrices


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
        (
            ["--journal", "/"],
            "'/' is a folder, where a file is wanted (Is a directory); name another",
        ),
        (["--journal", "/dev/full"], "the journal /dev/full is a device or a pipe; name a file"),
        (
            ["--out", "/dev/full"],
            "'/dev/full' is there already, and no folder (File exists); name another",
        ),
        (["--out", "/dev/full/out"], "'/dev/full/out' would lie in something that is no folder"),
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
