"""What a search's result says in words, and how far it can be said. Taught in chapter 08."""

from __future__ import annotations

from typing import TYPE_CHECKING

from svdicl_lite.numbers import estimate, number, p_value, tidy
from svdicl_lite.stats import SETS_NEEDED, Interval, least_sign_flip_p

if TYPE_CHECKING:
    from svdicl_lite.scoring.evaluation import Evaluation
    from svdicl_lite.search.results import Comparison

WHAT_P_COUNTS = (
    "p and intervals are of one test on examples that had no part in the choice; they do not count"
    " other searches, tasks or models that were tried"
)


# By the signs of reading and of lean: where accuracy is shown to rise, and to fall.
GAINS = {
    (1, 1): ("both", "the gain is both: better reading, and a threshold that moved"),
    (1, 0): ("reading", "the gain is reading: the scores tell the classes apart better"),
    (1, -1): ("reading", "the gain is reading, while the threshold moved the wrong way"),
    (0, 1): ("lean", "the gain is lean: the threshold moved, and no better reading is shown"),
    (-1, 1): ("lean", "the gain is lean, and hides a loss of reading"),
}
LOSSES = {
    (0, -1): (
        "loss",
        "a loss by lean: the threshold moved the wrong way; no change of reading is shown",
    ),
    (-1, 0): ("loss", "a loss of reading: the scores tell the classes apart less well"),
    (-1, -1): ("loss", "a loss of both: worse reading, and a threshold that moved the wrong way"),
    (1, -1): ("loss", "a loss by lean, larger than what better reading gained"),
    (-1, 1): ("loss", "a loss of reading, larger than what the threshold gained"),
}
UNTOLD = ("unclear", "accuracy {}, but the data cannot tell whether by reading or by lean")
READING = {1: ["reading rises"], 0: [], -1: ["reading falls"]}
THRESHOLD = {
    1: ["the threshold moves the right way"],
    0: [],
    -1: ["the threshold moves the wrong way"],
}


def kind(result: Comparison) -> str:
    """What the change on test is, by the 95 % intervals of the gain and its parts, over sets of
    demonstrations where there are enough.

    "collapse": after it one label is answered nearly always, whatever else is so. "none": the
    gain's own interval includes 0, so no gain is shown and none explained. Else "reading", "lean"
    or "both": which part of a gain is shown to rise. "loss": accuracy falls, and so does a part.
    "unclear": accuracy is shown to change, but no part in the same direction.
    """
    return "collapse" if result.test_after.collapsed else _found(result)[0]


def _found(result: Comparison) -> tuple[str, str]:
    """The kind of the change, collapse apart, and a sentence on it."""
    signs = _sign(of_reading(result)), _sign(of_lean(result))
    gain = _sign(of_gain(result))
    if gain > 0:
        return GAINS.get(signs, (UNTOLD[0], UNTOLD[1].format("rose")))
    if gain < 0:
        return LOSSES.get(signs, (UNTOLD[0], UNTOLD[1].format("fell")))
    if signs == (0, 0):
        return "none", "no gain is shown, neither in reading nor in lean"
    alone = " and ".join(READING[signs[0]] + THRESHOLD[signs[1]])
    return "none", f"no gain is shown; of its parts alone, {alone}"


def text(result: Comparison) -> str:
    """All that is to be said of a comparison, a line a thought."""
    lines = [_accuracies(result), _balanced(result), *_gains(result), _parts(result)]
    lines += [_measures(result), sentence(result)]
    lines += [_promised(result)] if result.has_validation else []
    return tidy("\n".join([*lines, result.counted]))


# The intervals to print: over sets, or, where there are too few, for these demonstrations.


def of_reading(result: Comparison) -> Interval:
    """Of the gain's part that is reading."""
    return result.reading_over_sets or result.reading_interval


def of_lean(result: Comparison) -> Interval:
    """Of its part that is lean."""
    return result.lean_over_sets or result.lean_interval


def of_gain(result: Comparison) -> Interval:
    """Of the gain."""
    return result.gain_over_sets or result.gain_interval


def _sign(interval: Interval) -> int:
    """1 or −1 if the interval lies on that side of 0, else 0."""
    return int(interval.low > 0) - int(interval.high < 0)


def _accuracies(result: Comparison) -> str:
    before, after = (
        "{:.3f} [{:.3f}, {:.3f}]".format(
            outcome.accuracy, *(outcome.accuracy_over_sets or outcome.interval)
        )
        for outcome in (result.test_before, result.test_after)
    )
    over = ""
    if result.test_after.accuracy_over_sets is not None:
        over = f" over {len(result.gain_by_set)} sets of demonstrations"
    return f"test accuracy {before} → {after}{over}, n = {result.test_after.n:,}"


def _balanced(result: Comparison) -> str:
    before, after = result.test_before, result.test_after
    return (
        f"balanced accuracy {before.balanced_accuracy:.3f} → {after.balanced_accuracy:.3f}, chance"
        f" {1 / after.n_classes:.3g}; always the commonest label {after.majority_accuracy:.3f}"
    )


def _gains(result: Comparison) -> list[str]:
    low, high = result.gain_interval
    n_sets = len(result.gain_by_set)
    here = f"[{low:+.3f}, {high:+.3f}], {p_value(result.p_value, 'McNemar p')}"
    if result.gain_over_sets is None:
        return [
            f"gain {result.test_gain:+.3f} {here}, for these demonstrations only",
            too_few(result),
        ]
    low, high = result.gain_over_sets
    return [
        f"gain {result.test_gain:+.3f} [{low:+.3f}, {high:+.3f}] over {n_sets} sets of"
        f" demonstrations, {sign_flips(result)}",
        f"for these demonstrations only {here}",
    ]


def too_few(result: Comparison) -> str:
    """That there are too few sets to say anything of other demonstrations."""
    n_sets = len(result.gain_by_set)
    few = "one set says" if n_sets == 1 else f"{n_sets} sets say"
    return (
        f"{few} nothing reliable about other demonstrations; that takes {SETS_NEEDED} sets, better"
        " 12 or more"
    )


def sign_flips(result: Comparison) -> str:
    """As in: sign-flip p = .016 (the least possible is .0078)."""
    least = p_value(least_sign_flip_p(len(result.gain_by_set)), "")
    return f"{p_value(result.p_value_by_set, 'sign-flip p')} (the least possible is {least})"


def parts(result: Comparison) -> dict[str, tuple[float, Interval]]:
    """Gain, reading and lean in points, with their intervals. Lean is the rest of what is shown, so
    that the parts add up for a reader.
    """
    gain, reading = round(100 * result.test_gain, 1), round(100 * result.reading, 1)
    shares = {"gain": of_gain(result), "reading": of_reading(result), "lean": of_lean(result)}
    return {
        name: (value, Interval(100 * low, 100 * high))
        for value, (name, (low, high)) in zip((gain, reading, gain - reading), shares.items())
    }


def _parts(result: Comparison) -> str:
    """As in: gain +5.0 points = reading +0.4 [−0.9, +1.7] + lean +4.6 [+3.0, +6.2]."""
    (_, (gain, _)), *rest = parts(result).items()
    shown = [f"{name} {estimate(value, ends, 1, signed=True)}" for name, (value, ends) in rest]
    return f"gain {number(gain, signed=True)} points = {' + '.join(shown)}"


def _measures(result: Comparison) -> str:
    before, after = result.test_before, result.test_after
    shares = " ".join(f"{share:.2f}" for share in before.shares)
    shares_after = " ".join(f"{share:.2f}" for share in after.shares)
    return (
        f"discrimination {before.discrimination:.3f} → {after.discrimination:.3f}, calibrated"
        f" accuracy {before.calibrated_accuracy:.3f} → {after.calibrated_accuracy:.3f}, imbalance"
        f" {before.imbalance:.3f} → {after.imbalance:.3f} (labels' shares {shares} →"
        f" {shares_after})"
    )


def sentence(result: Comparison) -> str:
    """What kind of change it is, in one sentence, with what would have been missed."""
    if result.test_after.collapsed:
        return _collapse(result.test_before, result.test_after)
    if (result.test_before.scores == result.test_after.scores).all():
        return "nothing changed on test, so there is no gain to judge"
    found, sentence = _found(result)
    if found == "none":
        sentence += _missed(result)
    return sentence if result.gain_over_sets else f"{sentence} (for these demonstrations only)"


def _missed(result: Comparison) -> str:
    seen = result.smallest_gain_seen
    if seen is None:
        return ""
    return (
        f"; with n = {result.test_after.n:,} a gain under {100 * seen:.1f} points would be missed"
        " more often than not"
    )


def _collapse(before: Evaluation, after: Evaluation) -> str:
    label = int(after.shares.argmax())
    already = ", as it was before" if before.collapsed else ""
    what = f"label {label} gets {after.shares[label]:.0%} of the answers"
    sets = after.collapsed_by_set
    if len(sets) > 1 and after.shares[label] < 0.9:  # one label a set, and not the same in all
        what = f"after {sets.sum()} of {len(sets)} sets of demonstrations one label gets nearly all"
        what += " of the answers, not the same after each"
    return (
        f"collapse: {what}{already}; accuracy says nothing of a model that hardly gives another"
        " answer"
    )


def _promised(result: Comparison) -> str:
    return (
        f"validation promised {result.validation_gain:+.3f}, n ="
        f" {result.validation_after.n:,}; optimism {result.optimism:+.3f}"
    )
