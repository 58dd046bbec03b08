"""What four bits mean for the singular values of SmolLM2: tables and a figure, gathered for its
card from `experiments/smollm2_spectra`.
"""

from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from gathered import captioned, markdown_table
from verdicts import stated_and_found

from svdicl_lite import figures, plots
from svdicl_lite.clipping.families import MODULES
from svdicl_lite.clipping.spectra import chosen_layer
from svdicl_lite.search.committed_spectra import spectra

FLOORS = {
    "condition_number": "as they are",
    "floored": "$\\sigma_{\\min}$ floored at the noise's top",
    "floored_drawn": "floored at a drawn rounding's largest",
}


def four_bits(experiments: Path, folder: Path) -> str:
    """The part of the card about the spectra; its figure goes into `folder`."""
    path = experiments / "smollm2_spectra.toml"
    try:
        table = spectra(path).sort_values(["layer", "role"])
    except FileNotFoundError as error:
        return f"There are no figures yet: {error}."
    _figure(table, folder / "smollm2_conditions.svg")
    spectra_of, noises = by_role(table)
    parts = [
        captioned(
            "Singular values by type of matrix: the median over the layers, least to largest in"
            " brackets.",
            "tbl-smollm2-spectra",
            spectra_of,
        ),
        captioned(
            "What the rounding has to do with them: the median over the layers, least to largest in"
            " brackets; *floored* is the condition number with the noise's top as the least.",
            "tbl-smollm2-noise",
            noises,
        ),
        lottery(table),
        ":::{admonition} Every layer\n:class: dropdown\n",
        markdown_table([_row(row) for row in table.itertuples()]),
        ":::",
        _figure_directive(table),
        captioned(
            "The paper's rule takes the deeper of the two layers whose module has the largest"
            " condition number; which one that is depends on what counts as the least singular"
            " value.",
            "tbl-smollm2-rule",
            rule(table),
        ),
        redrawn(table),
        *stated_and_found(path, verdicts(table)),
    ]
    return "\n\n".join(parts)


def by_role(table: pd.DataFrame) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """A row for each type of matrix, twice: its own spectrum, and what the rounding has to do with
    it.
    """
    spectra_of, noises = [], []
    for role in MODULES["all"]:
        of_role = table[table["role"] == role]
        if of_role.empty:
            continue
        m, n = of_role["m"].iloc[0], of_role["n"].iloc[0]
        matrix = {"matrix": f"{role} ({m} × {n})"}
        spectra_of.append(
            matrix
            | {
                "$\\sigma_{\\max}$": _range(of_role["sigma_max"], ".1f"),
                "$\\sigma_{\\min}$": _range(of_role["sigma_min"], ".2g"),
                "condition number": _range(of_role["condition_number"], ",.0f"),
            }
        )
        noises.append(
            matrix
            | {
                "noise's top": _range(of_role["noise_high"], ".2f"),
                "drawn top": _range(of_role["noise_drawn"], ".2f"),
                "share of $\\sigma$ under the top": _range(of_role["below"], ".1%"),
                "floored": _range(of_role["floored"], ",.0f"),
            }
        )
    return spectra_of, noises


def _range(values: pd.Series, form: str) -> str:
    return f"{values.median():{form}} ({values.min():{form}}–{values.max():{form}})"


def _row(row) -> dict[str, str]:
    return {
        "layer": row.layer,
        "matrix": row.role,
        "$\\sigma_{\\max}$": f"{row.sigma_max:.1f}",
        "condition number": f"{row.condition_number:,.0f}",
        "under the top": f"{row.below:.1%}",
        "floored": f"{row.floored:,.1f}",
    }


def square(table: pd.DataFrame) -> pd.DataFrame:
    """The matrices with as many rows as columns."""
    return table[table["m"] == table["n"]]


def lottery(table: pd.DataFrame) -> str:
    """What a condition number of a square matrix is made of."""
    times = square(table)["noise"] / square(table)["sigma_min"]
    return (
        "**Condition numbers of square matrices are the quantiser's and chance's.** Rounding moves"
        " a singular value, to first order, by $u^\\top E v$, whose deviation is that of the"
        " rounding of one weight. In the median square matrix that is"
        f" {times.median():.0f} times $\\sigma_{{\\min}}$ itself (least {times.min():.1f}, most"
        f" {times.max():.0f}): another rounding of the same weights would have given"
        " another $\\sigma_{\\min}$, and with it another condition number."
    )


def rule(table: pd.DataFrame) -> list[dict[str, str]]:
    """Which layer the paper's rule picks of attention and MLP, by each way to count σ_min."""
    rows = []
    for module in ("attn", "mlp"):
        for column, said in FLOORS.items():
            largest = by_layer(table, module, column).nlargest(2)
            two = ", ".join(f"{layer} ({value:,.0f})" for layer, value in largest.items())
            rows.append(
                {
                    "module": module,
                    "$\\sigma_{\\min}$": said,
                    "two largest": two,
                    "picks layer": picked(table, module, column),
                }
            )
    return rows


def by_layer(table: pd.DataFrame, module: str, column: str) -> pd.Series:
    """The largest condition number in each layer's module."""
    of_module = table[table["role"].isin(MODULES[module])]
    return of_module.groupby("layer")[column].max()


def picked(table: pd.DataFrame, module: str, column: str) -> int:
    """The layer that the paper's rule picks."""
    of_module = table[table["role"].isin(MODULES[module])]
    return chosen_layer(of_module.assign(condition_number=of_module[column]))


def redrawn_picks(table: pd.DataFrame, module: str) -> list[int]:
    """The layer that the rule picks with one more rounding, for each that was drawn."""
    columns = zip(*table["redrawn"])
    return [picked(table.assign(again=again), module, "again") for again in columns]


def redrawn(table: pd.DataFrame) -> str:
    """What the rule picks if the weights are rounded once more."""
    rows = []
    for module in ("attn", "mlp"):
        picks = Counter(redrawn_picks(table, module))
        layers = ", ".join(f"{layer} ({times})" for layer, times in picks.most_common())
        rows.append({"module": module, "layers picked, and how often": layers})
    draws = len(table["redrawn"].iloc[0])
    return captioned(
        "What the rule picks if the stored weights are rounded once more, with errors of the same"
        f" size, drawn {draws} times, and no floor.",
        "tbl-smollm2-redrawn",
        rows,
    )


def verdicts(table: pd.DataFrame) -> dict[str, tuple[bool, str]]:
    """Of each hypothesis in smollm2_spectra.toml whether it holds, and the figures."""
    shares = square(table)["sigma_min"] / square(table)["noise_high"]
    mlp = table[table["role"].isin(MODULES["mlp"])]
    n_touched, largest = int((mlp["below"] > 0).sum()), mlp["below"].max()
    picks = {
        module: [picked(table, module, column) for column in ("condition_number", "floored")]
        for module in ("attn", "mlp")
    }
    (attn, attn_floored), (one, one_floored) = picks["attn"], picks["mlp"]
    again = {module: redrawn_picks(table, module) for module in ("attn", "mlp")}
    others, same = sum(layer != attn for layer in again["attn"]), again["mlp"].count(one)
    draws = len(again["attn"])
    return {
        "H1": (
            bool((shares < 0.1).all()),
            f"The largest such share is {shares.max():.3f}, of {len(shares)} matrices.",
        ),
        "H2": (
            n_touched == 0,
            f"{n_touched} of {len(mlp)} matrices have some there, at most {largest:.1%} of them.",
        ),
        "H3": (
            attn != attn_floored and one == one_floored,
            f"ATTN: layer {attn} without the floor and {attn_floored} with it; MLP: {one} and"
            f" {one_floored}.",
        ),
        "H4": (
            others >= draws / 2 and same >= 0.9 * draws,
            f"ATTN: another layer than {attn} in {others} of {draws} draws; MLP: layer {one} in"
            f" {same} of them.",
        ),
    }


def _figure(table: pd.DataFrame, path: Path) -> None:
    plots.style()
    fig, axes = plt.subplots(1, 2, figsize=(plots.COLUMN, 4.2))
    for ax, module in zip(axes, ("attn", "mlp")):
        for (column, said), style in zip(FLOORS.items(), ("-o", "--s", ":D")):
            ax.plot(by_layer(table, module, column), style, ms=4, lw=1.2, label=said)
        ax.set(yscale="log" if module == "attn" else "linear", xlabel="layer")
        ax.set_title(module.upper(), loc="left", fontsize="medium")
        ax.minorticks_off()
    axes[0].set_ylabel("largest condition number")
    lines = axes[0].get_legend_handles_labels()
    fig.legend(*lines, loc="outside lower center", frameon=False, fontsize="small")
    path.write_text(figures.both(fig), encoding="utf-8")
    plt.close(fig)


def _figure_directive(table: pd.DataFrame) -> str:
    ends = {
        (module, column): by_layer(table, module, column)
        for module in ("attn", "mlp")
        for column in ("condition_number", "floored")
    }
    said = {key: f"{values.min():,.0f} to {values.max():,.0f}" for key, values in ends.items()}
    return (
        ":::{figure} ../smollm2_conditions.svg\n"
        ":alt: Largest condition number of each layer, two panels. Attention: from"
        f" {said['attn', 'condition_number']} as they are, {said['attn', 'floored']} with the"
        f" floor. MLP: {said['mlp', 'condition_number']} as they are,"
        f" {said['mlp', 'floored']} with the floor.\n\n"
        "The largest condition number in each layer, with $\\sigma_{\\min}$ as it is, floored at"
        " the noise's top, and floored at the largest of a drawn rounding; the scale on the left is"
        " logarithmic."
        "\n:::"
    )
