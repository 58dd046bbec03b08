"""The depth explorer: every layer, rate and module of a real model, accuracy and discrimination
side by side.
"""

from itertools import product
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import traitlets
from matplotlib.image import AxesImage

from svdicl_lite import plots
from svdicl_lite.numbers import points
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.widgets.base import Widget, script
from svdicl_lite.widgets.reading_and_lean import completed


class DepthExplorer(Widget):
    """Two maps, layers down and clip rates across: what a clip there changes in accuracy, and what
    in discrimination; and of the cell chosen both numbers with their intervals over sets.

    `table` as for `ReadingAndLean`, of any number of classes: the outcomes of a sweep over layers,
    modules and rates. With a column `task` there are several to choose from, in their order: each
    has its own rates, all have the same layers and modules. It begins with the cell of the first
    task that gains most accuracy, whatever its discrimination does. Raises ValueError for other
    tables. Taught in chapter 05.
    """

    _esm = script("depth_explorer")
    height = (560, 1055)
    cells = traitlets.Dict().tag(
        sync=True
    )  # tasks, modules, layers, and the clip rates of any task
    # task by task, module by module, layer by layer, rate by rate: accuracy, low, high,
    # discrimination, low, high; None at a rate that the task lacks
    outcomes = traitlets.List().tag(sync=True)
    about = traitlets.List().tag(sync=True)  # of each task: n, sets
    task = traitlets.Unicode().tag(sync=True)
    module = traitlets.Unicode().tag(sync=True)
    layer = traitlets.Int().tag(sync=True)
    rate = traitlets.Int().tag(sync=True)  # its place among the clip rates

    def __init__(self, table: pd.DataFrame):
        tasks = dict(list(table.groupby("task", sort=False))) if "task" in table else {"": table}
        self.whole: dict[str, Evaluation] = {}
        self.told: dict[tuple, list[Any]] = {}  # by task, module, layer, rate
        for task, rows in tasks.items():
            self.whole[task], found = completed(rows, two_classes=False)
            self.told |= {(task, *cell): summed_up(outcome) for cell, outcome in found.items()}
        modules, layers, rates = (
            sorted({cell[i] for cell in self.told}, reverse=i == 1) for i in (1, 2, 3)
        )
        has = {(cell[0], cell[3]) for cell in self.told}
        self.rates = {task: [rate for rate in rates if (task, rate) in has] for task in tasks}
        for cell in product(tasks, modules, layers, rates):
            if cell not in self.told and cell[3] in self.rates[cell[0]]:
                place = cell if cell[0] else cell[1:]
                raise ValueError(
                    f"there is no outcome of {place}, but every layer needs every rate of its task"
                )
        first = product([*tasks][:1], modules, layers, rates)
        clips = [cell for cell in first if cell in self.told and cell[3] > 0]
        best = max(clips, key=lambda cell: self.told[cell][0])
        super().__init__(
            cells={"tasks": list(tasks), "modules": modules, "layers": layers, "clip_rates": rates},
            outcomes=[self.told.get(cell) for cell in product(tasks, modules, layers, rates)],
            about=[{"n": o.n, "sets": len(o.members)} for o in self.whole.values()],
            task=best[0],
            module=best[1],
            layer=best[2],
            rate=rates.index(best[3]),
        )

    def table(self) -> pd.DataFrame:
        """The same data in numbers, as the page folds them below the widget."""
        place = ["task", "module", "layer"]
        rows = [
            [*cell[:3], f"{cell[3]:g}", f"{told[0]:.3f} / {told[3]:.3f}"]
            for cell, told in self.told.items()
        ]
        wide = pd.DataFrame(rows, columns=[*place, "ξ", "both"])
        table = wide.pivot(index=place, columns="ξ", values="both").fillna("–")
        table = table.loc[list(self.whole)]  # in their order
        table = table[[f"{rate:g}" for rate in self.cells["clip_rates"]]].reset_index()
        return table if len(self.whole) > 1 else table.drop(columns="task")

    def figure(self) -> plt.Figure:
        """The same data as a picture, for print and for pages without a script: a row a module, or
        a task where there are several.
        """
        tasks, modules, *_ = self.cells.values()
        several = len(tasks) > 1
        shape = (len(tasks), 2 * len(modules)) if several else (len(modules), 2)
        fig, axes = plt.subplots(
            *shape,
            figsize=(8.4, 3.4 * shape[0]),
            layout="constrained",
            squeeze=False,
            sharey=several,
        )
        panels = product(tasks, modules, (("accuracy", 0), ("discrimination", 3)))
        for ax, (task, module, (name, number)) in zip(axes.flat, panels):
            image = self._map(ax, task, module, number)
            title = f"{task},\n{module.upper()}, {name}" if several else f"{module.upper()}, {name}"
            ax.set_title(title, loc="left", fontsize="small" if several else "medium")
            ax.tick_params("x", rotation=90 * several)
        for ax in axes[:, 1:].flat if several else []:
            ax.set_ylabel("")  # the layers stand on the left
        fig.colorbar(image, ax=axes, label="change against no clip")
        plt.close(fig)
        return fig

    def _map(self, ax: plt.Axes, task: str, module: str, number: int) -> AxesImage:
        rates, layers = self.rates[task], self.cells["layers"]
        grid = [[self.told[task, module, x, rate][number] for rate in rates] for x in layers]
        change = np.array(grid) - summed_up(self.whole[task])[number]
        ax.set_xticks(range(len(rates)), [f"{rate:g}".replace("0.", ".") for rate in rates])
        ax.set_yticks(range(len(layers)), layers)
        ax.set(xlabel="clip rate ξ", ylabel="layer")
        return ax.imshow(change, cmap=plots.change(), vmin=-0.35, vmax=0.35, aspect="auto")

    def alt(self) -> str:
        """The picture told in words."""
        said = ["Maps of the change against no clip, layers down and clip rates across."]
        for task, whole in self.whole.items():
            base = summed_up(whole)
            of_task = [told for cell, told in self.told.items() if cell[0] == task]
            accuracy, discrimination = (
                [told[number] - base[number] for told in of_task] for number in (0, 3)
            )
            said.append(
                f"{f'On {task} accuracy' if task else 'Accuracy'} changes from"
                f" {points(min(accuracy))} to {points(max(accuracy))} points, discrimination from"
                f" {points(min(discrimination))} to {points(max(discrimination))}, of"
                f" {base[0]:.3f} and {base[3]:.3f} without a clip."
            )
        return " ".join(said)


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
