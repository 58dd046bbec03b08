"""Spectra of all layers, and the layer that condition numbers choose.

Two things that the paper leaves open are parameters here: k, and how the condition numbers of a
module's matrices become one (Yao et al. 2024, appendix C.2). Taught in chapters 07 and 08.
"""

import hashlib
from collections import OrderedDict

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from svdicl_lite.clipping.matrices import Expert, matrices, n_layers
from svdicl_lite.clipping.svd import condition_number, singular_values, stable_rank

REDUCTIONS = ("max", "mean", "median")


def condition_table(model: nn.Module, module: str = "all", expert: Expert = None) -> pd.DataFrame:
    """One row per layer and matrix of `module`: sigma_max, sigma_min, condition_number (infinite if
    singular), stable_rank.

    `expert` keeps to one expert of a mixture, a number or "shared".
    """
    rows = []
    for layer in tqdm(range(n_layers(model)), desc="singular values", unit="layer", disable=None):
        for matrix in matrices(model, layer, module, expert):
            try:
                S = _spectrum(matrix.weight)
            except ValueError as error:
                raise ValueError(f"cannot judge {matrix}: {error}") from None
            rows.append(
                {
                    "layer": layer,
                    "role": matrix.role,
                    "sigma_max": S[0].item(),
                    "sigma_min": S[-1].item(),
                    "condition_number": condition_number(S),
                    "stable_rank": stable_rank(S),
                }
            )
    return pd.DataFrame(rows)


KEPT = 1024  # spectra: all of a model of 100 layers, some 8 MB at 1,000 numbers each
_spectra: OrderedDict[bytes, Tensor] = OrderedDict()  # by digest of the matrix, the latest last


def _spectrum(W: Tensor) -> Tensor:
    """`singular_values(W)`, found once for all matrices that hold the same numbers: every search of
    a model asks for them. The `KEPT` that were asked for last are kept.
    """
    W = W.detach().contiguous()
    key = hashlib.sha256(
        f"{tuple(W.shape)} {W.dtype} {W.device.type}".encode()
        + W.cpu().view(torch.uint8).numpy().tobytes()
    ).digest()
    if key not in _spectra:
        _spectra[key] = singular_values(W)
    _spectra.move_to_end(key)
    while len(_spectra) > KEPT:
        _spectra.popitem(last=False)
    return _spectra[key]


def chosen_layer(table: pd.DataFrame, top_k: int = 2, reduction: str = "max") -> int:
    """The deepest of the `top_k` layers with the largest condition numbers, from a
    `condition_table`; `reduction` (max, mean or median) joins those of a layer's matrices.

    Raises ValueError if a matrix is singular: an infinite condition number would outbid all others,
    whatever they say.
    """
    check_choice(table["layer"].nunique(), top_k, reduction)
    for row in table[np.isinf(table["condition_number"])].itertuples():
        raise ValueError(
            f"layer {row.layer} {row.role} is singular, so condition numbers cannot choose a layer:"
            " one of them is infinite; name the layer yourself"
        )
    return int(
        table.groupby("layer")["condition_number"]
        .agg(reduction)
        .nlargest(top_k, keep="last")
        .index.max()
    )


def check_choice(n_layers: int, top_k: int, reduction: str) -> None:
    """Raises ValueError unless the deepest of `top_k` of `n_layers` layers can be told, the
    `reduction` being a known one.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is {reduction!r}, but must be one of {', '.join(REDUCTIONS)}")
    if not 1 <= top_k <= n_layers:
        raise ValueError(
            f"top_k is {top_k}, but must be between 1 and {n_layers}, the number of layers"
        )
