"""What a search found, with the outcome of every single example, so that intervals and paired tests
come for free.

Taught in chapter 08.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from svdicl_lite.power import smallest_gain_seen
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.gains import split_gain
from svdicl_lite.search import verdict
from svdicl_lite.search.cells import Cell
from svdicl_lite.search.shown import result_html
from svdicl_lite.stats import (
    SETS_NEEDED,
    Interval,
    interval_over_sets,
    mcnemar,
    mean_interval,
    paired_bootstrap,
    sign_flip_test,
)


@dataclass(frozen=True, repr=False)
class Comparison:
    """The model before and after, on the data that chose and on the data that judges."""

    has_validation: ClassVar[bool] = True
    counted: ClassVar[str] = verdict.WHAT_P_COUNTS

    validation_before: Evaluation
    validation_after: Evaluation
    test_before: Evaluation
    test_after: Evaluation

    @property
    def validation_gain(self) -> float:
        """What the choice gained on the data that made it, in shares of examples."""
        return self.validation_after.accuracy - self.validation_before.accuracy

    @property
    def test_gain(self) -> float:
        """What it gained on the test data: the gain to quote."""
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
        """(sets,) the test gain after each set of demonstrations."""
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

    # The two parts of the gain.

    @cached_property
    def parts(self) -> tuple[np.ndarray, np.ndarray]:
        """(N,) reading and (N,) lean, example by example: see `scoring.gains.split_gain`."""
        return split_gain(self.test_before, self.test_after)

    @property
    def reading(self) -> float:
        """The part of the test gain that remains where both models lean to no label."""
        return float(self.parts[0].mean())

    @property
    def lean(self) -> float:
        """The rest of the test gain: a threshold that moved."""
        return float(self.parts[1].mean())

    # Intervals (95 %). Over sets: for new demonstrations, None if there are too few sets to say.

    @cached_property
    def gain_over_sets(self) -> Interval | None:
        """`stats.interval_over_sets`: *the* interval of the test gain."""
        return self._over_sets(self.parts[0] + self.parts[1], within=(-1, 1))

    @cached_property
    def reading_over_sets(self) -> Interval | None:
        """Of `reading`."""
        return self._over_sets(self.parts[0], within=(-1, 1))

    @cached_property
    def lean_over_sets(self) -> Interval | None:
        """Of `lean`."""
        return self._over_sets(self.parts[1])

    @cached_property
    def reading_interval(self) -> Interval:
        """Of `reading`, for the demonstrations as they are: the examples are taken as independent,
        and the thresholds as known.
        """
        return mean_interval(self.parts[0])

    @cached_property
    def lean_interval(self) -> Interval:
        """Of `lean`, for the demonstrations as they are."""
        return mean_interval(self.parts[1])

    def _over_sets(
        self, outcomes: np.ndarray, within: tuple[float, float] | None = None
    ) -> Interval | None:
        sets = self.test_before.demonstration_sets
        return interval_over_sets(outcomes, sets, within=within)

    @property
    def discrimination_gain(self) -> float:
        """The change of discrimination on test, in shares of pairs."""
        return self.test_after.discrimination - self.test_before.discrimination

    @cached_property
    def discrimination_gain_over_sets(self) -> Interval | None:
        """`stats.interval_over_sets` of the change, paired."""
        before, after = self.test_before, self.test_after
        change = after.discrimination_by_set - before.discrimination_by_set
        return interval_over_sets(change, np.arange(len(change)), within=(-1, 1))

    @cached_property
    def smallest_gain_seen(self) -> float | None:
        """The gain that this test, with as many answers changed and sets as different as here,
        would see as often as not; None where nothing changed, or nothing so small could be seen.
        """
        n, sets = self.test_before.n, len(self.gain_by_set)
        change = self.test_after.correct.astype(float) - self.test_before.correct
        changed = float(np.abs(change).mean())
        if changed == 0:
            return None
        if sets < SETS_NEEDED:
            return smallest_gain_seen(n, 1, changed)
        within = (changed - self.test_gain**2) * sets / n
        spread = np.sqrt(max(0.0, self.gain_by_set.var(ddof=1) - within))
        return smallest_gain_seen(n, sets, changed, spread)

    @property
    def kind(self) -> str:
        """What the change on test is: reading, lean, both, loss, unclear, none or collapse; see
        `search.verdict.kind`.
        """
        return verdict.kind(self)

    def verdict(self) -> str:
        """Accuracy on test before and after, the gain with its intervals and tests, its two parts,
        what kind of gain it is, what validation had promised, and what the p-value counts.
        """
        return verdict.text(self)

    @property
    def done(self) -> str:
        """What stands between before and after, in a few words."""
        return "before and after"

    def __str__(self) -> str:
        return self.verdict()

    def _repr_html_(self) -> str:
        return result_html(self)

    def __repr__(self) -> str:
        return str(self)  # not the outcome of every example


@dataclass(frozen=True, repr=False)
class SearchResult(Comparison):
    """What Algorithm 1 found: every validation outcome, the choice, and the one test before and
    after.
    """

    cells: tuple[Cell, ...]  # the candidates, in order
    validation: tuple[Evaluation, ...]  # one for each
    chosen_cell: Cell
    choose_by: str = "accuracy"  # of `scoring.reading.CHOOSE_BY`

    @property
    def layer(self) -> int:
        """The layer that was clipped."""
        return self.chosen_cell.layer

    @property
    def module(self) -> str:
        """The module of it."""
        return self.chosen_cell.module

    @property
    def clip_rate(self) -> float:
        """The rate chosen; 0 is no clip."""
        return self.chosen_cell.clip_rate

    @property
    def clip_rates(self) -> tuple[float, ...]:
        """The candidates, in order."""
        return tuple(cell.clip_rate for cell in self.cells)

    @property
    def chosen(self) -> Evaluation:
        """The validation outcome of the chosen rate."""
        return self.validation_after

    @property
    def done(self) -> str:
        """The clip, and how it was chosen."""
        cell = self.chosen_cell
        how = [] if cell.method == "svd" else [cell.method]
        how += [] if self.choose_by == "accuracy" else [f"chosen by {self.choose_by}"]
        said = f" ({', '.join(how)})" if how else ""
        return f"{cell.named}{said}"

    def __str__(self) -> str:
        return f"{self.done}\n{self.verdict()}"
