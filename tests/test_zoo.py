import json
import shutil
import socket
import time

import huggingface_hub.constants
import pytest
import torch
from huggingface_hub.errors import GatedRepoError
from safetensors.torch import load_file, save_file
from transformers.utils import logging

from svdicl_lite.models import loading
from svdicl_lite.models.loading import load_model, model_card, shipped_models


@pytest.fixture(scope="module")
def saved(tmp_path_factory, pristine_model, tokenizer):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    pristine_model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A saved model to damage."""
    return shutil.copytree(saved, tmp_path / "tiny")


@pytest.fixture
def shipped(saved, tmp_path, monkeypatch):
    """Two shipped models."""
    for name in ("one-gpt2", "two-gpt2"):
        shutil.copytree(saved, tmp_path / "checkpoints" / name)
        (tmp_path / "checkpoints" / name / "card.json").write_text(json.dumps({"name": name}))
    (tmp_path / "checkpoints" / "unfinished").mkdir()
    monkeypatch.setattr(loading, "CHECKPOINTS", tmp_path / "checkpoints")
    return tmp_path / "checkpoints"


@pytest.fixture
def no_network(tmp_path, monkeypatch):
    """No name resolves, no connection opens, nothing was fetched before; and whoever waits to try
    again fails the test.
    """
    naps = []

    def unreachable(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    monkeypatch.setattr(socket.socket, "connect", unreachable)
    monkeypatch.setattr(time, "sleep", naps.append)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    yield
    assert naps == []


def test_what_is_saved_is_loaded_bit_for_bit_and_ready_to_judge(
    saved, pristine_model, tokenizer, fingerprint
):
    model, loaded_tokenizer = load_model(str(saved))
    assert fingerprint(model) == fingerprint(pristine_model) and not model.training
    assert model.device.type == "cpu" and {p.dtype for p in model.parameters()} == {torch.float32}
    text = "text: the coach was kind sentiment: pos\n"
    assert loaded_tokenizer(text)["input_ids"] == tokenizer(text)["input_ids"]


def test_shipped_models_are_known_by_name_and_need_no_network(
    shipped, pristine_model, fingerprint, no_network
):
    assert shipped_models() == ["one-gpt2", "two-gpt2"]
    model, _ = load_model("one-gpt2")
    assert fingerprint(model) == fingerprint(pristine_model)
    assert model_card("two-gpt2") == {"name": "two-gpt2"}


def test_a_model_that_was_not_shipped_has_no_card(shipped):
    with pytest.raises(
        ValueError, match="there is no shipped model 'gpt2'; there are one-gpt2, two-gpt2"
    ):
        model_card("gpt2")


@pytest.mark.parametrize("name", ["openai-community/gpt2", "gpt2", "one-gtp2"])
def test_a_hub_name_without_network_is_refused_at_once_and_the_shipped_models_named(
    shipped, no_network, name
):
    with pytest.raises(
        OSError,
        match=f"cannot load '{name}' .*cannot be reached.*need no network: one-gpt2, two-gpt2",
    ):
        load_model(name)


def test_a_model_that_was_fetched_before_needs_no_network(
    saved, tmp_path, pristine_model, fingerprint, no_network
):
    cached = tmp_path / "cache" / "models--someone--tiny"
    shutil.copytree(saved, cached / "snapshots" / "abc")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    model, _ = load_model("someone/tiny")
    assert fingerprint(model) == fingerprint(pristine_model)


def test_a_path_that_is_no_folder_is_refused_and_the_shipped_models_named(shipped, no_network):
    with pytest.raises(
        OSError,
        match="cannot load 'no/such/folder' .*no folder.*need no network: one-gpt2, two-gpt2",
    ):
        load_model("no/such/folder")


def test_a_model_that_the_hub_does_not_have_is_refused_and_the_shipped_models_named(
    shipped, monkeypatch
):
    monkeypatch.setattr(huggingface_hub, "file_exists", lambda *_, **__: False)
    with pytest.raises(
        OSError,
        match="cannot load 'nobody/nothing' .*no such model.*need no network: one-gpt2, two-gpt2",
    ):
        load_model("nobody/nothing")


def test_a_model_behind_a_licence_names_the_licence_as_the_way_out(shipped, monkeypatch):
    def gated(*_, **__):
        raise GatedRepoError.__new__(
            GatedRepoError, "401 Client Error"
        )  # without a response, which nobody reads here

    monkeypatch.setattr(huggingface_hub, "file_exists", gated)
    with pytest.raises(
        OSError,
        match=(
            "cannot load 'owner/gated' .its owners ask for a licence: accept it on the model's page"
        ),
    ):
        load_model("owner/gated")


def test_a_truncated_checkpoint_is_called_damaged(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with pytest.raises(
        ValueError,
        match=r"the checkpoint in .*tiny is damaged or incomplete \(.+\); fetch or train it again",
    ):
        load_model(str(folder))


@pytest.mark.parametrize(
    "damage",
    [b"", b"<html>502 Bad Gateway</html>", b"version https://git-lfs.github.com/spec/v1\nsize 3\n"],
)
def test_a_checkpoint_that_is_something_else_is_called_damaged(folder, damage):
    (folder / "model.safetensors").write_bytes(damage)
    with pytest.raises(ValueError, match="the checkpoint in .*tiny is damaged or incomplete"):
        load_model(str(folder))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_checkpoint_without_one_of_its_files_is_called_incomplete(folder, name):
    (folder / name).unlink()
    with pytest.raises(ValueError, match="the checkpoint in .*tiny is damaged or incomplete"):
        load_model(str(folder))


def test_a_checkpoint_without_a_tokenizer_is_called_incomplete(folder):
    for file in folder.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ValueError, match="the checkpoint in .*tiny is .*incomplete"):
        load_model(str(folder))


def test_a_broken_config_is_called_damaged(folder):
    (folder / "config.json").write_text('{"model_type": "gpt2", ')
    with pytest.raises(ValueError, match="the checkpoint in .*tiny is damaged or incomplete"):
        load_model(str(folder))


def test_missing_weights_are_named(folder):
    weights = load_file(folder / "model.safetensors")
    for name in ("transformer.h.1.mlp.c_fc.weight", "transformer.h.1.mlp.c_fc.bias"):
        del weights[name]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        ValueError,
        match=(
            r"the checkpoint in .*tiny lacks 2 weights, transformer\.h\.1\.mlp\.c_fc\.bias for one"
        ),
    ):
        load_model(str(folder))


def test_weights_of_another_shape_are_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_inner": 64}))
    with pytest.raises(
        ValueError, match=r"has transformer\.h\.0.* of 128, but its config.json describes one of 64"
    ):
        load_model(str(folder))


@pytest.mark.parametrize("shown", [True, False])
def test_loading_leaves_progress_bars_as_they_were_also_after_an_error(
    saved, tmp_path, monkeypatch, shown
):
    before = logging.is_progress_bar_enabled()
    try:
        (logging.enable_progress_bar if shown else logging.disable_progress_bar)()
        load_model(str(saved))
        assert logging.is_progress_bar_enabled() == shown
        with pytest.raises(ValueError, match="damaged or incomplete"):
            load_model(str(tmp_path))
        assert logging.is_progress_bar_enabled() == shown
    finally:
        (logging.enable_progress_bar if before else logging.disable_progress_bar)()
