"""Attention is a step of gradient descent: points, and two ways to a line through them."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import traitlets

from svdicl_lite import plots
from svdicl_lite.numbers import number
from svdicl_lite.widgets.base import Widget, script

MOST_POINTS, N_SETS, MOST_STEPS = 12, 6, 20
DIVISORS = {"N": "N (right)", "1": "1", "N+1": "N + 1", "2N": "2 N"}


class GradientStep(Widget):
    """Points near a line; `steps` layers of attention with the weights that von Oswald et al.
    (2023) construct, and as many steps of gradient descent.

    With `attention` "linear" and `divisor` "N" the two predict alike, to rounding; "softmax" and
    any other divisor break that. Inputs are (x, 1), so that the line need not pass through 0. The
    points are drawn here, by `seed`; the page computes the rest. Taught in chapter 11.
    """

    _esm = script("gradient_step")
    height = (515, 620)
    learning_rate = traitlets.Float(0.5, min=0, max=2.5).tag(sync=True)
    steps = traitlets.Int(3, min=0, max=MOST_STEPS).tag(sync=True)
    n_points = traitlets.Int(8, min=2, max=MOST_POINTS).tag(sync=True)
    points = traitlets.Int(0, min=0, max=N_SETS - 1).tag(sync=True)  # which set of them
    attention = traitlets.Enum(("linear", "softmax"), "linear").tag(sync=True)
    divisor = traitlets.Enum(tuple(DIVISORS), "N").tag(sync=True)
    sets = traitlets.List().tag(sync=True)  # of lists of [x, y]
    divisors = traitlets.List([list(pair) for pair in DIVISORS.items()]).tag(sync=True)

    def __init__(self, seed: int = 0, **traits):
        rng, sets = np.random.default_rng(seed), []
        for _ in range(N_SETS):
            x, (slope, height) = rng.uniform(-1.5, 1.5, MOST_POINTS), rng.uniform(-1, 1, 2)
            y = slope * x + height + 0.3 * rng.normal(size=MOST_POINTS)
            sets.append(np.stack((x, y), 1).round(3).tolist())
        super().__init__(sets=sets, **traits)

    @property
    def shown(self) -> np.ndarray:
        """(N, 2): the points as the widget stands."""
        return np.array(self.sets[self.points][: self.n_points])

    def descent(self, steps: int) -> tuple[np.ndarray, float]:
        """Slope and height after `steps` steps of gradient descent from 0 on Σ_i (w·x_i − y_i)² /
        2N, and that loss.
        """
        x, y = inputs(self.shown[:, 0]), self.shown[:, 1]
        w = np.zeros(2)
        for _ in range(steps):
            w = w - self.learning_rate / len(x) * x.T @ (x @ w - y)
        return w, float(((x @ w - y) ** 2).sum() / (2 * len(x)))

    def attended(self, queries: np.ndarray, steps: int, attention: str | None = None) -> np.ndarray:
        """What `steps` layers of attention predict at queries (M,): tokens [x; y] with y = 0 for a
        query, which sees the points alone.
        """
        attention, N = attention or self.attention, self.n_points
        points = np.hstack((inputs(self.shown[:, 0]), self.shown[:, 1:]))
        asked = np.hstack((inputs(queries), np.zeros((len(queries), 1))))
        H = np.vstack((points, asked))
        by = {"N": N, "1": 1, "N+1": N + 1, "2N": 2 * N}[self.divisor]
        if attention == "softmax" and self.divisor == "N":
            by = 1  # softmax divides by itself
        K = Q = np.diag([1.0, 1, 0])
        V = np.diag([0.0, 0, -self.learning_rate / by])
        for _ in range(steps):
            scores = (H @ Q.T) @ (H[:N] @ K.T).T  # (N + M, N)
            if attention == "softmax":
                scores = np.exp(scores - scores.max(1, keepdims=True))
                scores /= scores.sum(1, keepdims=True)
            H = H + scores @ (H[:N] @ V.T)
        return -H[N:, 2]

    def table(self) -> pd.DataFrame:
        """The same data in numbers, as the page folds them below the widget."""
        rows, queries = [], np.linspace(-2, 2, 41)
        for step in range(self.steps + 1):
            (slope, height), loss = self.descent(step)
            apart = [
                np.abs(self.attended(queries, step, kind) - slope * queries - height).max()
                for kind in ("linear", "softmax")
            ]
            rows.append(
                {
                    "step": step,
                    "slope": f"{slope:.4f}",
                    "height": f"{height:.4f}",
                    "loss": f"{loss:.5f}",
                    "linear attention: farthest apart": f"{apart[0]:.1e}",
                    "softmax: farthest apart": f"{apart[1]:.3f}",
                }
            )
        return pd.DataFrame(rows)

    def figure(self) -> plt.Figure:
        """The same data as a picture, for print and for pages without a script."""
        fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
        queries = np.linspace(-2, 2, 41)
        (slope, height), _ = self.descent(self.steps)
        ax.plot(*self.shown.T, "o", color=plots.PLAIN, label="points")
        ax.plot(queries, slope * queries + height, color=plots.PLAIN, label="gradient descent")
        ax.plot(
            queries[::2],
            self.attended(queries, self.steps)[::2],
            "x",
            color=plots.ATTN,
            label=f"{self.attention} attention",
        )
        if self.attention == "linear":
            ax.plot(
                queries,
                self.attended(queries, self.steps, "softmax"),
                ":",
                color=plots.ATTN,
                label="softmax attention",
            )
        ax.set(xlabel="x", ylabel="y", xlim=(-2, 2), ylim=(-2.5, 2.5))
        ax.legend(frameon=False)
        plt.close(fig)
        return fig

    def alt(self) -> str:
        """The picture told in words."""
        queries = np.linspace(-2, 2, 41)
        (slope, height), _ = self.descent(self.steps)
        apart = np.abs(self.attended(queries, self.steps) - slope * queries - height).max()
        where = "on the line" if apart < 1e-9 else f"up to {apart:.2f} beside the line"
        return (
            f"{self.n_points} points and the line y = {number(slope, 2)} x"
            f" {number(height, 2, signed=True)} of gradient descent after {self.steps} steps at"
            f" learning rate {self.learning_rate:g}. The predictions of"
            f" {self.steps} layers of {self.attention} attention, drawn as crosses,"
            f" lie {where}."
        )


def inputs(x: np.ndarray) -> np.ndarray:
    """(N, 2): (x, 1)."""
    return np.stack((x, np.ones_like(x)), 1)
