"""Why a checkpoint cannot be used, told before transformers tries, asks, or replaces something in
silence. Taught in chapter 15.
"""

import re
import warnings
from pathlib import Path
from typing import Any

from svdicl_lite.models.refused import Refused

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


def check_config(name: str | Path, config: dict) -> None:
    """Raises Refused, by its true reason, for a config of a model that cannot be clipped or must
    not be run.
    """
    reason = _refusal(config)
    if reason:
        raise Refused(f"the checkpoint in {name} {reason}")


def check_size(folder: Path, config: Any) -> None:
    """Raises Refused for a config that describes more parameters than the weights in the folder
    have bytes: one of another model, whose weights would fill the memory.
    """
    import torch
    from transformers import AutoModelForCausalLM

    layers: Any = getattr(config.get_text_config(), "num_hidden_layers", 1)
    if layers < 1:
        raise Refused(f"the config.json in {folder} says that the model has {layers} layers")
    weights = (file for file in folder.iterdir() if file.suffix in (".safetensors", ".bin"))
    size = sum(file.stat().st_size for file in weights)
    n = layers
    if layers <= size:  # every layer has a parameter, so more of them are not even counted
        with torch.device("meta"):  # shapes without numbers
            n = AutoModelForCausalLM.from_config(config, trust_remote_code=False).num_parameters()
    if n > size:
        raise Refused(
            f"the config.json in {folder} describes a {config.model_type} of {n:,} parameters or"
            f" more, but the weights there have {size:,} bytes; take the config.json that belongs"
            " to them"
        )


def check_loaded(name: str | Path, model: Any, report: dict[str, Any]) -> None:
    """Raises Refused if weights are missing, have another shape, or belong to layers or adapters
    that the model has not; warns of others that it has no place for.

    `report`: what `from_pretrained(…, output_loading_info=True)` says.
    """
    surplus = sorted(map(str, report.get("unexpected_keys", ())))
    instead = f", and holds {surplus[0]}, which the model has no place for" if surplus else ""
    for key, there, wanted in sorted(report["mismatched_keys"], key=lambda row: str(row[0])):
        raise Refused(
            f"the checkpoint in {name} has {key} of {_shape(there)}, but its config.json describes"
            f" one of {_shape(wanted)}; take the config.json that belongs to the weights"
        )
    if missing := sorted(map(str, report["missing_keys"])):
        untied = missing == ["lm_head.weight"] and not surplus
        why = " (its config.json says tie_word_embeddings = false)" if untied else instead
        raise Refused(
            f"the checkpoint in {name} lacks {len(missing)} weights, {missing[0]} for one{why};"
            " fetch or train it again"
        )
    layers = model.config.get_text_config().num_hidden_layers
    for key in surplus:
        if "lora_" in key or "adapter" in key:
            raise Refused(
                f"the checkpoint in {name} holds {key}, part of an adapter, which would be left"
                " out; merge the adapter (peft: merge_and_unload) and save the model again"
            )
        number = re.search(r"\.(?:h|layers|blocks|block)\.(\d+)\.", f".{key}")
        if number and int(number[1]) >= layers:
            raise Refused(
                f"the checkpoint in {name} holds {key}, but its config.json says that the model has"
                f" {layers} layers; take the config.json that belongs to the weights"
            )
    if surplus:
        warnings.warn(
            f"the checkpoint in {name} holds {len(surplus)} weights that the model has no place"
            f" for, {surplus[0]} for one; they are left out",
            stacklevel=3,
        )


def _shape(shape: Any) -> str:
    return " × ".join(map(str, shape))


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
    described.no_truncation()  # of one caller, kept in the file; transformers does not heed it
    described.no_padding()
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
