"""The pictures of the model cards: what a model can do on the test, and how it came to it."""

from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from svdicl_lite import figures, numbers, plots

COLOURS = (plots.ONE, plots.TWO, plots.THREE, plots.FOUR)
MARKERS = "osD^"
STYLES = ("-", "--")  # of two tasks
CONTROLS = ("least_squares", "averaging", "logistic_regression", "nearest_neighbour")
BY_SHOTS = 3  # numbers of demonstrations from which on they are an axis
TOLD = 8  # demonstrations after which the caption tells how it does


def ability(name: str, card: dict, file: Path) -> tuple[str, str]:
    """Draws the test figures of a card; returns a caption, and the text for who does not see.

    What all pictures have in common stands once on the page, and not in the captions.
    """
    plots.style()
    test = card["test"]
    if isinstance(test, dict):
        caption = _errors(test)
    elif len({row.get("shots") for row in test}) >= BY_SHOTS:
        caption = _by_shots(test)
    else:
        caption = _dots(test)
    file.write_text(figures.both(plt.gcf()), encoding="utf-8")
    plt.close()
    rows = [measured[-1] for measured in test.values()] if isinstance(test, dict) else test
    measure = "error" if isinstance(test, dict) else "accuracy"
    values = [row[measure] for row in rows]
    ends = f"from {min(values):.2f} to {max(values):.2f}"
    what = "Squared errors" if measure == "error" else "Accuracies"
    told = f"{what} of {name} on the test: {len(rows)} of them, {ends}."
    return f"`{name}` {caption}", told


def _look(at: int, name: str) -> dict:
    """Colour and marker of one of several things compared; controls are grey."""
    colour = plots.GONE if name in CONTROLS else COLOURS[at % len(COLOURS)]
    return {"color": colour, "marker": MARKERS[at % len(MARKERS)], "label": name.replace("_", " ")}


def _error_bars(ax, rows: list[dict], along: str, at: Callable[[dict], float], **look) -> None:
    values = [row["accuracy"] for row in rows]
    ends = [
        [max(0, row["accuracy"] - row["low"]) for row in rows],
        [max(0, row["high"] - row["accuracy"]) for row in rows],
    ]
    places = [at(row) for row in rows]
    if along == "x":
        ax.errorbar(places, values, yerr=ends, capsize=2, ms=5, **look)
    else:
        ax.errorbar(values, places, xerr=ends, capsize=2, ms=6, ls="", **look)


def _by_shots(test: list[dict]) -> str:
    """A panel a task, a line a setting of the labels, shots from left to right."""
    tasks, labels, shots = (_distinct(test, key) for key in ("task", "labels", "shots"))
    size = {"figsize": (plots.TEXT, 2.9), "squeeze": False}
    fig, axes = plt.subplots(1, len(tasks), sharey=True, **size)
    for ax, task in zip(axes[0], tasks):
        for at, label in enumerate(labels):
            rows = [row for row in test if (row["task"], row["labels"]) == (task, label)]
            _error_bars(ax, rows, "x", lambda row: shots.index(row["shots"]), **_look(at, label))
        ax.set_xticks(range(len(shots)), shots)
        ax.set(xlabel="demonstrations", ylim=(-0.03, 1.05))
        ax.set_title(task, loc="left", fontsize="medium")
    axes[0][0].set_ylabel("accuracy")
    handles, names = axes[0][0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
    return _flipped(test)


def _flipped(test: list[dict]) -> str:
    """What a model makes of flipped labels, which tell reading from what the words usually mean."""
    shots = min((row["shots"] for row in test), key=lambda at: abs(at - TOLD))
    told = [
        f"{numbers.estimate(row['accuracy'], (row['low'], row['high']))} on {row['task']}"
        for row in test
        if (row["labels"], row["shots"]) == ("flipped", shots)
    ]
    return (
        f"after {shots} demonstrations with flipped labels: {' and '.join(told)}"
        f" ($n$ = {test[0]['n']:,} a dot)."
    )


def _dots(test: list[dict]) -> str:
    """A row a case, a dot a setting; of several numbers of demonstrations, after the most."""
    most = max((row.get("shots", 0) for row in test), default=0)
    test = [row for row in test if row.get("shots", 0) == most]
    rows_by = next(key for key in ("task", "table", "context") if key in test[0])
    dots_by = next(key for key in ("labels", "by", "clip") if key in test[0])
    cases, things = _distinct(test, rows_by), _distinct(test, dots_by)
    fig, ax = plt.subplots(figsize=(plots.TEXT, 1.3 + 0.32 * len(cases)))
    for at, thing in enumerate(things):
        shift = 0.17 * (at - (len(things) - 1) / 2)
        look = _look(at, str(thing))
        if dots_by == "clip":
            look["label"] = "as trained" if thing is None else "clipped"
            look["color"] = plots.PLAIN if thing is None else plots.CLIP
        rows = [row for row in test if row[dots_by] == thing]
        _error_bars(ax, rows, "y", lambda row, by=shift: cases.index(row[rows_by]) + by, **look)
    ax.set_yticks(range(len(cases)), [str(case).replace("_", " ") for case in cases])
    ax.set(ylim=(len(cases) - 0.5, -0.5), xlim=(-0.03, 1.03), xlabel="accuracy")
    ax.grid(axis="x", color="0.9")
    fig.legend(loc="outside lower center", ncols=len(things), frameon=False)
    after = f" after {most} demonstrations" if most else ""
    n = sorted({row["n"] for row in test})
    of = f"{n[0]:,}" if len(n) == 1 else f"{n[0]:,} to {n[-1]:,}"
    return f"by {rows_by}{after} ($n$ = {of} a dot)."


def _errors(test: dict[str, list[dict]]) -> str:
    """Squared errors by the number of examples, a line a stage, dark to light."""
    fig, ax = plt.subplots(figsize=(plots.TEXT, 3.4))
    stages = [who for who in test if who not in CONTROLS]
    for at, (who, rows) in enumerate(test.items()):
        ordered = (
            plt.cm.viridis(0.85 * stages.index(who) / max(1, len(stages) - 1))
            if who in stages
            else plots.GONE
        )
        look = _look(at, who) | {"color": ordered, "ls": "-" if who in stages else "--", "ms": 5}
        ax.plot([row["examples"] for row in rows], [row["error"] for row in rows], **look)
    ax.set(xlabel="examples in the prompt", ylabel="squared error", ylim=(-0.03, 1.6))
    fig.legend(loc="outside lower center", ncols=3, frameon=False)
    n = next(iter(test.values()))[0]["n"]
    return (
        "at each stage, dark to light: squared error on the test by the number of examples"
        f" ($n$ = {n:,} lines)."
    )


def _distinct(rows: list[dict], key: str) -> list:
    found = []
    for row in rows:
        if row.get(key) not in found:
            found.append(row.get(key))
    return found


def curve(measured: list[dict], file: Path) -> str:
    """Draws a training curve, losses on the left; returns the text for who does not see it."""
    plots.style()
    named = [key for key in measured[0] if key != "step"]
    losses = [key for key in named if "loss" in key]
    others = [key for key in named if "loss" not in key]
    fig, (left, right) = plt.subplots(1, 2, figsize=(plots.TEXT, 3.5))
    steps = [row["step"] for row in measured]
    for key in losses:
        left.plot(steps, [row[key] for row in measured], color=plots.PLAIN)
    lines = _lines(measured, others)
    for label, look, values in lines:
        look |= {"ms": 3.5, "lw": 1.25, "label": label.replace("_", " ")}
        right.plot(steps, values, **look)
    measure = (
        "error" if "error" in others[0] else "share" if "noise_share" in others else "accuracy"
    )
    if 2 * len(lines) < len(others):
        measure = f"mean {measure}"
    left.set(xlabel="training step", ylabel=losses[0].replace("_", " "))
    right.set(xlabel="training step", ylabel=measure)
    fig.legend(loc="outside lower center", ncols=2, frameon=False)
    file.write_text(figures.both(fig), encoding="utf-8")
    plt.close(fig)
    return (
        f"Two panels by training step, {len(steps)} points each: {', '.join(losses)}, which ends at"
        f" {measured[-1][losses[0]]:.2f}, and {', '.join(others)}."
    )


def _lines(measured: list[dict], named: list[str]) -> list[tuple[str, dict, list[float]]]:
    """Label, look and values of the lines of some measures; of more than two tasks their mean."""
    parts = {key: (key, "") if len(named) <= len(COLOURS) else _parts(key) for key in named}
    settings, tasks = (list(dict.fromkeys(part[at] for part in parts.values())) for at in (0, 1))
    kinds = [*parts.values()] if len(tasks) <= 2 else [(setting, None) for setting in settings]
    lines = []
    for setting, task in kinds:
        keys = [k for k, part in parts.items() if part[0] == setting and task in (None, part[1])]
        at = settings.index(setting)
        look = {"color": COLOURS[at], "marker": MARKERS[at]}
        look["ls"] = STYLES[tasks.index(task)] if task else "-"
        values = [sum(row[key] for key in keys) / len(keys) for row in measured]
        lines.append((f"{task} {setting}" if len(tasks) == 2 else setting, look, values))
    return lines


def _parts(key: str) -> tuple[str, str]:
    """Setting and task of a measure: topic flipped, sentiment-jargon, topic (in common words)."""
    task, _, setting = key.partition(" ")
    if not setting:
        task, _, setting = key.partition("-")
    return setting or "common", task
