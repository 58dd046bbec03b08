"""The bound explorer of chapter 12: a clip rate for each layer, the terms of the bound, and
accuracy beside it.
"""

from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import traitlets

from svdicl_lite.clipping.svd import check_clip_rate
from svdicl_lite.widgets.base import Widget, packed, script

MOST = 50_000  # numbers in both tables: 200 KB, and a third more as text


class BoundExplorer(Widget):
    """A slider a layer, each over the same clip rates; the term of the bound that each layer adds,
    their sum, and the accuracy that was measured.

    `terms`: for every combination of rates a row a layer, with the columns `rates`, a tuple of L
    clip rates, `layer`, and those of `theory.bound_terms`, of which `information` (in nats) is
    drawn and summed and the others stand in the table. `outcomes`: a row a combination, `rates`,
    `bound`, `accuracy`, `low`, `high` and `n`. Raises ValueError if a combination is missing or the
    tables are too large for a page. Taught in chapter 12.
    """

    _esm = script("bound_explorer")
    height = (610, 895)
    clip_rates = traitlets.List().tag(sync=True)
    chosen = traitlets.List().tag(sync=True)  # the index of each layer's rate
    names = traitlets.List().tag(sync=True)  # of the terms, information first
    terms = traitlets.Bytes().tag(sync=True)  # (R, …, R, L, terms) float32
    outcomes = traitlets.Bytes().tag(
        sync=True
    )  # (R, …, R, 5) float32: bound, accuracy, low, high, n

    def __init__(self, terms: pd.DataFrame, outcomes: pd.DataFrame):
        self.rates = sorted({check_clip_rate(rate) for rates in terms["rates"] for rate in rates})
        self.n_layers = len(terms["rates"].iloc[0])
        self.all = list(product(self.rates, repeat=self.n_layers))
        names = [
            "information",
            *(name for name in terms.columns if name not in ("rates", "layer", "information")),
        ]
        by_place = terms.assign(rates=list(map(tuple, terms["rates"]))).set_index(
            ["rates", "layer"]
        )[names]
        self.by_rates = outcomes.assign(rates=list(map(tuple, outcomes["rates"]))).set_index(
            "rates"
        )[["bound", "accuracy", "low", "high", "n"]]
        missing = [
            rates
            for rates in self.all
            if rates not in self.by_rates.index
            or any((rates, layer) not in by_place.index for layer in range(self.n_layers))
        ]
        if missing:
            raise ValueError(
                f"the rates {missing[0]} lack a row of terms or an outcome; every combination of"
                f" the rates {self.rates} needs both"
            )
        self.by_place = by_place.loc[
            [(rates, layer) for rates in self.all for layer in range(self.n_layers)]
        ]
        self.by_rates = self.by_rates.loc[self.all]
        if self.by_place.size + self.by_rates.size > MOST:
            raise ValueError(
                f"terms and outcomes hold {self.by_place.size + self.by_rates.size:,} numbers, but"
                f" a page carries {MOST:,}; take fewer rates or columns"
            )
        super().__init__(
            clip_rates=self.rates,
            chosen=[self.rates.index(rate) for rate in self.telling],
            names=names,
            terms=packed(self.by_place.to_numpy(float)),
            outcomes=packed(self.by_rates.to_numpy(float)),
        )

    @property
    def telling(self) -> tuple:
        """The clip of one layer that moves the bound most: where a page begins, since without a
        clip there is nothing to see.
        """
        bounds = self.by_rates["bound"]
        return max(
            self.one_layer,
            key=lambda rates: np.nan_to_num(abs(bounds[rates] - bounds[self.one_layer[0]])),
        )

    @property
    def one_layer(self) -> list[tuple]:
        """The combinations that clip one layer at most, the whole model first."""
        lowest = self.rates[0]
        single = [
            tuple(rate if i == layer else lowest for i in range(self.n_layers))
            for layer in range(self.n_layers)
            for rate in self.rates[1:]
        ]
        return [(lowest,) * self.n_layers, *single]

    def table(self) -> pd.DataFrame:
        """The clips of one layer; of all combinations there are too many to read."""
        rows = []
        for rates in self.one_layer:
            outcome = self.by_rates.loc[[rates]].iloc[0]
            parts = {
                f"information {layer}": f"{self.by_place.loc[(rates, layer), 'information']:.1f}"
                for layer in range(self.n_layers)
            }
            interval = f"[{outcome['low']:.3f}, {outcome['high']:.3f}]"
            row = {"clip rate of each layer": ", ".join(f"{rate:g}" for rate in rates), **parts}
            row["bound"] = f"{outcome['bound']:.3f}"
            row["accuracy"] = f"{outcome['accuracy']:.3f} {interval}"
            rows.append(row | {"n": int(outcome["n"])})
        return pd.DataFrame(rows)

    def figure(self) -> plt.Figure:
        """The same data as a picture, for print and for pages without a script."""
        fig, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6), layout="constrained")
        shades = sns.color_palette("viridis", self.n_layers)
        for layer, mark in zip(range(self.n_layers), "osD^vP*X"):
            ways = [
                rates
                for rates in self.one_layer
                if all(rate == self.rates[0] for i, rate in enumerate(rates) if i != layer)
            ]
            rows = [self.by_rates.loc[[rates]].iloc[0] for rates in ways]
            for ax, name in ((left, "bound"), (right, "accuracy")):
                values, shade = [row[name] for row in rows], shades[layer]
                ax.plot(range(len(ways)), values, f"{mark}-", color=shade, label=f"layer {layer}")
        for ax, name in ((left, "bound"), (right, "accuracy")):
            ax.set_xticks(range(len(self.rates)), [f"{rate:g}" for rate in self.rates])
            ax.set(xlabel="clip rate ξ of one layer", ylabel=name)
        left.legend(frameon=False, fontsize="small")
        plt.close(fig)
        return fig

    def alt(self) -> str:
        """The picture told in words."""
        whole = self.by_rates.loc[[self.one_layer[0]]].iloc[0]
        last = self.by_rates.loc[[self.one_layer[-1]]].iloc[0]
        return (
            f"Bound and accuracy against the clip rate of one of {self.n_layers} layers. Without a"
            f" clip the bound is {whole['bound']:.3f} and the accuracy {whole['accuracy']:.3f};"
            f" with the last layer at {self.rates[-1]:g} they are {last['bound']:.3f} and"
            f" {last['accuracy']:.3f}."
        )
