"""What few bits do to a spectrum: how large the quantiser's noise is, and which singular values
stand above it.

A block of 32 weights shares a step d, and each weight is rounded to the next multiple, so that the
errors are about uniform with standard deviation d / √12. A random m × n matrix of entries of
standard deviation s has its singular values between s(√b − √a) and s(√b + √a), with a ≤ b its sides
(Marchenko & Pastur 1967): those of the stored matrix that are not above that say nothing about the
model, a condition number made from them included. Taught in chapter 14.
"""

import math
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

ROLES = {
    "attn_q": "q",
    "attn_k": "k",
    "attn_v": "v",
    "attn_output": "o",
    "ffn_gate": "gate",
    "ffn_up": "up",
    "ffn_down": "fc_out",
}
"""The names of a GGUF file's matrices, and ours."""
STEP_FIRST = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")
"""Kinds of block that begin with their step, in two bytes."""
EXACT = ("F32", "F16", "BF16")


def rounding_noise(file: str | Path) -> pd.DataFrame:
    """One row per matrix in the layers of a GGUF file: layer, role, tensor (its name in the file),
    kind of block, m and n (out, in), and `noise`, the standard deviation of the rounding.

    Too large by up to 3 % in four bits: a block's least and largest weight are ends of its scale
    and not rounded. Raises ValueError for kinds of block whose step is not stored plainly.
    """
    from gguf import GGUFReader

    rows = []
    for tensor in GGUFReader(file).tensors:
        stem, layer, name, *_ = [*tensor.name.split("."), "", ""]
        if stem != "blk" or name not in ROLES:
            continue
        n, m = (int(side) for side in tensor.shape)
        kind = tensor.tensor_type.name
        rows.append(
            {
                "layer": int(layer),
                "role": ROLES[name],
                "tensor": tensor.name,
                "kind": kind,
                "m": m,
                "n": n,
                "noise": _deviation(tensor, kind),
            }
        )
    return pd.DataFrame(rows)


def noise_floor(m: int, n: int, noise: float) -> tuple[float, float]:
    """The least and the largest singular value to expect of an m × n matrix of independent entries
    of standard deviation `noise`.
    """
    a, b = sorted((m, n))
    return noise * (math.sqrt(b) - math.sqrt(a)), noise * (math.sqrt(b) + math.sqrt(a))


def drawn_top(tensor, seed: int = 0) -> float:
    """The largest singular value of a rounding of this tensor of a GGUF file, drawn by `seed`.

    Every error is uniform within its own block's step, where `noise_floor` takes one deviation for
    all of the matrix: the two differ where steps do.
    """
    E = _drawn_rounding(tensor, seed)
    gram = E @ E.T if E.shape[0] < E.shape[1] else E.T @ E
    return math.sqrt(np.linalg.eigvalsh(gram)[-1])


def redrawn_conditions(tensor, draws: int = 10, seed: int = 0) -> list[float]:
    """The condition numbers of what the tensor stores, with one more rounding drawn and added, for
    each of `draws`: what another rounding of the same size might have left.
    """
    from gguf import dequantize

    W = dequantize(tensor.data, tensor.tensor_type).astype(np.float64)
    found = []
    for draw in range(1, draws + 1):
        S = np.linalg.svd(W + _drawn_rounding(tensor, seed + draw), compute_uv=False)
        found.append(float(S[0] / S[-1]))
    return found


def tensors_of(file: str | Path) -> dict:
    """The tensors of a GGUF file by their names, as the gguf package reads them."""
    from gguf import GGUFReader

    return {tensor.name: tensor for tensor in GGUFReader(file).tensors}


def _drawn_rounding(tensor, seed: int) -> np.ndarray:
    """(m, n) errors, each uniform within the step of its block."""
    n, m = (int(side) for side in tensor.shape)
    steps = _steps(tensor, tensor.tensor_type.name)
    rng = np.random.default_rng([seed, zlib.crc32(tensor.name.encode())])
    errors = rng.uniform(-0.5, 0.5, (len(steps), m * n // len(steps)))
    return (errors * steps[:, None]).reshape(m, n)


def _deviation(tensor, kind: str) -> float:
    return float(np.sqrt(np.mean(_steps(tensor, kind) ** 2) / 12))


def _steps(tensor, kind: str) -> np.ndarray:
    """(blocks,) the step of each block, row by row; one 0 for numbers that are not rounded."""
    if kind in EXACT:
        return np.zeros(1)
    if kind not in STEP_FIRST:
        raise ValueError(
            f"{tensor.name} is stored as {kind}, whose steps depend on more than one number; the"
            f" noise of {', '.join(STEP_FIRST)} can be told"
        )
    from gguf import GGML_QUANT_SIZES

    _, width = GGML_QUANT_SIZES[tensor.tensor_type]
    blocks = np.ascontiguousarray(tensor.data).reshape(-1, width)
    return np.ascontiguousarray(blocks[:, :2]).view(np.float16)[:, 0].astype(np.float64)
