"""What a model answered, example by example. Taught in chapter 03."""

from dataclasses import dataclass

import numpy as np

from svdicl_lite.stats import Interval, wilson_interval


class Answers:
    """Right or wrong, example by example. What inherits this has `predictions` and `labels`, (N,)
    each.
    """

    @property
    def correct(self) -> np.ndarray:
        """(N,) bool, example by example: what paired tests need."""
        return self.predictions == self.labels

    @property
    def n(self) -> int:
        return len(self.labels)

    @property
    def accuracy(self) -> float:
        return float(self.correct.mean())

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval of the accuracy."""
        return wilson_interval(self.correct.sum(), self.n)

    def __str__(self) -> str:
        return (
            f"{self.accuracy:.3f} [{self.interval.low:.3f}, {self.interval.high:.3f}], n ="
            f" {self.n:,}"
        )


@dataclass(frozen=True)
class Evaluation(Answers):
    """What a model answered, example by example."""

    scores: np.ndarray  # (N, C) logits of the label words where the label is due
    labels: np.ndarray  # (N,) right classes
    demonstration_sets: np.ndarray | None = (
        None  # (N,) which set of demonstrations stood before each; None if one before all
    )

    @property
    def predictions(self) -> np.ndarray:
        """(N,) the class of the highest score; the first one wins a tie."""
        return self.scores.argmax(1)

    @property
    def balanced_accuracy(self) -> float:
        """Mean over the classes of the share that was found: 1/C for a model that always gives one
        answer.
        """
        return float(
            np.mean([self.correct[self.labels == label].mean() for label in np.unique(self.labels)])
        )
