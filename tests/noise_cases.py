"""The spectra of a model beside its rounding, computed a second way: what tests compare with."""

from pathlib import Path

import pandas as pd

from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.svd import condition_number, singular_values
from svdicl_lite.models.quantisation import noise_floor, rounding_noise


def noise_table(model, file: str | Path) -> pd.DataFrame:
    """The spectra of a model's matrices beside the noise of the file that it was made from.

    One row per matrix, as `rounding_noise` has them, with sigma_max, sigma_min, noise_low and
    noise_high (`noise_floor`), `below`, the share of the singular values that are not above
    noise_high, and two condition numbers: as they are, and with no singular value counted that is
    not above the noise (1 if none is).
    """
    found = []
    for row in rounding_noise(file).to_dict("records"):
        (matrix,) = matrices(model, row["layer"], row["role"])
        S = singular_values(matrix.weight)
        low, high = noise_floor(row["m"], row["n"], row["noise"])
        above = S[high < S]
        found.append(
            {
                **row,
                "sigma_max": S[0].item(),
                "sigma_min": S[-1].item(),
                "noise_low": low,
                "noise_high": high,
                "below": 1 - len(above) / len(S),
                "condition_number": condition_number(S),
                "above_noise": (above[0] / above[-1]).item() if len(above) else 1.0,
            }
        )
    return pd.DataFrame(found)
