"""Controls: a clip beside other ways to change the same matrices, on one prompt or on fifty."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import traitlets

from svdicl_lite import plots
from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.controls import how_of
from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.scoring import reading
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.widgets.base import Widget, packed, script
from svdicl_lite.widgets.clip_explorer import shown_texts

N = 50  # prompts
METHODS = {
    "svd": "clip",
    "random-subspace": "random subspace",
    "smallest": "smallest components",
    "scale": "scaled as a whole",
    "magnitude": "largest entries",
    "drop": "dropped",
}


class ControlComparison(Widget):
    """By how much the right label word leads on each of fifty prompts, for the model as it is, a
    clip, five controls of it, and calibration, which changes no weight.

    `task` is asked behind one set of demonstrations, `seed`; `module` of `layer` is changed at each
    of `clip_rates`. The page calibrates by the fifty prompts, or by the chosen one alone, which
    leaves it no answer. Taught in chapter 09.
    """

    _esm = script("control_comparison")
    height = (795, 855)
    methods = traitlets.List().tag(sync=True)  # names, the clip first
    clip_rates = traitlets.List().tag(sync=True)
    # (methods, rates, N, C) float32: log-probabilities among the label words
    scores = traitlets.Bytes().tag(sync=True)
    labels = traitlets.List().tag(sync=True)
    words = traitlets.List().tag(sync=True)
    queries = traitlets.List().tag(sync=True)
    place = traitlets.Unicode().tag(sync=True)
    rate = traitlets.Int().tag(sync=True)  # its place among the clip rates
    prompt = traitlets.Int(-1, min=-1).tag(sync=True)  # -1: all fifty
    calibrate_by = traitlets.Enum(("fifty", "one"), "fifty").tag(sync=True)

    def __init__(
        self, model, tokenizer, task, layer: int, module: str, clip_rates=CLIP_RATES, seed: int = 0
    ):
        evaluator = ICLEvaluator(model, tokenizer, task, "test", N, 8, (seed,))
        self.rates = [float(rate) for rate in clip_rates]
        self.scored: list[list[np.ndarray]] = []
        self.labels_: np.ndarray = np.array([])
        for method in METHODS:
            clip, rows = Clip(model, layer, module, how=how_of(method, seed)), []
            for rate in self.rates:
                with clip.at(rate):
                    outcome = evaluator()
                rows.append(log_shares(outcome.scores))
                self.labels_ = outcome.labels
            self.scored.append(rows)
        _, queries, words = shown_texts(evaluator, tokenizer)
        super().__init__(
            methods=list(METHODS.values()),
            clip_rates=self.rates,
            scores=packed(self.scored),
            labels=[int(label) for label in self.labels_],
            words=words[0],
            queries=queries,
            place=f"{module.upper()} of layer {layer}",
            # the strongest, which nobody chose by these prompts
            rate=len(self.rates) - 1,
        )

    def _right(self, scores: np.ndarray) -> int:
        return int((scores.argmax(1) == self.labels_).sum())

    def _rows(self) -> list[tuple[str, np.ndarray]]:
        """The scores (N, C) of each row of the picture, at the rate that a page begins with."""
        whole = self.scored[0][self.rates.index(0.0)]
        changed = [(name, rows[self.rate]) for name, rows in zip(METHODS.values(), self.scored)]
        return [("no clip", whole), *changed, ("calibrated", whole - whole.mean(0))]

    def table(self) -> pd.DataFrame:
        """Right answers and discrimination, at the rate that a page begins with."""
        found = []
        for name, scores in self._rows():
            placed = reading.placements(scores, self.labels_, np.zeros(N, dtype=int))
            told = reading.discrimination(placed, self.labels_)
            found.append([name, f"{self._right(scores)} of {N}", f"{told:.2f}"])
        return pd.DataFrame(found, columns=["change", "right", "discrimination"])

    def figure(self) -> plt.Figure:
        """By how much the right label word leads, a row a change and a dot a prompt."""
        fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
        rows = self._rows()
        for y, (_, scores) in enumerate(rows):
            colour = (plots.PLAIN, plots.CLIP, *[plots.GONE] * (len(rows) - 3), plots.PLAIN)[y]
            ax.plot(leads(scores, self.labels_), np.full(N, y), "|", color=colour, ms=12, alpha=0.7)
        ax.axvline(0, color=plots.PLAIN, lw=0.8)
        ax.set_yticks(range(len(rows)), [name for name, _ in rows])
        ax.invert_yaxis()
        ax.set_xlabel("lead of the right label word (nats)")
        plt.close(fig)
        return fig

    def alt(self) -> str:
        """The picture told in words."""
        told = ", ".join(f"{name} {self._right(scores)}" for name, scores in self._rows())
        return (
            f"The lead of the right label word on each of {N} prompts, a row for each change of"
            f" {self.place} at ξ = {self.rates[self.rate]:g}; right of zero the answer is right."
            f" Right answers: {told}."
        )


def log_shares(scores: np.ndarray) -> np.ndarray:
    """(N, C) log-probabilities among the label words."""
    scores = np.asarray(scores, dtype=float)
    return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)


def leads(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(N,) the score of the right class minus that of the best other."""
    rows = np.arange(len(labels))
    others = scores.copy()
    others[rows, labels] = -np.inf
    difference: np.ndarray = scores[rows, labels] - others.max(1)
    return difference
