"""Two results on the same examples, compared example by example.

An unpaired test of two accuracies forgets that both met the same examples, and misses what a paired
one sees. Taught in chapter 15.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svdicl_lite.numbers import p_value, tidy
from svdicl_lite.search.paired_files import PAIRED_BY, Judged, read_judged
from svdicl_lite.search.results import Comparison
from svdicl_lite.stats import Interval, mcnemar, paired_bootstrap, wilson_interval

NOT_COUNTED = (
    "p and intervals are of one comparison; they do not count a choice that was made on these very"
    " examples, nor other comparisons that were tried"
)


class ComparedScores(Comparison):
    """A `Comparison` of two models' scores on one set of examples; there is no validation."""

    has_validation = False
    counted = NOT_COUNTED


@dataclass(frozen=True)
class Compared:
    """Two sides, A and B, whose i-th examples are the same."""

    a: Judged
    b: Judged

    @property
    def gain(self) -> float:
        """B's accuracy less A's."""
        return float(self.b.correct.mean() - self.a.correct.mean())

    @cached_property
    def p_value(self) -> float:
        """Exact McNemar test."""
        return mcnemar(self.a.correct, self.b.correct)

    @cached_property
    def gain_interval(self) -> Interval:
        """95 %, paired bootstrap over the examples."""
        return paired_bootstrap(self.a.correct, self.b.correct)

    @property
    def only(self) -> tuple[int, int]:
        """How many examples A alone has right, and B alone."""
        a, b = self.a.correct, self.b.correct
        return int((a & ~b).sum()), int((b & ~a).sum())

    @cached_property
    def by_scores(self) -> ComparedScores | None:
        """With reading, lean and sets of demonstrations, where both sides have scores."""
        before, after = self.a.evaluation, self.b.evaluation
        if before is None or after is None:
            return None
        return ComparedScores(before, after, before, after)

    @property
    def differ_in(self) -> list[str]:
        """What is known to have been done otherwise."""
        names = [name for name in self.a.facts if name in self.b.facts]
        return [name for name in names if self.a.facts[name] != self.b.facts[name]]

    def __str__(self) -> str:
        alone = "A alone is right on {:,} examples, B alone on {:,}".format(*self.only)
        if self.by_scores is not None:
            return f"{self.by_scores.verdict()}\n{alone}"
        low, high = self.gain_interval
        said = " → ".join(map(_accuracy, (self.a.correct, self.b.correct)))
        p = p_value(self.p_value, "McNemar p")
        text = (
            f"accuracy {said}, n = {len(self.a.keys):,}\n"
            f"gain {self.gain:+.3f} [{low:+.3f}, {high:+.3f}], {p}, for these demonstrations only\n"
            f"{alone}\nthere are no scores of labels or options on both sides, so reading and lean"
            f" cannot be told apart\n{NOT_COUNTED}"
        )
        return tidy(text)


def compared(a: str | Path, b: str | Path, metric: str | None = None) -> Compared:
    """What is at `a` against what is at `b`: two folders of `svdicl … --out`, or two .jsonl of
    `lm_eval --log_samples`, whose `metric` says what is right.

    Raises what `read_judged` raises, and ValueError unless both are of the same examples.
    """
    one, other = read_judged(a, metric), read_judged(b, metric)
    _check_pairs(one, other)
    return Compared(one, other)


def _check_pairs(one: Judged, other: Judged) -> None:
    for name in PAIRED_BY:
        if name in one.facts and one.facts[name] != other.facts.get(name):
            raise ValueError(
                f"{one.source} and {other.source} differ in {name} ({one.facts[name]!r} and"
                f" {other.facts.get(name)!r}), so their examples are not the same; run one of them"
                " again"
            )
    if one.keys == other.keys:
        _check_texts(one, other)
        return
    first = next((pair for pair in zip(one.keys, other.keys) if pair[0] != pair[1]), None)
    where = f"first {first[0]!r} and {first[1]!r}" if first else "one of them ends sooner"
    raise ValueError(
        f"{one.source} has {len(one.keys):,} and {other.source} {len(other.keys):,} examples that"
        f" are not the same ({where}); both must be of the same task, split and number"
    )


def _check_texts(one: Judged, other: Judged) -> None:
    """Raises ValueError if both know their texts, and they are not the same."""
    if None not in (one.digest, other.digest) and one.digest != other.digest:
        raise ValueError(
            f"{one.source} and {other.source} were judged on other texts, though both call their"
            f" task {one.facts['task']!r}: its file was edited in between, or other rows were too"
            " long for the model; run one of them again"
        )


def _accuracy(correct: NDArray[np.bool_]) -> str:
    low, high = wilson_interval(correct.sum(), len(correct))
    return f"{correct.mean():.3f} [{low:.3f}, {high:.3f}]"


def row_of(result: Compared) -> dict[str, Any]:
    """The numbers, whose keys stand in `svdicl compare --help`."""
    low, high = result.gain_interval
    scored = result.by_scores
    return {
        "n": len(result.a.keys),
        "accuracy_a": float(result.a.correct.mean()),
        "accuracy_b": float(result.b.correct.mean()),
        "only_a": result.only[0],
        "only_b": result.only[1],
        "gain": result.gain,
        "gain_low": low,
        "gain_high": high,
        "p_value": result.p_value,
        "gain_over_sets": scored and scored.gain_over_sets,
        "p_value_by_set": (
            scored.p_value_by_set if scored is not None and len(scored.gain_by_set) > 1 else None
        ),
        "reading": scored and scored.reading,
        "reading_over_sets": scored and scored.reading_over_sets,
        "lean": scored and scored.lean,
        "lean_over_sets": scored and scored.lean_over_sets,
        "discrimination_gain": scored and scored.discrimination_gain,
        "kind": scored and scored.kind,
        "differ_in": result.differ_in,
    }
