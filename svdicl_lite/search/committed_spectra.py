"""Experiments of the second kind: all singular values of a quantised model, beside its rounding.

A toml with `kind = "spectra"` names a model that was made from a GGUF file; its parquet has a row
for each matrix of each layer with every singular value, the standard deviation of the file's
rounding, the top of the rounding's own spectrum, and the condition numbers that ten further
roundings would leave (`models.quantisation`). `spectra` reads it.
Taught in chapter 14.
"""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.svd import singular_values
from svdicl_lite.models import gguf, smollm2
from svdicl_lite.models.digest import weights_digest
from svdicl_lite.models.loading import load_model
from svdicl_lite.models.quantisation import (
    drawn_top,
    noise_floor,
    redrawn_conditions,
    rounding_noise,
    tensors_of,
)
from svdicl_lite.search.committed import Kept, about, outcomes_path
from svdicl_lite.search.computed import OTHER, check_same, described, the_same, write
from svdicl_lite.tasks.real import is_real, texts_are_here

TOLERANCE = 1e-4  # of each singular value; float32 keeps 6e-8, LAPACKs agree to 1e-13 σ_max


def compute_spectra(kept: Kept, say: Callable[[str], object] = print) -> Path:
    """Finds every singular value and writes the parquet, which appears only when all is there.

    Raises ValueError for a model that was not made from a GGUF file, or from one whose rounding
    cannot be told, and what loading the model raises.
    """
    started = time.time()
    file = _gguf_file(kept)
    model, _ = load_model(kept.said["model"])
    stored, rows = tensors_of(file), []
    for row in rounding_noise(file).to_dict("records"):
        (matrix,) = matrices(model, row["layer"], row["role"])
        S = singular_values(matrix.weight).numpy().astype(np.float32)
        tensor = stored[row["tensor"]]
        drawn = {"noise_drawn": drawn_top(tensor), "redrawn": redrawn_conditions(tensor)}
        rows.append({**row, **drawn, "singular_values": S})
        if len(rows) % 30 == 0:
            say(f"{kept.path.stem}: {len(rows)} spectra, {time.time() - started:.0f} s")
    write(kept.outcomes, rows, described(kept, weights_digest(model), started), "singular_values")
    return kept.outcomes


def spectra(path: str | Path) -> pd.DataFrame:
    """The kept spectra, a row a matrix: layer, role, tensor, kind, m, n, noise, noise_drawn,
    redrawn (10 condition numbers), singular_values (min(m, n),), largest first; and what follows:

    - sigma_max, sigma_min, condition_number;
    - noise_low, noise_high, between which a rounding of that deviation has its singular values;
    - below, the share of the singular values that are not above noise_high;
    - floored and floored_drawn, the condition number with σ_min taken as noise_high, or as
      noise_drawn, where it is smaller than that.

    `path` is the toml or the parquet, or the name alone. Raises FileNotFoundError if it was not
    computed, ValueError for a file that is damaged or holds something else.
    """
    from pyarrow import parquet

    path = outcomes_path(path)
    if about(path)["said"].get("kind") != "spectra":
        raise ValueError(f"{path.name} holds outcomes of cells, not spectra; `outcomes` reads it")
    table: pd.DataFrame = parquet.read_table(path).to_pandas()
    derived = [_derived(row) for row in table.itertuples()]
    return pd.concat([table, pd.DataFrame(derived)], axis=1)


def _derived(row: Any) -> dict[str, float]:
    S = np.asarray(row.singular_values, dtype=float)
    low, high = noise_floor(row.m, row.n, row.noise)
    return {
        "sigma_max": S[0],
        "sigma_min": S[-1],
        "condition_number": _floored(S, 0.0),
        "noise_low": low,
        "noise_high": high,
        "below": float((high >= S).mean()),
        "floored": _floored(S, high),
        "floored_drawn": _floored(S, row.noise_drawn),
    }


def _floored(S: np.ndarray, floor: float) -> float:
    """σ_max / max(σ_min, floor); 1 where all lies in the noise and nothing is told."""
    least = min(S[0], max(S[-1], floor))
    return float(S[0] / least) if least > 0 else float("inf")


def check_spectra(kept: Kept, n_matrices: int = 2, seed: int | None = None) -> pd.DataFrame:
    """Finds the singular values of `n_matrices` matrices again, drawn by `seed` (None: the clock).

    Returns a row a matrix with `largest`, the largest difference of a singular value as a share of
    itself. Raises ValueError if the weights, the rounding or a singular value are others, and what
    loading the model raises.
    """
    rng = random.Random(seed if seed is not None else time.time_ns())
    model, _ = load_model(kept.said["model"])
    check_same(kept, "weights", about(kept.path)["weights"], weights_digest(model))
    file = _gguf_file(kept)
    table, noise, stored = spectra(kept.path), rounding_noise(file), tensors_of(file)
    if not np.allclose(table["noise"], noise["noise"]):
        raise ValueError(f"{kept.path.stem}: the file's rounding is another; {OTHER}")
    rows = []
    for i in rng.sample(range(len(table)), min(n_matrices, len(table))):
        row = table.iloc[i]
        (matrix,) = matrices(model, row["layer"], row["role"])
        before, again = row["singular_values"], singular_values(matrix.weight).numpy()
        redrawn = redrawn_conditions(stored[row["tensor"]], draws=1)
        share = np.abs(before - again) / np.maximum(again, 1e-9 * again[0])
        largest = max(share.max(), abs(redrawn[0] / row["redrawn"][0] - 1))
        rows.append({"layer": row["layer"], "role": row["role"], "largest": largest})
    found = pd.DataFrame(rows)
    return the_same(kept, found, TOLERANCE, "a singular value computed again", " of itself")


def is_here(kept: Kept) -> bool:
    """Whether the model and the texts are on this machine: a check fetches nothing."""
    if kept.said["model"] == smollm2.NAME and not smollm2.is_here():
        return False
    tasks = [*kept.said.get("tasks", ()), kept.said.get("task", "")]
    return all(texts_are_here(task) for task in tasks if is_real(task))


def _gguf_file(kept: Kept) -> Path:
    """The file whose rounding is meant."""
    model = str(kept.said["model"])
    if model == smollm2.NAME:
        return smollm2.gguf_file()
    if not model.endswith(gguf.SUFFIX):
        raise ValueError(
            f"{kept.path.name} wants the spectra of {model!r}, which was not made from a GGUF file;"
            f" name a .gguf file or {smollm2.NAME}"
        )
    return Path(model)
