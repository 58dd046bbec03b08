"""What a model, a tokenizer, a config and a file hold, each as sixteen hexadecimal digits.

Names say where something lies, not what it is: another model may be saved into the same folder,
and a csv be edited. So whatever is remembered is remembered by these. Taught in chapter 15.
"""

import hashlib
import json
import time
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from svdicl_lite.models.loading import CHECKPOINTS, shipped_models
from svdicl_lite.tasks.own import SUFFIXES

READ_BY_TRANSFORMERS = (".json", ".safetensors", ".bin", ".gguf", ".model", ".txt", ".jinja")
SECONDS_TO_SETTLE = 2
"""A file system's clock has ticks. A file that was written so short a time ago may be written again
within the same tick, and would look unchanged.
"""


def config_digest(model: Any) -> str:
    """Of all that the config says but where it came from: positions and norms are no weights."""
    said = model.config.to_dict()
    return _of({name: said[name] for name in said if name not in _PROVENANCE})


_PROVENANCE = ("_name_or_path", "transformers_version")


def tokenizer_digest(tokenizer: Any) -> str:
    """Of the tokenizer's class, its special tokens, and how it cuts text up."""
    said: dict[str, Any] = {
        "class": type(tokenizer).__name__,
        "special": str(tokenizer.special_tokens_map),
    }
    if getattr(tokenizer, "is_fast", False):
        cuts = json.loads(tokenizer.backend_tokenizer.to_str())
        # Truncation and padding are left behind by whoever called it last.
        said["cuts"] = {name: cuts[name] for name in cuts if name not in ("truncation", "padding")}
    else:
        said["cuts"] = sorted(tokenizer.get_vocab().items())
    return _of(said)


def _of(said: Any) -> str:
    text = json.dumps(said, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def model_source(name: str) -> tuple[str, ...]:
    """A digest of every file from which `load_model(name)` would load; nothing for a model of the
    hub, which a process fetches once.
    """
    path = CHECKPOINTS / name if name in shipped_models() else Path(name)
    if path.is_file():
        return (file_digest(path),)
    if not name or not path.is_dir():
        return ()
    files = [file for file in sorted(path.iterdir()) if file.suffix in READ_BY_TRANSFORMERS]
    return tuple(f"{file.name} {file_digest(file)}" for file in files if file.is_file())


def task_source(name: str) -> tuple[str, ...]:
    """A digest of every file from which `load_task(name)` would read data of your own; nothing for
    a task of ours or of the paper, which no edit can change.
    """
    path = Path(name)
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return ()
    return tuple(file_digest(file) for file in (path, *_data_of(path)) if file.is_file())


def _data_of(path: Path) -> list[Path]:
    """The data files that a .toml names; none if it is not one, or says nothing that can be read
    (which is for `load_task` to complain about).
    """
    if path.suffix.lower() != ".toml":
        return []
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig")).get("data")
    except ValueError:
        return []
    named = list(data.values()) if isinstance(data, dict) else [data]
    return [path.parent / file for file in named if isinstance(file, str)]


def file_digest(path: Path) -> str:
    """Of the file's bytes, which are read again whenever the file has been touched."""
    now = path.stat()
    touched = max(now.st_mtime_ns, now.st_ctime_ns)
    stamp = (now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)
    if time.time_ns() - touched < SECONDS_TO_SETTLE * 10**9:
        return _read(path)
    return _remembered(path.resolve(), stamp)


@lru_cache(maxsize=256)  # a sharded model has some dozens
def _remembered(path: Path, stamp: tuple[int, ...]) -> str:
    return _read(path)


def _read(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
