"""How much of a clip's effect is the removal of rounding: gathered for the card of SmolLM2 from
what `benchmarks/quantised.py --write` kept.
"""

import json
from pathlib import Path

from gathered import captioned
from verdicts import interval_beside, paragraph, statements


def rounding(experiments: Path) -> str:
    """Tables and verdicts, a model after the other."""
    path = experiments / "quantised.json"
    if not path.is_file():
        return "There are no figures yet; `python benchmarks/quantised.py --write` computes them."
    found = json.loads(path.read_text())
    parts = [
        f"Flipped sentiment, validation, n = {found['n']}, {found['shots']} demonstrations,"
        f" {found['sets']} sets of them; intervals over sets."
    ]
    stated = statements(found["hypothesis"])
    for name, result in found["models"].items():
        *single, both = result["effects"]
        parts += [
            f"**`{name}`.** {_effect(both)} {_above_and_below(single)}",
            _cut(name, result["cut"]),
        ]
        figures = _figures(result)
        parts += [
            paragraph(f"{which} of `{name}`", stated[which], holds, figures[which])
            for which, holds in result["verdicts"].items()
        ]
    return "\n\n".join([*parts, conclusion(found["models"])])


def _effect(both: dict) -> str:
    return (
        f"A clip changes accuracy, in the mean of {both['cells']} cells, by"
        f" {both['accuracy_exact']:+.3f} on the exact weights and by"
        f" {both['accuracy_four_bits']:+.3f} on four bits; discrimination by"
        f" {both['discrimination_exact']:+.3f} and {both['discrimination_four_bits']:+.3f}."
    )


def _above_and_below(single: list[dict]) -> str:
    intervals = [
        row[f"{what}_interval"] for row in single for what in ("accuracy", "discrimination")
    ]
    above = sum(low > 0 for low, _ in intervals)
    below = sum(high < 0 for _, high in intervals)
    return (
        f"By module and rate, {above} of {len(intervals)} intervals of the difference lie above 0"
        f" and {below} below; with no difference at all chance would put about"
        f" {0.05 * len(intervals):g} there."
    )


def _cut(name: str, cut: dict) -> str:
    rows = [
        {
            "weights": row["weights"],
            "accuracy": interval_beside(row["accuracy"], row["accuracy_interval"]),
            "discrimination": interval_beside(
                row["discrimination"], row["discrimination_interval"]
            ),
            "squared error of the weights": f"{row['squared_error']:.2f}",
            "distance of the scores": f"{row['score_distance']:.4f}",
        }
        for row in cut["rows"]
    ]
    of = {
        what: interval_beside(
            cut["effects"][f"{what}_difference"], cut["effects"][f"{what}_interval"], 3, True
        )
        for what in ("accuracy", "discrimination")
    }
    shown = captioned(
        f"`{name}` with exact weights, rounded to four bits, and cut. The distance of the scores is"
        " a share of their variance between examples.",
        f"tbl-rounding-{name}",
        rows,
    )
    return (
        f"The cut takes all that lies under the rounding's spectrum, {cut['removed']:.1%} of the"
        f" singular values, in {cut['touched']} of {cut['matrices']} matrices.\n\n"
        f"{shown}\n\n"
        f"What the cut does to four bits, less what it does to exact weights: accuracy"
        f" {of['accuracy']}, discrimination {of['discrimination']}."
    )


def _figures(result: dict) -> dict[str, str]:
    both, cut = result["effects"][-1], result["cut"]
    _, before, after, _ = cut["rows"]
    of = {
        what: interval_beside(both[f"{what}_difference"], both[f"{what}_interval"], 3, True)
        for what in ("accuracy", "discrimination")
    }
    low, high = cut["farther_interval"]
    farther = interval_beside(cut["farther"], (low, high), 5, True)
    unclear = ", which cannot be told from 0" if low <= 0 <= high else ""
    return {
        "H1": f"Effect on four bits less effect on exact weights: accuracy {of['accuracy']},"
        f" discrimination {of['discrimination']}.",
        "H2": f"The squared error goes from {before['squared_error']:.2f} to"
        f" {after['squared_error']:.2f}.",
        "H3": f"The distance of the scores changes by {farther}{unclear}.",
    }


def conclusion(models: dict) -> str:
    """What the figures say of denoising, which would make a clip's effect better on four bits."""
    clear = [
        f"{what} of `{name}`"
        for name, result in models.items()
        for what in ("accuracy", "discrimination")
        if result["effects"][-1][f"{what}_interval"][0] > 0
    ]
    if clear:
        return (
            f"Denoising shows, as an effect that is better on four bits, in {' and '.join(clear)}."
        )
    most = max(result["effects"][-1]["accuracy_interval"][1] for result in models.values())
    return (
        "**No denoising can be told at this n.** If clips took away the quantiser's noise, their"
        " effect would be better on four bits than on the exact weights. Over all cells no interval"
        " of the difference lies above 0, in accuracy or in discrimination, on either model; the"
        f" largest gain in accuracy that they leave open is {100 * most:.1f} points."
        " These are small models with matrices of their own; SmolLM2's exact weights are not in the"
        " package index, so for it this cannot be measured."
    )
