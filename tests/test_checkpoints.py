"""Checkpoints of other kinds: each is refused by its true reason, in one sentence, and no code out
of a folder runs.
"""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM

import svdicl_lite
from svdicl_lite.models import loading
from svdicl_lite.models.checks import PROBES
from svdicl_lite.models.loading import load_model

ROOT = Path(svdicl_lite.__file__).parent


@pytest.fixture(scope="module")
def saved(tmp_path_factory, pristine_model, tokenizer):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    pristine_model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A saved model to change."""
    return shutil.copytree(saved, tmp_path / "tiny")


def change(file: Path, **said):
    file.write_text(json.dumps({**json.loads(file.read_text()), **said}))


def refused(folder, match):
    with pytest.raises(ValueError, match=match) as caught:
        load_model(str(folder))
    assert "\n" not in str(caught.value)
    assert "damaged" not in str(caught.value) and "fetch or train" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"quant_method": "gptq", "bits": 4}, "GPTQ"),
        ({"quant_method": "awq", "bits": 4}, "AWQ"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes"),
        ({"quant_method": "fp8"}, "FP8"),
        ({"quant_method": "quip"}, "quip"),
        ({"bits": 2}, "an unnamed method"),
    ],
)
def test_quantised_checkpoints_are_refused_as_such(folder, said, name):
    change(folder / "config.json", quantization_config=said)
    refused(folder, f"is quantised by {name}.*load the checkpoint that it was made from")


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"model_type": "t5", "is_encoder_decoder": True}, "is a t5 with an encoder beside"),
        ({"model_type": "bart", "is_encoder_decoder": True}, "is a bart with an encoder beside"),
        ({"model_type": "bert"}, "is a bert, which does not continue texts"),
        ({"model_type": "vit"}, "is a vit, which does not continue texts"),
        ({"model_type": "gpt9"}, "'gpt9', that transformers .* does not know"),
    ],
)
def test_models_of_other_kinds_are_refused_as_such(folder, said, match):
    change(folder / "config.json", **said)
    refused(folder, match)


@pytest.mark.parametrize("beside", [True, False])
def test_an_adapter_is_refused_with_the_way_to_merge_it(folder, beside):
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/base"}')
    if not beside:
        (folder / "config.json").unlink()
        (folder / "model.safetensors").unlink()
    how = "beside a model" if beside else "alone"
    refused(folder, f"PEFT adapter {how}.*merge it into owner/base .*merge_and_unload")


def test_files_that_cannot_be_read_are_named(folder, monkeypatch):
    theirs = os.access
    monkeypatch.setattr(
        os, "access", lambda file, mode: Path(file).name != "config.json" and theirs(file, mode)
    )
    refused(folder, "config.json cannot be read by you; change its permissions or owner")


def test_links_that_point_nowhere_are_named(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to("../blobs/gone")
    refused(folder, "model.safetensors points to a file that is not there")


def test_a_tokenizer_larger_than_the_embedding_is_refused(folder, pristine_model):
    rows = pristine_model.get_input_embeddings().weight.shape[0]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens([f"extra{i}" for i in range(rows - tokenizer.get_vocab_size() + 3)])
    tokenizer.save(str(folder / "tokenizer.json"))
    refused(folder, f"tokens up to number {rows + 2:,}, but the model embeds {rows:,} only")


def test_a_tokenizer_that_transformers_would_replace_is_taken_from_its_file(folder):
    letters = {letter: i for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    vocab = {**letters, "Ġ7": len(letters), "<s>": len(letters) + 1}
    described = Tokenizer(models.BPE(vocab=vocab, merges=[("Ġ", "7")]))
    described.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    described.save(str(folder / "tokenizer.json"))
    # this class cuts as GPT-2's does, which leaves a space with the number behind it
    change(folder / "tokenizer_config.json", tokenizer_class="GPT2Tokenizer", bos_token="<s>")
    change(folder / "config.json", vocab_size=len(vocab) + 8)
    AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder)).save_pretrained(folder)
    with pytest.warns(UserWarning, match="would replace the tokenizer of .*the file's own is used"):
        _, tokenizer = load_model(str(folder))
    for text in (*PROBES, "a 7 b"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert ids == described.encode(text).ids
    assert vocab["Ġ7"] not in described.encode("a 7 b").ids


def test_a_folder_that_shadows_a_known_model_is_refused(folder, tmp_path, monkeypatch):
    shutil.copytree(folder, tmp_path / "icl-gpt2")
    shutil.copytree(folder, tmp_path / "smollm2-135m")
    monkeypatch.chdir(tmp_path)
    for name in ("icl-gpt2", "smollm2-135m"):
        refused(
            name, f"'{name}' is a model that svdicl_lite knows and a folder here; write ./{name}"
        )
    model, _ = load_model("./icl-gpt2")
    assert model.config.n_layer == json.loads((folder / "config.json").read_text())["n_layer"]


@pytest.mark.parametrize("where", ["config.json", "tokenizer_config.json"])
def test_code_out_of_a_folder_never_runs_and_nobody_is_asked(folder, tmp_path, where):
    mark = tmp_path / "it ran"
    (folder / "evil.py").write_text(
        f"open({str(mark)!r}, 'w').close()\n"
        "from transformers import PretrainedConfig, PreTrainedTokenizerFast\n"
        "class Config(PretrainedConfig):\n    model_type = 'evil'\n"
        "class Tokenizer(PreTrainedTokenizerFast):\n    pass\n"
    )
    if where == "config.json":
        code = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
        change(folder / where, model_type="evil", auto_map=code)
    else:
        code = {"AutoTokenizer": [None, "evil.Tokenizer"]}
        change(folder / where, tokenizer_class="EvilTokenizer", auto_map=code)
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(folder)], input="y\n" * 9, capture_output=True, text=True
    )
    assert not mark.exists()
    assert "[y/N]" not in done.stdout + done.stderr and done.stdout.count("\n") == 1
    assert "Python code out of its own folder" in done.stdout or done.stdout == "loaded\n"
    assert where == "tokenizer_config.json" or done.stdout != "loaded\n"


LOAD = """
import sys
from svdicl_lite import load_model
try:
    load_model(sys.argv[1])
    print("loaded")
except ValueError as error:
    print(error)
"""


def test_every_call_of_from_pretrained_forbids_code_out_of_the_checkpoint():
    calls = []
    for file in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "from_pretrained":
                said = {word.arg: word.value for word in node.keywords}
                trusted = said.get("trust_remote_code")
                calls.append(file.name)
                assert isinstance(trusted, ast.Constant) and trusted.value is False, (
                    f"{file.relative_to(ROOT)}:{node.lineno} must say trust_remote_code=False"
                )
    assert calls.count(Path(loading.__file__).name) >= 3
