"""What the build gathers for two pages: the model cards of the shipped models, and what each
chapter took, from its executed notebook.

`% gathered models` in `book/models.md` and `% gathered status` in `book/status.md` give way to it.
In the paper map, `chapter NN` becomes a link once that chapter exists.
"""

import json
import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from api import chapter_labels

from svdicl_lite import figures, numbers, plots
from svdicl_lite.models.loading import model_card, shipped_models

SHOWN = (
    "register",
    "task",
    "labels",
    "table",
    "by",
    "context",
    "clip",
    "shots",
    "examples",
    "level",
)  # what says which case a test figure is of


def _models(folder: Path) -> str:
    return "\n".join(_model(name, model_card(name), folder) for name in shipped_models())


def _model(name: str, card: dict, folder: Path) -> str:
    base = card["recipe"].get("start_from")
    seconds = f"{card['seconds']:,} s" + (
        f" ({card['cpu_seconds']:,} s of CPU)" if "cpu_seconds" in card else ""
    )
    facts = {
        "weights": f"{card['parameters']:,}",
        "made from": f"`{base}`" if base else "nothing (random weights)",
        "seed": card["recipe"]["seed"],
        "trained on": (
            f"{card['device']}, {card['threads']} thread{'s' * (card['threads'] > 1)}, {seconds}"
        ),
        "with": f"torch {card['torch']}, transformers {card['transformers']}",
    }
    lines = [
        f"### {name}",
        "",
        "| | |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in facts.items()),
        "",
    ]
    lines += [":::{admonition} Recipe", ":class: dropdown", *_recipe(card["recipe"]), ":::", ""]
    lines += _tests(card["test"])
    if len(card["curve"]) > 1:
        _curve(card["curve"], folder / f"curve_{name}.svg")
        measured = ", ".join(key for key in card["curve"][-1] if key != "step")
        points = (
            f" Each point is measured on {card['curve_n']} validation examples."
            if "curve_n" in card
            else ""
        )
        lines += [
            f":::{{figure}} ../curve_{name}.svg",
            (
                f":alt: Training curve of {name} by step, {len(card['curve'])} points, with a line"
                f" each for {measured}."
            ),
            "",
            f"Training curve of `{name}`.{points}",
            ":::",
            "",
        ]
    return "\n".join(lines)


def _recipe(recipe: dict) -> list[str]:
    plain = {key: value for key, value in recipe.items() if key != "phases"}
    lines = ["", markdown_table([{"setting": key, "value": value} for key, value in plain.items()])]
    if phases := recipe.get("phases"):
        upright = [
            {"phase": key, **{str(i): phase[key] for i, phase in enumerate(phases, start=1)}}
            for key in phases[0]
        ]
        lines += ["", "Phases, in order:", "", markdown_table(upright)]
    return [*lines, ""]


def _tests(test) -> list[str]:
    if isinstance(test, dict):  # by stage: what follows the most examples
        rows = [{"who": who, **measured[-1]} for who, measured in test.items()]
        measure = "error"
    else:
        rows, measure = test, "accuracy"
    shown = [
        {
            **{key: row[key] for key in ("who", *SHOWN) if key in row},
            "n": f"{row['n']:,}",
            measure: numbers.estimate(row[measure], (row["low"], row["high"])),
        }
        for row in rows
    ]
    return [
        ":::{admonition} Test figures",
        ":class: dropdown",
        "",
        markdown_table(shown),
        "",
        ":::",
        "",
    ]


def markdown_table(rows: list[dict]) -> str:
    """A table in Markdown, a row a dict, the keys of the first one its head."""
    columns = list(rows[0])
    cell = lambda value: (
        "none"
        if value is None
        else ", ".join(map(str, value))
        if isinstance(value, list)
        else str(value)
    ).replace("|", "\\|")
    return "\n".join(
        [
            f"| {' | '.join(columns)} |",
            "|" + "---|" * len(columns),
            *(f"| {' | '.join(cell(row[c]) for c in columns)} |" for row in rows),
        ]
    )


def _curve(curve: list[dict], path: Path) -> None:
    plots.style()
    fig, axes = plt.subplots(1, 2, figsize=(9.4, 3.2), layout="constrained")
    measured = [key for key in curve[0] if key != "step"]
    for ax, keys in zip(
        axes,
        (
            [key for key in measured if "loss" in key],
            [key for key in measured if "loss" not in key],
        ),
    ):
        for key, style in zip(keys, ("-", "--", "-.", ":") * 2):
            ax.plot(
                [row["step"] for row in curve],
                [row[key] for row in curve],
                style,
                marker="o",
                ms=3,
                label=key,
            )
        ax.set(xlabel="training step")
        ax.legend(frameon=False, fontsize="small", loc="best")
    path.write_text(figures.both(fig), encoding="utf-8")
    plt.close(fig)


def _status(folder: Path) -> str:
    rows, versions = [], {}
    for path in sorted((folder / "chapters").glob("*.ipynb")):
        if ".failed" in path.name or ".input" in path.name:
            continue
        status = json.loads(path.read_text())["metadata"].get("status")
        if status:
            rows.append(
                {
                    "chapter": f"{{doc}}`/chapters/{path.stem}`",
                    "profile": status["profile"],
                    "seed": status["seed"],
                    "seconds": f"{status['seconds']:.0f}",
                    "peak memory, MB": f"{status['megabytes']:,}",
                }
            )
            versions = versions | status["versions"]
    listed = [{"software": name, "version": number} for name, number in versions.items()]
    return (
        f"{markdown_table(rows)}\n\n{markdown_table(listed)}"
        if rows
        else "No chapter of this site was run by `run_chapter.py`."
    )


def _gather(app, docname, source) -> None:
    for name, gather in (("models", _models), ("status", _status)):
        if docname == f"book/{name}":
            source[0] = source[0].replace(f"% gathered {name}", gather(Path(app.srcdir)))
    if docname == "book/paper_map":
        labels = chapter_labels()
        source[0] = re.sub(
            r"\b[Cc]hapter (\d\d)",
            lambda found: f"{{ref}}`{labels[found[1]]}`" if found[1] in labels else found[0],
            source[0],
        )


def setup(app):
    app.connect("source-read", _gather)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
