"""Why a checkpoint cannot be used, told before transformers tries, asks, or replaces something in
silence. Taught in chapter 15.
"""

import json
import os
import warnings
from pathlib import Path

QUANTISED = {
    "bitsandbytes": "bitsandbytes",
    "bitsandbytes_4bit": "bitsandbytes",
    "bitsandbytes_8bit": "bitsandbytes",
    "gptq": "GPTQ",
    "awq": "AWQ",
    "fp8": "FP8",
    "fbgemm_fp8": "FP8",
    "compressed-tensors": "compressed-tensors",
}
PROBES = (
    "The film's 12 best scenes, at 7:45 p.m., weren't cut.",
    "text: a  dull (but short!) story... sentiment: neg\ntext: ",
    "Über café naïve Łódź 中文影评 日本語 кино 🙂",
    "\tif x >= 10:\n        return x**2  # 3.14159",
)
"""What two tokenizers are compared on: digits, spaces, contractions, other scripts, code."""


class Refused(ValueError):
    """A checkpoint that is not used, for a reason that its message tells."""


def check_files(folder: Path) -> None:
    """Raises ValueError for a folder whose files tell that it cannot be loaded as it is."""
    for file in sorted(folder.iterdir()):
        if file.is_symlink() and not file.exists():
            raise Refused(
                f"{file} points to a file that is not there; copy the checkpoint with the files"
                " that its links point to"
            )
        if file.is_file() and not os.access(file, os.R_OK):
            raise Refused(f"{file} cannot be read by you; change its permissions or owner")
    if (folder / "adapter_config.json").is_file():
        raise Refused(_adapter(folder))
    gguf = sorted(folder.glob("*.gguf"))
    if gguf and not (folder / "config.json").is_file():
        raise Refused(f"the folder {folder} holds GGUF files; name one of them, as in {gguf[0]}")


def check_config(name: str | Path, config: dict) -> None:
    """Raises Refused, by its true reason, for a config of a model that cannot be clipped or must
    not be run.
    """
    reason = _refusal(config)
    if reason:
        raise Refused(f"the checkpoint in {name} {reason}")


def check_fit(name: str | Path, model, tokenizer) -> None:
    """Raises ValueError if the tokenizer has tokens for which the model has no embedding."""
    rows, largest = (
        model.get_input_embeddings().weight.shape[0],
        max(tokenizer.get_vocab().values()),
    )
    if largest >= rows:
        raise Refused(
            f"the tokenizer in {name} has tokens up to number {largest:,}, but the model embeds"
            f" {rows:,} only; take the tokenizer that belongs to it, or enlarge the model by"
            " resize_token_embeddings"
        )


def the_files_own(tokenizer, file: Path, again):
    """The tokenizer that `file`, a tokenizer.json, describes: `tokenizer` if it is that, else what
    `again()` loads without a class of transformers' own, with a warning.

    Some classes build the cutting of text anew from their own rules and drop what the file says.
    Raises ValueError if what `again` loads is not it either.
    """
    if _is_that_of(tokenizer, file):
        return tokenizer
    plain = again()
    if not _is_that_of(plain, file):
        raise Refused(
            f"transformers does not load the tokenizer that {file} describes; save it anew by the"
            " version of transformers that you have"
        )
    warnings.warn(
        f"transformers would replace the tokenizer of {file} by one that cuts text otherwise"
        f" ({type(tokenizer).__name__}); the file's own is used",
        stacklevel=3,
    )
    return plain


def _is_that_of(tokenizer, file: Path) -> bool:
    from tokenizers import Tokenizer

    described = Tokenizer.from_file(str(file))
    return all(
        described.encode(text, add_special_tokens=False).ids
        == tokenizer(text, add_special_tokens=False)["input_ids"]
        for text in PROBES
    )


def _refusal(config: dict) -> str | None:
    """What the checkpoint is, if it cannot be used, and the way out."""
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as MASKED

    kind, version = config.get("model_type"), transformers.__version__
    if config.get("quantization_config") is not None:
        return _quantised(config["quantization_config"])
    if kind is not None and kind not in CONFIG_MAPPING_NAMES:
        if config.get("auto_map"):
            return (
                f"is of a type, {kind!r}, that needs Python code out of its own folder (auto_map),"
                " which svdicl_lite never runs; load a model of a type that transformers knows"
            )
        return f"is of a type, {kind!r}, that transformers {version} does not know; a newer may"
    if config.get("is_encoder_decoder") or kind in ("t5", "mt5", "umt5"):
        return (
            f"is a {kind} with an encoder beside its decoder; only models that are all decoder fit"
        )
    decodes = config.get("is_decoder") or config.get("causal")
    if kind is not None and (kind not in CAUSAL or (kind in MASKED and not decodes)):
        return f"is a {kind}, which does not continue texts; only models that are all decoder fit"
    return None


def _quantised(said) -> str:
    method = said.get("quant_method", "") if isinstance(said, dict) else ""
    name = QUANTISED.get(method, method or "an unnamed method")
    return (
        f"is quantised by {name}: it stores codes and scales, which have no singular values, in the"
        " place of weights; load the checkpoint that it was made from"
    )


def _adapter(folder: Path) -> str:
    try:
        base = json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
    except (ValueError, KeyError, TypeError):
        base = "its base model"
    beside = "beside a model" if (folder / "config.json").is_file() else "alone"
    return (
        f"the folder {folder} holds a PEFT adapter {beside}, which would be left out; merge it"
        f" into {base} (peft: PeftModel.from_pretrained, merge_and_unload, save_pretrained) and"
        " load that"
    )
