"""Folders of models as people have them: each is refused by its true reason, or loaded rightly."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from svdicl_lite.models.loading import load_model

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


@pytest.fixture(scope="module")
def sharded(tmp_path_factory, pristine_model, tokenizer):
    folder = tmp_path_factory.mktemp("models") / "shards"
    pristine_model.save_pretrained(folder, max_shard_size="100KB")
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def whole(tiny, tmp_path):
    return shutil.copytree(tiny, tmp_path / "whole")


@pytest.fixture
def shards(sharded, tmp_path):
    return shutil.copytree(sharded, tmp_path / "shards")


def said(file, **values):
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def weights(folder, change):
    file = folder / WEIGHTS
    save_file(change(load_file(file)), file, metadata={"format": "pt"})


def refused(folder, *parts):
    with pytest.raises(ValueError) as caught:
        load_model(folder)
    sentence = str(caught.value)
    assert "\n" not in sentence and all(part in sentence for part in parts), sentence


def test_shards_are_all_there_and_told_by_name_if_not(shards, fingerprint, pristine_model):
    assert fingerprint(load_model(shards)[0]) == fingerprint(pristine_model)
    second = sorted(shards.glob("model-*"))[1]
    second.write_bytes(b"")
    refused(shards, f"{second.name} is empty")
    second.unlink()
    refused(shards, f"names {second.name}, which is not in the folder")


@pytest.mark.parametrize(
    ("index", "why"),
    [
        ("{", "index.json is not JSON"),
        ("[]", "index.json is JSON, but no object"),
        ("{}", "does not say by weight_map"),
        ('{"weight_map": {"a": "../b.safetensors"}}', "names ../b.safetensors, which is not in"),
    ],
)
def test_an_index_that_is_none_is_told(shards, index, why):
    (shards / INDEX).write_text(index)
    refused(shards, why)


def test_two_copies_of_the_weights_are_refused(shards, whole):
    shutil.copy(whole / WEIGHTS, shards)
    refused(shards, "holds its weights twice, in model.safetensors and in the shards")


def test_a_config_with_other_layers_is_not_the_weights(whole):
    said(whole / "config.json", n_layer=2)
    refused(whole, "holds transformer.h.2.", "its config.json says that the model has 2 layers")
    said(whole / "config.json", n_layer=4)
    refused(whole, "lacks 12 weights, transformer.h.3.")
    for n in (0, -1):
        said(whole / "config.json", n_layer=n)
        refused(whole, f"says that the model has {n} layers")
    said(whole / "config.json", n_layer=3, n_positions=256)
    refused(whole, "has transformer.wpe.weight of 512 × 32", "describes one of 256 × 32")


def test_a_config_of_a_model_that_would_fill_the_memory_is_refused_before_it_does(whole):
    said(whole / "config.json", n_layer=10**9)
    refused(whole, "describes a gpt2 of 1,000,000,000 parameters or more, but the weights there")
    (whole / "config.json").write_text('{"model_type": "llama"}')  # 7 billion parameters
    refused(whole, "describes a llama of 6,", "take the config.json that belongs to them")


def test_a_head_that_the_config_wants_and_the_weights_lack_is_told(whole):
    said(whole / "config.json", tie_word_embeddings=False)
    refused(whole, "lacks 1 weights, lm_head.weight", "says tie_word_embeddings = false")


def test_what_the_model_has_no_place_for_is_told_or_refused(whole, tiny):
    weights(whole, lambda w: {**w, "v_head.weight": torch.zeros(1, 32)})
    with pytest.warns(UserWarning, match="1 weights that .* no place for, v_head.weight for one"):
        load_model(whole)
    shutil.copy(f"{tiny}/{WEIGHTS}", whole)
    lora = "transformer.h.0.attn.c_attn.lora_A.weight"
    weights(whole, lambda w: {**w, lora: torch.zeros(2, 32)})
    refused(whole, lora, "part of an adapter")
    shutil.copy(f"{tiny}/{WEIGHTS}", whole)
    weights(whole, lambda w: {f"module.{name}": value for name, value in w.items()})
    refused(whole, "lacks", "and holds module.transformer.", "no place for")


def test_codes_are_no_weights(whole):
    weights(whole, lambda w: {name: value.to(torch.int8) for name, value in w.items()})
    refused(whole, "as I8, codes in the place of weights")


def test_an_adapter_without_its_config_is_refused_too(whole):
    shutil.copy(whole / WEIGHTS, whole / "adapter_model.safetensors")
    refused(whole, "holds a PEFT adapter beside a model", "merge it into its base model")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        (WEIGHTS, "version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        ("tokenizer.json", "version https://git-lfs.github.com/spec/v1\n", "`git lfs pull`"),
        (WEIGHTS, "<!DOCTYPE html><html>", "is a web page, not the file itself"),
        (WEIGHTS, "", "model.safetensors is empty"),
        ("config.json", "[]", "config.json is JSON, but no object"),
        ("tokenizer_config.json", "{", "tokenizer_config.json is not JSON"),
    ],
)
def test_a_file_that_is_another_is_told_by_what_it_is(whole, name, content, why):
    (whole / name).write_text(content)
    refused(whole, why)


@pytest.mark.parametrize("name", ["tf_model.h5", "weights.safetensors", f"{WEIGHTS}.incomplete"])
def test_weights_of_another_name_are_named(whole, name):
    (whole / WEIGHTS).rename(whole / name)
    refused(whole, f"it has neither model.safetensors nor pytorch_model.bin; it has {name}")


def test_a_model_one_folder_further_down_is_named(whole, tmp_path):
    (tmp_path / "above").mkdir()
    whole.rename(tmp_path / "above/checkpoint-500")
    refused(tmp_path / "above", f"name {tmp_path / 'above/checkpoint-500'}, which has one")


def test_a_file_is_no_folder_and_an_endless_name_no_trace(whole):
    refused(whole / WEIGHTS, "is a file; name the folder that holds it")
    with pytest.raises(OSError, match="cannot load 'xxx.*…' .this is no folder, and no name"):
        load_model("x" * 5000)


def test_a_link_that_nobody_reads_may_point_nowhere(whole):
    (whole / "logo.png").symlink_to("nowhere")
    assert load_model(whole)


def test_where_a_tokenizer_was_cut_off_for_others_is_no_other_tokenizer(whole, tokenizer):
    file = str(whole / "tokenizer.json")
    cut = Tokenizer.from_file(file)
    cut.enable_truncation(3)
    cut.enable_padding(length=9)
    cut.save(file)
    text = "text: the coach was kind sentiment:"
    assert load_model(whole)[1](text)["input_ids"] == tokenizer(text)["input_ids"]
