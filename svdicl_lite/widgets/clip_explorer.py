"""The clip explorer of chapters 05 and 06: every cell of some sweeps, two layers side by side, down
to single answers.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import traitlets

from svdicl_lite import plots
from svdicl_lite.plots import rate_axis
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.widgets.base import Widget, packed, script

CELL = ("module", "layer", "clip_rate")


class ClipExplorer(Widget):
    """Accuracy with its interval at every module, layer and rate of some sweeps, and which answers
    a clip turned, with their prompts.

    `runs` maps what tells a run from the others, such as ("sentiment", "flipped", 8), to its
    evaluator and the table that `sweep` made with it; `fields` names the parts, such as ("task",
    "label words", "shots"), and `tokenizer` turns prompts back into text. Raises ValueError unless
    there is a run for every combination of parts, each a sweep of the same cells, of label words.
    Taught in chapter 05.
    """

    _esm = script("clip_explorer")
    height = (1090, 1720)
    fields = traitlets.List().tag(sync=True)
    # modules, layers, clip_rates: a run's answers are in this order
    cells = traitlets.Dict().tag(sync=True)
    runs = traitlets.List().tag(sync=True)
    queries = traitlets.List().tag(sync=True)  # lists of prompts' last parts, shared by runs
    chosen = traitlets.List().tag(sync=True)  # one part a field
    module = traitlets.Unicode().tag(sync=True)
    layer_a = traitlets.Int(0).tag(sync=True)
    layer_b = traitlets.Int(0).tag(sync=True)
    # its place among the clip rates, which are not at equal distances
    rate = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        runs: dict[tuple, tuple[ICLEvaluator, pd.DataFrame]],
        fields: tuple[str, ...],
        tokenizer,
    ):
        check_every_combination(runs, fields)
        tables = {key: table for key, (_, table) in runs.items()}
        self.order = common_cells(tables)
        modules, layers, rates = (
            list(dict.fromkeys(self.order.get_level_values(name))) for name in CELL
        )
        self.tables = {
            key: table.set_index(list(CELL)).reindex(self.order).reset_index()
            for key, table in tables.items()
        }
        texts: list[list[str]] = []
        packed_runs = [self._packed(key, runs[key][0], tokenizer, texts) for key in runs]
        super().__init__(
            fields=list(fields),
            cells={"modules": modules, "layers": layers, "clip_rates": rates},
            runs=packed_runs,
            queries=texts,
            chosen=list(next(iter(runs))),
            module=modules[0],
            layer_a=layers[0],
            layer_b=layers[-1],
            rate=len(rates) - 1,
        )

    def table(self) -> pd.DataFrame:
        """The same data in numbers, as the page folds them below the widget."""
        rows, where = [], ("module", "layer", "n")
        for key, table in self.tables.items():
            for _, row in table.iterrows():
                accuracy = f"{row['accuracy']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
                told = dict(zip(self.fields, key)) | {name: row[name] for name in where}
                rows.append(told | {"ξ": f"{row['clip_rate']:g}", "accuracy": accuracy})
        columns = [*self.fields, *where]
        table = pd.DataFrame(rows).pivot(index=columns, columns="ξ", values="accuracy")
        return table[[f"{rate:g}" for rate in self.cells["clip_rates"]]].reset_index()

    def figure(self) -> plt.Figure:
        """The same data as a picture, for print and for pages without a script."""
        modules, rates = self.cells["modules"], self.cells["clip_rates"]
        fig, axes = plt.subplots(
            len(self.tables),
            len(modules),
            figsize=(4.2 * len(modules), 2.5 * len(self.tables)),
            layout="constrained",
            squeeze=False,
            sharex=True,
            sharey=True,
        )
        for row, (key, table) in zip(axes, self.tables.items()):
            for ax, module in zip(row, modules):
                for layer, line, colour in (
                    (self.layer_a, "o-", plots.ONE),
                    (self.layer_b, "s--", plots.TWO),
                ):
                    cells = table[(table["module"] == module) & (table["layer"] == layer)]
                    ax.errorbar(
                        range(len(rates)),
                        cells["accuracy"],
                        [cells["accuracy"] - cells["low"], cells["high"] - cells["accuracy"]],
                        fmt=line,
                        color=colour,
                        capsize=2,
                        label=f"layer {layer}",
                    )
                ax.set_title(", ".join(map(str, (*key, module))), loc="left", fontsize="small")
                ax.set_ylabel("accuracy")
        for ax in axes[-1]:
            rate_axis(ax, rates)
        axes[0, 0].legend(frameon=False, fontsize="small")
        plt.close(fig)
        return fig

    def alt(self) -> str:
        """The picture told in words."""
        a, b = self.layer_a, self.layer_b
        told = []
        for key, table in self.tables.items():
            of = table[table["module"] == self.module].pivot(
                index="layer", columns="clip_rate", values="accuracy"
            )
            told.append(
                f"{', '.join(map(str, key))}: from {of.loc[a].iloc[0]:.2f} to"
                f" {of.loc[a].iloc[-1]:.2f} in layer {a} and {of.loc[b].iloc[-1]:.2f} in layer {b}"
            )
        return (
            f"Accuracy against clip rate for layers {a} and {b}, a panel a run and module. "
            f"Without a clip and at the strongest one, {self.module.upper()}: {'; '.join(told)}."
        )

    def _packed(
        self, key: tuple, evaluator: ICLEvaluator, tokenizer, texts: list[list[str]]
    ) -> dict:
        if any(prompts.of_options for prompts in evaluator.groups):
            raise ValueError(
                f"the run {key} chooses between options, but the explorer shows answers that are"
                " label words; take another task"
            )
        shown, queries, words = shown_texts(evaluator, tokenizer)
        if queries not in texts:
            texts.append(queries)
        table = self.tables[key]
        outcomes = table["evaluation"]
        labels = outcomes.iloc[0].labels
        if len(labels) != len(queries):
            raise ValueError(
                f"the run {key} has an evaluator of {len(queries)} examples and a table of"
                f" {len(labels)}; give the evaluator that was swept"
            )
        answers = np.stack([outcome.predictions for outcome in outcomes])  # (cells, n)
        bits = max(1, (len(words[0]) - 1).bit_length())
        planes = [
            np.packbits(answers >> bit & 1, bitorder="little").tobytes() for bit in range(bits)
        ]
        return {
            "key": list(key),
            "queries": texts.index(queries),
            "shown": shown,
            "words": words,
            "labels": packed(labels, "uint8"),
            "sets": packed(evaluator.demonstration_sets, "uint8"),
            "planes": planes,
            **{name: packed(table[name]) for name in ("accuracy", "low", "high")},
        }


def check_every_combination(runs: dict[tuple, tuple], fields: tuple[str, ...]) -> None:
    """Raises ValueError unless there is a run for every combination of its keys' parts."""
    wanted = np.prod([len(set(parts)) for parts in zip(*runs, strict=True)])
    if len(runs) != wanted or any(len(key) != len(fields) for key in runs):
        raise ValueError(
            f"{len(runs)} runs are given, but the fields {', '.join(fields)} make {wanted:.0f}"
            " combinations; each needs its run"
        )


def common_cells(tables: dict[tuple, pd.DataFrame]) -> pd.MultiIndex:
    """Module, layer and clip rate of the cells that all tables have, in one order; raises
    ValueError if one has others, or none without a clip.
    """
    first = next(iter(tables.values()))
    order = pd.MultiIndex.from_product([first[name].unique().tolist() for name in CELL], names=CELL)
    for key, table in tables.items():
        cells = set(zip(*(table[name] for name in CELL)))
        if len(table) != len(order) or set(order) != cells:
            raise ValueError(
                f"the run {key} was swept over other cells than {next(iter(tables))}; sweep the"
                " same modules, layers and rates"
            )
    lowest = order[0][-1]
    if lowest != 0:
        raise ValueError(
            f"the sweeps begin at clip rate {lowest:g}, but answers are compared with those"
            " at 0; sweep 0 too"
        )
    return order


def shown_texts(evaluator: ICLEvaluator, tokenizer) -> tuple[list[str], list[str], list]:
    """The demonstrations of each set, what follows them in each prompt, and each set's words."""
    shown, queries, words = [], [], []
    for prompts in evaluator.groups:
        whole = tokenizer.batch_decode(prompts.contexts)
        same = os.path.commonprefix(whole) if len(whole) > 1 else whole[0]
        shown.append(same[: same.rfind("\n") + 1])
        queries += [text[len(shown[-1]) :] for text in whole]
        tokens = [[token] for token in prompts.label_tokens[0]]
        words.append([word.strip() for word in tokenizer.batch_decode(tokens)])
    return shown, queries, words
