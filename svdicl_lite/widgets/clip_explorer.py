"""The clip explorer of chapters 04 and 05: every cell of some sweeps, two layers side by side, down
to single answers.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import traitlets

from svdicl_lite.plots import rate_axis
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.widgets.base import Widget, packed, script


class ClipExplorer(Widget):
    """Accuracy with its interval at every module, layer and rate of some sweeps, and which answers
    a clip turned, with their prompts.

    `runs` maps what tells a run from the others, such as ("sentiment", "flipped", 8), to its
    evaluator and the table that `sweep` made with it; `fields` names the parts, such as ("task",
    "label words", "shots"), and `tokenizer` turns prompts back into text. Raises ValueError unless
    there is a run for every combination of parts, each a sweep of the same cells, of label words.
    Taught in chapter 04.
    """

    _esm = script("clip_explorer")
    fields = traitlets.List().tag(sync=True)
    cells = traitlets.Dict().tag(
        sync=True
    )  # modules, layers, clip_rates: a run's answers are in this order
    runs = traitlets.List().tag(sync=True)
    queries = traitlets.List().tag(sync=True)  # lists of prompts' last parts, shared by runs
    chosen = traitlets.List().tag(sync=True)  # one part a field
    module = traitlets.Unicode().tag(sync=True)
    layer_a = traitlets.Int(0).tag(sync=True)
    layer_b = traitlets.Int(0).tag(sync=True)
    rate = traitlets.Int(0).tag(
        sync=True
    )  # its place among the clip rates, which are not at equal distances

    def __init__(
        self,
        runs: dict[tuple, tuple[ICLEvaluator, pd.DataFrame]],
        fields: tuple[str, ...],
        tokenizer,
    ):
        tables = {key: table for key, (_, table) in runs.items()}
        wanted = np.prod([len(set(parts)) for parts in zip(*runs, strict=True)])
        if len(runs) != wanted or any(len(key) != len(fields) for key in runs):
            raise ValueError(
                f"{len(runs)} runs are given, but the fields {', '.join(fields)} make {wanted:.0f}"
                " combinations; each needs its run"
            )
        first = next(iter(tables.values()))
        modules, layers, rates = (
            [value.item() if hasattr(value, "item") else value for value in first[name].unique()]
            for name in ("module", "layer", "clip_rate")
        )
        self.order = pd.MultiIndex.from_product(
            [modules, layers, rates], names=["module", "layer", "clip_rate"]
        )
        for key, table in tables.items():
            if len(table) != len(self.order) or set(self.order) != set(
                zip(table["module"], table["layer"], table["clip_rate"])
            ):
                raise ValueError(
                    f"the run {key} was swept over other cells than {next(iter(tables))}; sweep the"
                    " same modules, layers and rates"
                )
        if rates[0] != 0:
            raise ValueError(
                f"the sweeps begin at clip rate {rates[0]:g}, but answers are compared with those"
                " at 0; sweep 0 too"
            )
        self.tables = {
            key: table.set_index(["module", "layer", "clip_rate"]).reindex(self.order).reset_index()
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
        rows = []
        for key, table in self.tables.items():
            for _, row in table.iterrows():
                where = dict(zip(self.fields, key)) | {
                    "module": row["module"],
                    "layer": row["layer"],
                    "n": row["n"],
                }
                rows.append(
                    where
                    | {
                        "ξ": f"{row['clip_rate']:g}",
                        "accuracy": f"{row['accuracy']:.3f} [{row['low']:.3f}, {row['high']:.3f}]",
                    }
                )
        columns = [*self.fields, "module", "layer", "n"]
        return (
            pd.DataFrame(rows)
            .pivot(index=columns, columns="ξ", values="accuracy")[
                [f"{rate:g}" for rate in self.cells["clip_rates"]]
            ]
            .reset_index()
        )

    def figure(self) -> plt.Figure:
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
                for layer, line in zip((self.layer_a, self.layer_b), ("o-", "s--")):
                    cells = table[(table["module"] == module) & (table["layer"] == layer)]
                    ax.errorbar(
                        range(len(rates)),
                        cells["accuracy"],
                        [cells["accuracy"] - cells["low"], cells["high"] - cells["accuracy"]],
                        fmt=line,
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
        if not all(hasattr(prompts, "label_tokens") for prompts in evaluator.groups):
            raise ValueError(
                f"the run {key} chooses between options, but the explorer shows answers that are"
                " label words; take another task"
            )
        shown, queries, words = (
            [],
            [],
            [],
        )  # demonstrations and label words of each set, what follows them in each prompt
        for prompts in evaluator.groups:
            whole = tokenizer.batch_decode(prompts.tokens)
            same = os.path.commonprefix(whole) if len(whole) > 1 else whole[0]
            shown.append(same[: same.rfind("\n") + 1])
            queries += [text[len(shown[-1]) :] for text in whole]
            words.append(
                [
                    word.strip()
                    for word in tokenizer.batch_decode(
                        [[token] for token in prompts.label_tokens[0]]
                    )
                ]
            )
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
