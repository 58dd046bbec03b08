"""The depth explorer: every layer, rate and module of a real model, accuracy and discrimination
side by side.
"""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import traitlets

from svdicl_lite.numbers import points
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.widgets.base import Widget, script
from svdicl_lite.widgets.reading_and_lean import completed


class DepthExplorer(Widget):
    """Two maps, layers down and clip rates across: what a clip there changes in accuracy, and what
    in discrimination; and of the cell chosen both numbers with their intervals over sets.

    `table` as for `ReadingAndLean`: the outcomes of a sweep over layers, modules and rates. It
    begins with the cell that gains most accuracy, whatever its discrimination does. Taught in
    chapter 05.
    """

    _esm = script("depth_explorer")
    height = (590, 1100)
    cells = traitlets.Dict().tag(sync=True)  # modules, layers, clip_rates
    # module by module, layer by layer, rate by rate: accuracy, low, high, discrimination, low, high
    outcomes = traitlets.List().tag(sync=True)
    about = traitlets.Dict().tag(sync=True)  # n, sets
    module = traitlets.Unicode().tag(sync=True)
    layer = traitlets.Int().tag(sync=True)
    rate = traitlets.Int().tag(sync=True)

    def __init__(self, table: pd.DataFrame):
        self.whole, by_cell = completed(table)
        modules, layers, rates = (
            sorted({cell[i] for cell in by_cell}, reverse=i == 0) for i in range(3)
        )
        self.order = [(m, layer, rate) for m in modules for layer in layers for rate in rates]
        self.told = {cell: summed_up(by_cell[cell]) for cell in self.order}
        clips = [cell for cell in self.order if cell[2] > 0]
        best = max(clips, key=lambda cell: self.told[cell][0])
        super().__init__(
            cells={"modules": modules, "layers": layers, "clip_rates": rates},
            outcomes=[self.told[cell] for cell in self.order],
            about={"n": self.whole.n, "sets": len(self.whole.members)},
            module=best[0],
            layer=best[1],
            rate=rates.index(best[2]),
        )

    def table(self) -> pd.DataFrame:
        """The same data in numbers, as the page folds them below the widget."""
        rows = []
        for cell in self.order:
            accuracy, *_, discrimination, _, _ = self.told[cell]
            rows.append(
                [cell[0], cell[1], f"{cell[2]:g}", f"{accuracy:.3f} / {discrimination:.3f}"]
            )
        wide = pd.DataFrame(rows, columns=["module", "layer", "ξ", "both"])
        table = wide.pivot(index=["module", "layer"], columns="ξ", values="both")
        return table[[f"{rate:g}" for rate in self.cells["clip_rates"]]].reset_index()

    def figure(self) -> plt.Figure:
        """The same data as a picture, for print and for pages without a script."""
        modules, layers, rates = self.cells.values()
        fig, axes = plt.subplots(
            len(modules), 2, figsize=(8.4, 3.4 * len(modules)), layout="constrained", squeeze=False
        )
        base = summed_up(self.whole)
        for row, module in zip(axes, modules):
            for ax, number, name in zip(row, (0, 3), ("accuracy", "discrimination")):
                grid = np.array(
                    [[self.told[module, x, rate][number] for rate in rates] for x in layers]
                )
                image = ax.imshow(
                    grid - base[number], cmap="RdBu", vmin=-0.35, vmax=0.35, aspect="auto"
                )
                ax.set_xticks(range(len(rates)), [f"{rate:g}".replace("0.", ".") for rate in rates])
                ax.set_yticks(range(len(layers)), layers)
                ax.set_title(f"{module.upper()}, {name}", loc="left", fontsize="medium")
                ax.set(xlabel="clip rate ξ", ylabel="layer")
        fig.colorbar(image, ax=axes, label="change against no clip")
        plt.close(fig)
        return fig

    def alt(self) -> str:
        """The picture told in words."""
        base = summed_up(self.whole)
        accuracy = [told[0] - base[0] for told in self.told.values()]
        discrimination = [told[3] - base[3] for told in self.told.values()]
        return (
            "Maps of the change against no clip, layers down and clip rates across. Accuracy"
            f" changes from {points(min(accuracy))} to {points(max(accuracy))} points,"
            f" discrimination from {points(min(discrimination))} to {points(max(discrimination))},"
            f" of {base[0]:.3f} and {base[3]:.3f} without a clip."
        )


def summed_up(evaluation: Evaluation) -> list[Any]:
    """Accuracy and discrimination, each with its interval over sets, or None where there are too
    few sets to say.
    """
    numbers: list[Any] = []
    for value, interval in (
        (evaluation.accuracy, evaluation.accuracy_over_sets),
        (evaluation.discrimination, evaluation.discrimination_over_sets),
    ):
        ends = [None, None] if interval is None else [round(end, 4) for end in interval]
        numbers += [round(float(value), 4), *ends]
    return numbers
