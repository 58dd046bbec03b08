"""A search without a list of rates: each matrix is cut at its noise, and validation says whether
that helps. Taught in chapter 08.
"""

from torch import nn

from svdicl_lite.clipping.matrices import Expert, matrices
from svdicl_lite.clipping.ranks import gavish_donoho_rank
from svdicl_lite.clipping.svd import singular_values
from svdicl_lite.search.cells import Cell


def auto_cells(
    model: nn.Module, layer: int, module: str, expert: Expert, method: str
) -> list[Cell]:
    """No clip, and the clip of each matrix at Gavish and Donoho's threshold, whose rate is the
    share of all the module's singular values that go. No clip alone where nothing goes.

    Raises ValueError for a `method` other than "svd", and what `matrices` raises.
    """
    if method != "svd":
        raise ValueError(
            f"method is {method!r}, but clip_rates 'auto' cut by svd, each matrix at its noise;"
            " leave method out, or give a list of rates"
        )
    kept = total = 0
    for matrix in matrices(model, layer, module, expert):
        m, n = matrix.weight.shape
        kept += gavish_donoho_rank(singular_values(matrix.weight), m, n)
        total += min(m, n)
    rates = (0.0, 1 - kept / total) if kept < total else (0.0,)
    return [Cell(layer, module, rate, expert, "gavish-donoho") for rate in rates]
