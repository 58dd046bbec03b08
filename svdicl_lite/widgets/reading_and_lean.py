"""Reading and lean: the scores of two classes, a threshold and a clip rate to move."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import traitlets

from svdicl_lite import plots
from svdicl_lite.numbers import points
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.gains import split_gain
from svdicl_lite.widgets.base import Widget, packed, script

MOST = 120_000  # margins in the page: with two bytes each, and a third more as text, 320 KB
CELL = ["module", "layer", "clip_rate"]


class ReadingAndLean(Widget):
    """The margin of every example, the score of the second label word minus that of the first, as
    two histograms by the right answer; a threshold, a layer, a module and a clip rate to move;
    accuracy, discrimination and lean as they go.

    `table` has a row a cell with `module`, `layer`, `clip_rate` and `evaluation`, as
    `search.committed.outcomes` and `sweep` return it: the same examples of two classes, every rate
    of every layer and module, and the model without a clip under some cell of rate 0. `words` are
    the two label words. It begins where accuracy moves most while discrimination stays within
    0.01. Raises ValueError for other tables. Taught in chapter 05.
    """

    _esm = script("reading_and_lean")
    height = (620, 740)
    words = traitlets.List().tag(sync=True)
    # modules, layers, clip_rates: the margins are in this order
    cells = traitlets.Dict().tag(sync=True)
    # (cells, N) int16, and what one of it is
    margins = traitlets.Bytes().tag(sync=True)
    unit = traitlets.Float().tag(sync=True)
    labels = traitlets.Bytes().tag(sync=True)  # (N,) uint8
    sets = traitlets.Bytes().tag(sync=True)  # (N,) uint8
    module = traitlets.Unicode().tag(sync=True)
    layer = traitlets.Int().tag(sync=True)
    rate = traitlets.Int().tag(sync=True)  # its place among the clip rates
    threshold = traitlets.Float(0).tag(sync=True)

    def __init__(self, table: pd.DataFrame, words: tuple[str, str] = ("negative", "positive")):
        self.whole, self.by_cell = completed(table)
        modules, layers, rates = (
            sorted({cell[i] for cell in self.by_cell}, reverse=i == 0) for i in range(3)
        )
        order = [(m, layer, rate) for m in modules for layer in layers for rate in rates]
        if missing := [cell for cell in order if cell not in self.by_cell]:
            raise ValueError(
                f"there is no outcome of {missing[0]}, but every layer needs every rate"
            )
        margins = np.stack([margin(self.by_cell[cell]) for cell in order])
        if margins.size > MOST:
            raise ValueError(
                f"the table has {margins.size:,} margins, but a page carries {MOST:,}; take fewer"
                " layers or rates"
            )
        unit = float(np.abs(margins).max()) / 32767
        self.start = max(order, key=self._telling)
        sets = self.whole.demonstration_sets
        super().__init__(
            words=list(words),
            cells={"modules": modules, "layers": layers, "clip_rates": rates},
            margins=packed(np.rint(margins / unit), "int16"),
            unit=unit,
            labels=packed(self.whole.labels, "uint8"),
            sets=packed(np.zeros(self.whole.n) if sets is None else sets, "uint8"),
            module=self.start[0],
            layer=self.start[1],
            rate=rates.index(self.start[2]),
        )

    def _telling(self, cell: tuple) -> float:
        after = self.by_cell[cell]
        if abs(after.discrimination - self.whole.discrimination) > 0.01:
            return -1.0
        return abs(after.accuracy - self.whole.accuracy)

    def table(self) -> pd.DataFrame:
        """The clips of the layer and module that a page begins with."""
        rows = []
        for rate in self.cells["clip_rates"]:
            after = self.by_cell[(*self.start[:2], rate)]
            reading, lean = (part.mean() for part in split_gain(self.whole, after))
            rows.append(
                {
                    "ξ": f"{rate:g}",
                    "accuracy": str(after),
                    "discrimination": f"{after.discrimination:.3f}",
                    "reading, points": points(reading),
                    "lean, points": points(lean),
                }
            )
        return pd.DataFrame(rows)

    def figure(self) -> plt.Figure:
        """The histograms without a clip and with the one that a page begins with."""
        fig, axes = plt.subplots(
            2, 1, figsize=(6, 4.4), layout="constrained", sharex=True, sharey=True
        )
        for ax, evaluation, name in zip(
            axes, (self.whole, self.by_cell[self.start]), ("no clip", f"ξ = {self.start[2]:g}")
        ):
            m = margin(evaluation)
            bins = np.linspace(*self._range(), 30)
            for label, line, colour in ((0, "--", plots.TWO), (1, "-", plots.ONE)):
                ax.hist(
                    m[evaluation.labels == label],
                    bins,
                    histtype="step",
                    ls=line,
                    color=colour,
                    label=f"{self.words[label]} is right",
                )
            ax.axvline(0, color=plots.PLAIN, lw=0.8)
            ax.set_ylabel(f"examples, {name}")
        axes[1].set_xlabel(f"score of {self.words[1]} minus score of {self.words[0]}")
        axes[0].legend(frameon=False)
        plt.close(fig)
        return fig

    def _range(self) -> tuple[float, float]:
        both = np.concatenate([margin(self.whole), margin(self.by_cell[self.start])])
        return float(both.min()), float(both.max())

    def alt(self) -> str:
        """The picture told in words."""
        module, layer, rate = self.start
        after = self.by_cell[self.start]
        return (
            "Histograms of the difference of the two label words' scores, by the right answer."
            f" Above without a clip: accuracy {self.whole.accuracy:.3f}, discrimination"
            f" {self.whole.discrimination:.3f}. Below {module.upper()} of layer {layer} clipped at"
            f" {rate:g}: accuracy {after.accuracy:.3f}, discrimination {after.discrimination:.3f}."
        )


def margin(evaluation: Evaluation) -> np.ndarray:
    """(N,) the score of class 1 minus that of class 0, in nats."""
    difference: np.ndarray = evaluation.scores[:, 1] - evaluation.scores[:, 0]
    return difference


def completed(
    table: pd.DataFrame, two_classes: bool = True
) -> tuple[Evaluation, dict[tuple, Evaluation]]:
    """The outcome without a clip, and all outcomes by (module, layer, clip rate): rate 0 for every
    layer, though a table may hold it once. There must be two classes, unless it does not matter.
    """
    by_cell = dict(zip(zip(*(table[name] for name in CELL)), table["evaluation"]))
    whole = [evaluation for cell, evaluation in by_cell.items() if cell[2] == 0]
    if not whole:
        raise ValueError("the table has no row of clip_rate 0, but clips are compared with it")
    classes = 2 if two_classes else whole[0].n_classes
    for evaluation in by_cell.values():
        same = np.array_equal(evaluation.labels, whole[0].labels)
        if evaluation.n_classes != classes or not same:
            raise ValueError(
                f"every cell needs {classes} classes and the same examples, but one has"
                f" {evaluation.n_classes} classes and {evaluation.n:,} examples"
            )
    places = {cell[:2] for cell in by_cell if cell[2] > 0}
    at_zero = {(*place, 0.0): by_cell.get((*place, 0.0), whole[0]) for place in places}
    by_cell = {cell: evaluation for cell, evaluation in by_cell.items() if cell[:2] in places}
    return whole[0], by_cell | at_zero
