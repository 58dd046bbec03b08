"""The book's figures: seaborn, colour-blind safe, with room for a caption instead of a title.

Each function draws on axes it makes itself and returns the figure. Used from chapter 01 on.
"""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.colors import LinearSegmentedColormap

from svdicl_lite import figures, letters
from svdicl_lite.search.results import SearchResult

# What a colour stands for, in all figures, drawings and widgets (book/assets/README.md).
PLAIN = "#222222"  # the model as it was trained: no clip
CLIP = "#0067a6"  # a clipped model, and what a clip keeps
GONE = "#8f8f8f"  # what is removed; controls; chance
ATTN = "#57318f"
MLP = "#b84a00"
ONE, TWO, THREE, FOUR = "#0c571a", "#b41b87", "#806600", "#4e565e"
"""Things of one kind that are compared: models, tasks, labels, settings; with a marker each."""

TEXT, COLUMN = 6.5, 8.0
"""Inches. A figure has one of two widths, `figsize=(plots.TEXT, 3.6)`: it ends where the text of a
page does, or, with panels side by side, where its column does; then letters have their size.
"""


def style() -> None:
    """Sets the look of every figure of the book, and its format; call it once at the top of a
    notebook.
    """
    letters.register()
    sns.set_theme(
        context="notebook",
        style="ticks",
        palette=[ONE, TWO, THREE, FOUR],
        rc={
            **letters.SETTINGS,
            "figure.dpi": 110,
            "figure.figsize": (TEXT, 3.6),
            "figure.constrained_layout.use": True,
            "figure.constrained_layout.w_pad": 0.01,  # what is drawn ends where the figure ends
            "figure.constrained_layout.wspace": 0.06,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.linewidth": 1,
            "axes.labelpad": 7,
            "xtick.major.size": 4,
            "ytick.major.size": 4,
            "xtick.major.width": 1,
            "ytick.major.width": 1,
            "xtick.minor.size": 2,
            "ytick.minor.size": 2,
            "font.size": 13.2,  # so that what is "small" has 11 points, as the numbers on the axes
        },
    )
    figures.offer()


def change() -> LinearSegmentedColormap:
    """Colours for what a clip changes: a loss is grey, nothing is white, a gain is blue."""
    return LinearSegmentedColormap.from_list("change", (GONE, "white", CLIP))


def rate_axis(ax, clip_rates) -> None:
    """Clip rates side by side at equal distance: their spacing on a line would hide the interesting
    end.
    """
    ax.set_xticks(range(len(clip_rates)), [f"{rate:g}" for rate in clip_rates])
    ax.set_xlabel("clip rate ξ")


def search_path(result: SearchResult) -> plt.Figure:
    """Validation accuracy rate by rate, hollow, the chosen rate ringed; beside it at its rate the
    test, filled. No clip has the colour of text.
    """
    fig, ax = plt.subplots(figsize=(TEXT, 3.8))
    best = result.clip_rates.index(result.clip_rate)
    accuracy = [evaluation.accuracy for evaluation in result.validation]
    ax.plot(accuracy, color=CLIP)
    _points(ax, range(1, len(accuracy)), result.validation[1:], "validation", CLIP, "o")
    _points(ax, [0], result.validation[:1], None, PLAIN, "o")
    ax.plot(best, accuracy[best], "o", ms=16, mfc="none", mec=CLIP, mew=1.5)
    _points(ax, [0.25], [result.test_before], "test, no clip", PLAIN, "s", mfc=PLAIN)
    _points(ax, [best + 0.25], [result.test_after], "test, chosen rate", CLIP, "D", mfc=CLIP)
    rate_axis(ax, result.clip_rates)
    ax.set_ylabel("accuracy")
    ax.legend(frameon=False, fontsize="small")
    return fig


def _points(ax, x, evaluations, label, colour, fmt, **look) -> None:
    accuracy = np.array([evaluation.accuracy for evaluation in evaluations])
    low, high = np.array([evaluation.interval for evaluation in evaluations]).T
    ax.errorbar(
        x,
        accuracy,
        [accuracy - low, high - accuracy],
        fmt=fmt,
        color=colour,
        capsize=3,
        label=label,
        **{"mfc": "white"} | look,
    )
