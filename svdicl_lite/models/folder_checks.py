"""Why the files in a folder are no checkpoint that can be loaded, told by the file and the reason.

Taught in chapter 15.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from svdicl_lite.models.refused import Refused

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
INDEXES = tuple(f"{name}.index.json" for name in WEIGHTS)
SAID_IN_JSON = (
    "config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    *INDEXES,
)
READ = (".json", ".safetensors", ".bin", ".model", ".txt", ".gguf")
"""How the names of files end that are read; what else lies there may be as it likes."""
OTHER_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".onnx", ".incomplete")
NOT_ITSELF = {
    b"version https://git-lfs": "a Git LFS pointer, not the file itself; `git lfs pull` brings it",
    b"<!doctype html": "a web page, not the file itself; download it by its `resolve` address",
    b"<html": "a web page, not the file itself; download it by its `resolve` address",
}


def check_files(folder: Path) -> None:
    """Raises Refused for a folder whose files tell that it cannot be loaded as it is."""
    files = sorted(folder.iterdir())
    for file in files:
        _check_readable(file)
    names = {file.name for file in files if file.is_file()}
    if {"adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"} & names:
        raise Refused(_adapter(folder))
    gguf = [file for file in files if file.suffix == ".gguf"]
    if gguf and "config.json" not in names:
        raise Refused(f"the folder {folder} holds GGUF files; name one of them, as in {gguf[0]}")
    for name in SAID_IN_JSON:
        if name in names:
            _check_json(folder, name)
    if "config.json" in names:
        _check_weights(folder, names)
    elif below := sorted(folder.glob("*/config.json")) + sorted(folder.glob("*/*/config.json")):
        raise _damaged(folder, "it has no config.json", f"name {below[0].parent}, which has one")


def _check_readable(file: Path) -> None:
    if file.suffix not in READ:
        return
    if file.is_symlink() and not file.exists():
        raise Refused(
            f"{file} points to a file that is not there; copy the checkpoint with the files"
            " that its links point to"
        )
    if not file.is_file():
        return
    if not os.access(file, os.R_OK):
        raise Refused(f"{file} cannot be read by you; change its permissions or owner")
    with open(file, "rb") as opened:
        start = opened.read(30).lower()
    for sign, what in NOT_ITSELF.items():
        if start.startswith(sign):
            raise _damaged(file.parent, f"{file.name} is {what.partition(';')[0]}", what)
    if file.suffix in (".safetensors", ".bin") and not start:
        raise _damaged(file.parent, f"{file.name} is empty")
    if file.suffix == ".safetensors":
        _check_tensors(file)


def _check_tensors(file: Path) -> None:
    """That the file is whole, and holds numbers that can be weights."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as tensors:
            names = tensors.keys()  # it is no dict
            kinds = {name: tensors.get_slice(name).get_dtype() for name in names}
    except SafetensorError as error:
        raise _damaged(file.parent, f"{file.name}: {str(error)[:90]}") from None
    for name, kind in kinds.items():
        if name.endswith(".weight") and not kind.startswith(("F", "BF")):
            raise Refused(
                f"{file} holds {name} as {kind}, codes in the place of weights; load the checkpoint"
                " that it was made from"
            )


def _check_json(folder: Path, name: str) -> None:
    try:
        said = json.loads((folder / name).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _damaged(folder, f"{name} is not JSON: {str(error)[:90]}") from None
    if not isinstance(said, dict):
        raise _damaged(folder, f"{name} is JSON, but no object with names and values")


def _check_weights(folder: Path, names: set[str]) -> None:
    """That there are weights, and one copy of them, all of whose shards are there."""
    for whole, index in zip(WEIGHTS, INDEXES):
        if {whole, index} <= names:
            raise Refused(
                f"the folder {folder} holds its weights twice, in {whole} and in the shards of"
                f" {index}; move one of them elsewhere"
            )
        if index in names and whole not in names:
            _check_shards(folder, index)
            return
    if names & set(WEIGHTS):
        return
    others = sorted(name for name in names if name.endswith(OTHER_WEIGHTS))
    there = f"; it has {', '.join(others[:3])}" if others else ""
    why = f"it has neither {WEIGHTS[0]} nor {WEIGHTS[1]}{there}"
    in_part = any(name.endswith(".incomplete") or "-of-0" in name for name in others)
    raise _damaged(folder, why, "save it by save_pretrained" if others and not in_part else "")


def _check_shards(folder: Path, index: str) -> None:
    shards = json.loads((folder / index).read_text(encoding="utf-8")).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(name, str) for name in shards.values()):
        raise _damaged(folder, f"{index} does not say by weight_map which weight is in which file")
    for name in sorted(set(shards.values())):
        if Path(name).name != name or not (folder / name).is_file():
            raise _damaged(folder, f"{index} names {name}, which is not in the folder")


def _damaged(folder: Path, why: str, way: str = "") -> Refused:
    how = way.rpartition("; ")[2] or "fetch or train it again"
    return Refused(f"the checkpoint in {folder} is damaged or incomplete ({why}); {how}")


def _adapter(folder: Path) -> str:
    base: Any = None
    with suppress(OSError, ValueError, KeyError, TypeError):
        base = json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
    beside = "beside a model" if (folder / "config.json").is_file() else "alone"
    return (
        f"the folder {folder} holds a PEFT adapter {beside}, which would be left out; merge it"
        f" into {base or 'its base model'} (peft: PeftModel.from_pretrained, merge_and_unload,"
        " save_pretrained) and load that"
    )
