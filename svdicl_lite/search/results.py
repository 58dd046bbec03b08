"""What a search found, with the outcome of every single example, so that intervals and paired tests
come for free.

Taught in chapter 07.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.search.cells import Cell
from svdicl_lite.stats import Interval, mcnemar, paired_bootstrap, sign_flip_test


@dataclass(frozen=True)
class Comparison:
    """The model before and after, on the data that chose and on the data that judges."""

    validation_before: Evaluation
    validation_after: Evaluation
    test_before: Evaluation
    test_after: Evaluation

    @property
    def validation_gain(self) -> float:
        return self.validation_after.accuracy - self.validation_before.accuracy

    @property
    def test_gain(self) -> float:
        return self.test_after.accuracy - self.test_before.accuracy

    @property
    def optimism(self) -> float:
        """Validation gain minus test gain: what choosing the best of many on the same data adds to
        a gain.
        """
        return self.validation_gain - self.test_gain

    @cached_property
    def p_value(self) -> float:
        """Exact McNemar test of before against after, on the test set."""
        return mcnemar(self.test_before.correct, self.test_after.correct)

    @cached_property
    def gain_interval(self) -> Interval:
        """95 % paired bootstrap interval of the test gain, for the demonstrations as they are."""
        return paired_bootstrap(self.test_before.correct, self.test_after.correct)

    @property
    def gain_by_set(self) -> np.ndarray:
        """(sets,) the test gain behind each set of demonstrations."""
        gain = self.test_after.correct.astype(float) - self.test_before.correct
        sets = self.test_before.demonstration_sets
        return np.array(
            [gain.mean()]
            if sets is None
            else [gain[sets == number].mean() for number in np.unique(sets)]
        )

    @cached_property
    def p_value_by_set(self) -> float:
        """Sign-flip test of the gains by set: would other demonstrations gain too? With m sets it
        cannot be below 2 / 2^m.
        """
        return sign_flip_test(self.gain_by_set)

    def verdict(self) -> str:
        """Four lines: accuracy on test before and after, balanced accuracy, the gain with its
        interval and p-value, and what validation had promised.
        """
        low, high = self.gain_interval
        before, after = self.test_before, self.test_after
        shown = " → ".join(
            "{:.3f} [{:.3f}, {:.3f}]".format(outcome.accuracy, *outcome.interval)
            for outcome in (before, after)
        )
        return (
            f"test accuracy {shown}, n = {after.n:,}\nbalanced accuracy"
            f" {before.balanced_accuracy:.3f} → {after.balanced_accuracy:.3f}, chance"
            f" {1 / after.scores.shape[1]:.3g}\ngain {self.test_gain:+.3f} [{low:+.3f},"
            f" {high:+.3f}], McNemar p = {self.p_value:.2g}\nvalidation promised"
            f" {self.validation_gain:+.3f}, n = {self.validation_after.n:,}; optimism"
            f" {self.optimism:+.3f}"
        )

    def __str__(self) -> str:
        return self.verdict()


@dataclass(frozen=True)
class SearchResult(Comparison):
    """What Algorithm 1 found: every validation outcome, the choice, and the one test before and
    after.
    """

    cells: tuple[Cell, ...]  # the candidates, in order
    validation: tuple[Evaluation, ...]  # one for each
    chosen_cell: Cell

    @property
    def layer(self) -> int:
        return self.chosen_cell.layer

    @property
    def module(self) -> str:
        return self.chosen_cell.module

    @property
    def clip_rate(self) -> float:
        return self.chosen_cell.clip_rate

    @property
    def clip_rates(self) -> tuple[float, ...]:
        return tuple(cell.clip_rate for cell in self.cells)

    @property
    def chosen(self) -> Evaluation:
        """The validation outcome of the chosen rate."""
        return self.validation_after

    def __str__(self) -> str:
        method = "" if self.chosen_cell.method == "svd" else f" ({self.chosen_cell.method})"
        return (
            f"{self.module} of layer {self.layer} at ξ ="
            f" {self.clip_rate:g}{method}\n{self.verdict()}"
        )
