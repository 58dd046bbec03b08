"""The spectrum browser of chapters 02 and 07: the singular values of every matrix of some models,
one click away.
"""

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import traitlets
from torch import Tensor

from svdicl_lite.clipping.matrices import matrices, n_layers
from svdicl_lite.clipping.svd import condition_number, energy, rank_at, singular_values, stable_rank
from svdicl_lite.widgets.base import Widget, packed, script

MOST = 50_000  # singular values: with four bytes each, and a third more as text, 267 KB


class SpectrumBrowser(Widget):
    """Condition numbers of all layers and matrices of `models` (name → model) as a heat map, and
    the spectrum of the one clicked on.

    It also says stable rank and the energy that is kept at `clip_rate`. A page begins with
    `start`, (model, layer, role), or else with the last layer's first. Raises ValueError if the
    spectra are too many for a page, or have no such matrix. Taught in chapters 02 and 07.
    """

    _esm = script("spectrum_browser")
    height = (455, 675)
    # of dicts: name, n_layers, roles, cells (layer by layer, role by role; None if there is none)
    models = traitlets.List().tag(sync=True)
    model = traitlets.Unicode().tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)
    role = traitlets.Unicode().tag(sync=True)
    clip_rate = traitlets.Float(0.9, min=0, max=1).tag(sync=True)

    def __init__(self, models: dict, start: tuple[str, int, str] | None = None):
        # (model, layer, role) → S, shape
        self.spectra: dict[tuple[str, int, str], tuple[Tensor, tuple[int, ...]]] = {}
        for name, model in models.items():
            for layer in range(n_layers(model)):
                for matrix in matrices(model, layer):
                    if matrix.expert in (None, 0):
                        self.spectra[name, layer, matrix.role] = (
                            singular_values(matrix.weight),
                            tuple(matrix.weight.shape),
                        )
        size = sum(len(S) for S, _ in self.spectra.values())
        if size > MOST:
            raise ValueError(
                f"the {len(models)} models have {size:,} singular values, but a page carries"
                f" {MOST:,}; show fewer or smaller models"
            )
        first, _, role = next(iter(self.spectra))
        deepest = max(layer for name, layer, _ in self.spectra if name == first)
        name, layer, role = start or (first, deepest, role)
        if (name, layer, role) not in self.spectra:
            raise ValueError(
                f"start is {start}, but must be one of (model, layer, role), such as"
                f" {next(iter(self.spectra))}"
            )
        super().__init__(
            models=[self._packed(name) for name in models], model=name, layer=layer, role=role
        )

    def table(self) -> pd.DataFrame:
        """The same data in numbers, as the page folds them below the widget."""
        rows = []
        for (name, layer, role), (S, shape) in self.spectra.items():
            kept = energy(S)[rank_at(len(S), 0.9) - 1].item()
            rows.append(
                {
                    "model": name,
                    "layer": layer,
                    "matrix": role,
                    "shape": f"{shape[0]} × {shape[1]}",
                    "σ₁": f"{S[0]:.2f}",
                    "condition number": brief(condition_number(S)),
                    "stable rank": f"{stable_rank(S):.1f}",
                    "energy kept at ξ = 0.9": f"{kept:.1%}",
                }
            )
        return pd.DataFrame(rows)

    def figure(self) -> plt.Figure:
        """The same data as a picture, for print and for pages without a script."""
        names = [model["name"] for model in self.models]
        fig, axes = plt.subplots(
            1, len(names), figsize=(4.6 * len(names), 3.6), layout="constrained", squeeze=False
        )
        for ax, name in zip(axes[0], names):
            grid = self._conditions(name)
            finite = grid.replace(math.inf, np.nan).astype(float)
            ax.imshow(
                np.log10(finite),
                cmap="Greys",
                aspect="auto",
                vmax=1.6 * np.nanmax(np.log10(finite)),
            )
            for (row, column), condition in np.ndenumerate(grid.to_numpy()):
                ax.text(column, row, brief(condition), ha="center", va="center", fontsize="small")
            ax.set_xticks(range(grid.shape[1]), grid.columns)
            ax.set_yticks(range(grid.shape[0]), grid.index)
            ax.set(xlabel="matrix", ylabel="layer")
            ax.set_title(name, loc="left", fontsize="medium")
        plt.close(fig)
        return fig

    def alt(self) -> str:
        """The picture told in words."""
        worst = {
            name: max(
                (key for key in self.spectra if key[0] == name),
                key=lambda key: condition_number(self.spectra[key][0]),
            )
            for name, *_ in self.spectra
        }
        told = [
            f"In {name} it is largest for {role} of layer {layer},"
            f" {brief(condition_number(self.spectra[name, layer, role][0]))}."
            for name, layer, role in worst.values()
        ]
        return (
            "A table of condition numbers, layers down and matrices across, darker where they are"
            " larger. " + " ".join(told)
        )

    def _conditions(self, name: str) -> pd.DataFrame:
        conditions = {
            (layer, role): condition_number(S)
            for (model, layer, role), (S, _) in self.spectra.items()
            if model == name
        }
        return pd.Series(conditions).unstack(sort=False)

    def _packed(self, name: str) -> dict:
        mine = {key[1:]: value for key, value in self.spectra.items() if key[0] == name}
        roles = list(dict.fromkeys(role for _, role in mine))
        deepest = max(layer for layer, _ in mine)
        cells = [
            packed_spectrum(*mine[layer, role]) if (layer, role) in mine else None
            for layer in range(deepest + 1)
            for role in roles
        ]
        return {"name": name, "n_layers": deepest + 1, "roles": roles, "cells": cells}


def packed_spectrum(S: Tensor, shape: tuple[int, ...]) -> dict:
    """One matrix's singular values S and what they are summed up in, for the page."""
    condition = condition_number(S)
    return {
        "S": packed(S),
        "shape": shape,
        "condition": None if math.isinf(condition) else condition,
        "stable_rank": stable_rank(S),
    }


def brief(condition: float) -> str:
    """A condition number in a few letters: 41, 3.2e4, ∞."""
    if math.isinf(condition):
        return "∞"
    if math.isnan(condition):
        return "–"
    if condition < 1000:
        return f"{condition:.0f}"
    return f"{condition:.1e}".replace("e+0", "e").replace("e+", "e")
