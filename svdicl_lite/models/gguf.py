"""GGUF files, the format of llama.cpp: converted once, exactly, to a folder in float32.

A GGUF file is header, metadata (the config and the tokenizer's vocabulary) and tensors, most of
them in blocks of a few bits. transformers reads many architectures, but leaves some things out in
silence; those are refused here, or mended: its table of pre-tokenizers lacks the ones that cut
digits singly, SmolLM's among them. Taught in chapter 14.
"""

import hashlib
import json
import logging
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

from tqdm import tqdm

from svdicl_lite.models.cache import cached

SUFFIX = ".gguf"
SINGLE_DIGITS = ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b")
"""llama.cpp's names for pre-tokenizers that cut every digit off, then do as GPT-2's does."""
AS_GPT2 = ("gpt-2", "phi-2", "olmo", "mpt", "default", None)
"""Those that are GPT-2's, which transformers uses for every name it does not know."""
OTHER_NAMES = {"qwen2moe", "qwen3moe", "gpt-oss", "minimax-m2"}
"""Architectures that transformers reads and lists under another spelling."""
DENSE = 8  # room for the weights in float32, as a multiple of a file of four bits a weight
FORMAT = 1  # grows when what is made from a file changes


def gguf_folder(file: str | Path) -> Path:
    """The folder, in the cache, of the model in a GGUF file; made the first time.

    A file is known by its SHA-256, wherever it lies. Raises what `convert` raises, and OSError if
    the cache cannot be written.
    """
    file = Path(file)
    read_header(file)
    with open(file, "rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    name = f"gguf-{digest[:24]}-{FORMAT}"
    megabytes = file.stat().st_size / 1e6 * DENSE
    return cached(name, lambda folder: convert(file, folder), megabytes)


def read_header(file: Path) -> dict:
    """The metadata of a GGUF file, arrays of strings as their lengths.

    Raises ValueError for a file that is no GGUF, is cut, or holds what transformers would drop.
    """
    from transformers.integrations.gguf import read_gguf_metadata

    try:
        metadata, names = read_gguf_metadata(str(file))
    except PermissionError as error:
        raise ValueError(f"{file} cannot be read ({error.strerror}); see its permissions") from None
    except Exception as error:
        raise ValueError(
            f"{file} is damaged or no GGUF file ({_first_line(error)}); fetch it again"
        ) from error
    try:
        _check(file, metadata, names)
    except TypeError as error:  # a text where a number belongs
        raise ValueError(f"{file} is damaged ({_first_line(error)}); fetch it again") from error
    return metadata


def convert(file: Path, folder: Path) -> None:
    """Writes the model in a GGUF file into `folder` as transformers does: weights in float32, whole
    numbers of blocks dequantised exactly, and the tokenizer.

    Raises ValueError in one sentence for an architecture that transformers does not read and for a
    file that is damaged.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    header = read_header(file)
    folder_of_file = file.parent.absolute()
    source = {"gguf_file": file.name, "local_files_only": True}
    try:
        with _quiet():
            tokenizer = AutoTokenizer.from_pretrained(
                folder_of_file, trust_remote_code=False, **source
            )
            model, report = AutoModelForCausalLM.from_pretrained(
                folder_of_file,
                trust_remote_code=False,
                dtype=torch.float32,
                quantization_config=GgufConfig(dequantize=True),
                output_loading_info=True,
                **source,
            )
    except Exception as error:
        raise ValueError(
            f"{file} is damaged or incomplete ({_first_line(error)}); fetch it again"
        ) from error
    missing = sorted(map(str, (*report["missing_keys"], *report["mismatched_keys"])))
    if missing:
        raise ValueError(
            f"{file} lacks {len(missing)} weights, {missing[0]} for one; fetch it again"
        )
    _mend_pre_tokenizer(tokenizer, header)
    with _quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    _drop_foreign_tokens(folder / "tokenizer.json", header["tokenizer.ggml.tokens"])


def _check(file: Path, metadata: dict, names: tuple[str, ...]) -> None:
    """Raises ValueError, by its reason, for a file that cannot be made into the model it is."""
    from transformers.integrations.gguf import GGUF_ARCHS
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    architecture = metadata["general.architecture"]
    scaling = metadata.get(f"{architecture}.rope.scaling.type", "none")
    pre_tokenizer = metadata.get("tokenizer.ggml.pre")
    if metadata.get("general.type", "model") != "model":
        why = f"holds a {metadata['general.type']}, not a model"
    elif metadata.get("split.count", 1) > 1:
        why = f"is one of {metadata['split.count']} parts; join them by llama-gguf-split --merge"
    elif architecture in ("t5", "t5encoder", "bert", "nomic-bert", "clip"):
        why = f"holds a {architecture}, which is no decoder; only models that are all decoder fit"
    elif architecture not in {*GGUF_SUPPORTED_ARCHITECTURES, *GGUF_ARCHS, *OTHER_NAMES}:
        why = (
            f"holds a model of architecture {architecture!r}, which transformers does not read from"
            " GGUF; load the checkpoint that it was made from"
        )
    elif architecture not in GGUF_ARCHS and (scaling != "none" or "rope_freqs.weight" in names):
        why = (
            "stretches its rotary positions, which transformers leaves out when it reads GGUF; load"
            " the checkpoint that it was made from"
        )
    elif "tokenizer.ggml.model" not in metadata:
        why = "has no tokenizer; load the checkpoint that it was made from"
    elif metadata["tokenizer.ggml.model"] == "gpt2" and not _is_known(pre_tokenizer):
        why = (
            f"cuts text by the rule {pre_tokenizer!r}, which transformers does not know and would"
            " replace by GPT-2's; load the checkpoint that it was made from"
        )
    else:
        return
    raise ValueError(f"{file} {why}")


def _is_known(pre_tokenizer: str | None) -> bool:
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    return pre_tokenizer in {*GGUF_PRE_TOKENIZER_SPLITS, *SINGLE_DIGITS, *AS_GPT2}


def _mend_pre_tokenizer(tokenizer, header: dict) -> None:
    """Cuts digits off singly where the file's pre-tokenizer does; see `SINGLE_DIGITS`.

    GPT-2's rule keeps a space with the number after it: of "a  7" it makes "a", " ", " 7", and the
    vocabulary, which has no token " 7", breaks that into three pieces where SmolLM saw the one
    token of two spaces.
    """
    from tokenizers import pre_tokenizers

    if header.get("tokenizer.ggml.pre") in SINGLE_DIGITS:
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )


def _drop_foreign_tokens(file: Path, n_tokens: int) -> None:
    """Takes out of a tokenizer.json what the GGUF file, of `n_tokens`, does not have: the class
    that transformers builds it by adds GPT-2's `<|endoftext|>`, which may have no embedding.
    """
    described = json.loads(file.read_text(encoding="utf-8"))
    own = [token for token in described["added_tokens"] if token["id"] < n_tokens]
    text = json.dumps({**described, "added_tokens": own}, ensure_ascii=False, indent=2)
    file.write_text(text, encoding="utf-8")


@contextmanager
def _quiet():
    """Bars of transformers on a terminal alone, and no warnings of its own."""
    from transformers import modeling_gguf_pytorch_utils as reader
    from transformers.utils import logging as theirs

    bar, level = theirs.is_progress_bar_enabled(), theirs.get_verbosity()
    if not sys.stderr.isatty():
        theirs.disable_progress_bar()
    theirs.set_verbosity(logging.ERROR)
    try:
        with patch.object(reader, "tqdm", partial(tqdm, disable=None)):
            yield
    finally:
        theirs.set_verbosity(level)
        if bar:
            theirs.enable_progress_bar()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:120]}" if lines else type(error).__name__
