"""What a model answered, example by example. Taught in chapter 03."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from svdicl_lite.scoring import reading
from svdicl_lite.stats import Interval, interval_over_sets, wilson_interval


class Answers:
    """Right or wrong, example by example. What inherits this has `predictions` and `labels`, (N,)
    each.
    """

    labels: np.ndarray
    if TYPE_CHECKING:  # a field in one heir, a property in the other; here it would be its default

        @property
        def predictions(self) -> np.ndarray:
            """(N,) the class answered."""

    @property
    def correct(self) -> np.ndarray:
        """(N,) bool, example by example: what paired tests need."""
        correct: np.ndarray = self.predictions == self.labels
        return correct

    @property
    def n(self) -> int:
        """How many examples were judged."""
        return len(self.labels)

    @property
    def accuracy(self) -> float:
        """The share answered rightly."""
        return float(self.correct.mean())

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval of the accuracy, for these demonstrations."""
        return wilson_interval(self.correct.sum(), self.n)

    def __str__(self) -> str:
        return (
            f"{self.accuracy:.3f} [{self.interval.low:.3f}, {self.interval.high:.3f}], n ="
            f" {self.n:,}"
        )


@dataclass(frozen=True)
class Evaluation(Answers):
    """What a model answered, example by example.

    Accuracy mixes what the scores tell apart, `discrimination`, with where the threshold stands,
    which `imbalance` shows. The intervals named `…_over_sets` are for new demonstrations (95 %,
    `stats.interval_over_sets`), and None where there are too few sets to say.
    """

    scores: np.ndarray  # (N, C) logits of the label words where the label is due
    labels: np.ndarray  # (N,) right classes
    # (N,) which set of demonstrations stood before each; None if one before all
    demonstration_sets: np.ndarray | None = None

    @property
    def n_classes(self) -> int:
        """C, the label words."""
        return int(self.scores.shape[1])

    @property
    def predictions(self) -> np.ndarray:
        """(N,) the class of the highest score; the first one wins a tie."""
        predictions: np.ndarray = self.scores.argmax(1)
        return predictions

    @property
    def accuracy_over_sets(self) -> Interval | None:
        """Of `accuracy`; the interval to print beside it where there are sets enough."""
        return interval_over_sets(self.correct, self.demonstration_sets, within=(0, 1))

    @property
    def balanced_accuracy(self) -> float:
        """Mean over the classes of the share that was found: 1/C for a model that always gives one
        answer.
        """
        return float(
            np.mean([self.correct[self.labels == label].mean() for label in np.unique(self.labels)])
        )

    @property
    def majority_accuracy(self) -> float:
        """The accuracy of always giving the most frequent right answer: what a lean alone can
        reach.
        """
        return float(reading.shares(self.labels, self.n_classes).max())

    @cached_property
    def members(self) -> list[np.ndarray]:
        """Of each set of demonstrations the indices of its examples."""
        return reading.members(self.demonstration_sets, self.n)

    @property
    def _names(self) -> np.ndarray:
        """(sets,)"""
        return np.arange(len(self.members))

    # What the scores tell apart.

    @cached_property
    def placements(self) -> np.ndarray:
        """(N,) of each example the share of the other classes' examples that it is told apart from;
        see `reading.placements`.
        """
        return reading.placements(self.scores, self.labels, self.demonstration_sets)

    @cached_property
    def discrimination_by_set(self) -> np.ndarray:
        """(sets,) the area under the ROC curve within each set; NaN for a set of one class."""
        return np.array(
            [
                reading.discrimination(self.placements[rows], self.labels[rows])
                for rows in self.members
            ]
        )

    @property
    def discrimination(self) -> float:
        """How well scores tell the classes apart, wherever the threshold stands: ½ by guessing, 1
        without fault.

        The area under the ROC curve within each set of demonstrations, averaged over the sets that
        have two classes; with more than two, the mean of one against one. NaN if no set has two.
        """
        known = self.discrimination_by_set[~np.isnan(self.discrimination_by_set)]
        return float(known.mean()) if len(known) else float("nan")

    @property
    def discrimination_over_sets(self) -> Interval | None:
        """Of `discrimination`."""
        return interval_over_sets(self.discrimination_by_set, self._names, within=(0, 1))

    @cached_property
    def calibrated(self) -> "Evaluation":
        """The same answers by batch calibration, each set's mean log-probability of a label
        subtracted within the set. It uses no labels, but all examples at once (Zhou et al. 2023).
        """
        scores = reading.calibrated_scores(self.scores, self.demonstration_sets)
        return Evaluation(scores, self.labels, self.demonstration_sets)

    @property
    def calibrated_accuracy(self) -> float:
        """What accuracy would be if the model leaned to no label."""
        return self.calibrated.accuracy

    @property
    def calibrated_over_sets(self) -> Interval | None:
        """Of `calibrated_accuracy`."""
        return self.calibrated.accuracy_over_sets

    # Which label they lean to.

    @cached_property
    def shares(self) -> np.ndarray:
        """(C,) the share of the answers that each label got."""
        return reading.shares(self.predictions, self.n_classes)

    @cached_property
    def shares_by_set(self) -> np.ndarray:
        """(sets, C) the same after each set of demonstrations."""
        answers = self.predictions
        return np.array([reading.shares(answers[rows], self.n_classes) for rows in self.members])

    @cached_property
    def due_by_set(self) -> np.ndarray:
        """(sets, C) the share of the answers that is due to each label."""
        return np.array(
            [reading.shares(self.labels[rows], self.n_classes) for rows in self.members]
        )

    @cached_property
    def imbalance_by_set(self) -> np.ndarray:
        """(sets,) the imbalance of the answers after each set of demonstrations."""
        pairs = zip(self.shares_by_set, self.due_by_set)
        return np.array([reading.distance(answered, due) for answered, due in pairs])

    @property
    def imbalance(self) -> float:
        """How far the labels answered are from those due, whichever example got them: 0 if each is
        answered as often as it is due; see `reading.distance`.

        Measured within each set and averaged, since sets that lean to opposite sides would cancel.
        Chance alone leaves about ⅓ / √(examples in a set) where two classes are guessed at.
        """
        return float(self.imbalance_by_set.mean())

    @property
    def imbalance_over_sets(self) -> Interval | None:
        """Of `imbalance`."""
        return interval_over_sets(self.imbalance_by_set, self._names, within=(0, 1))

    @property
    def collapsed(self) -> bool:
        """Whether one label is answered nearly always, after at least half of the sets; see
        `reading.collapsed`.
        """
        return bool(self.collapsed_by_set.mean() >= 0.5)

    @property
    def collapsed_by_set(self) -> np.ndarray:
        """(sets,) bool: after which sets one label is answered nearly always."""
        pairs = zip(self.shares_by_set, self.due_by_set)
        return np.array([reading.collapsed(answered, due) for answered, due in pairs])
