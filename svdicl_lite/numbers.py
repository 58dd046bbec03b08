"""How numbers are written for readers, in one place: true minus signs (U+2212), a zero without a
sign, – for what is undefined, powers of ten, and p-values that never say 0.

`tidy` does for text that exists already what the other functions do for values. The book is passed
through it as it is built, so a chapter may format with f-strings and still shows what they would.
"""

import math
import re
from collections.abc import Iterable, Sequence

MINUS = "−"
UNDEFINED = "–"
LEAST_P = 0.001
"""The smallest p-value that is written as a number; below, its order of magnitude says nothing that
a reader could use, and depends on approximations far out in the tails."""

# A hyphen before a digit is a minus unless something stands before it that it joins: GPT-2, 10-20,
# 2e-05, 10.1162/x-1.
_HYPHEN = re.compile(r"(?<![\w.,;:/)\]%+−-])-(?=\.?\d)")
# A sign before what is shown as zero, where no other digit and no word follows.
_SIGNED_ZERO = re.compile(r"(?<![\w.+−-])[+−-](?=0?\.?0+(?![\w.,]*\d)(?!\w))")
# As Python writes an exponent: 2.5e-05.
_EXPONENT = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)e([+-]\d{1,3})(?!\w|\.\d)")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, digits: int = 1, signed: bool = False) -> str:
    """As in 1.7, −0.9, 0.0 and –; with `signed` +1.7. `digits` are those after the point."""
    if math.isnan(value):
        return UNDEFINED
    if math.isinf(value):
        return f"{MINUS if value < 0 else '+' if signed else ''}∞"
    rounded = round(value, digits) + 0.0  # −0.0 + 0.0 is 0.0
    text = f"{rounded:+,.{digits}f}" if signed and rounded else f"{rounded:,.{digits}f}"
    return text.replace("-", MINUS)


def points(share: float, digits: int = 1) -> str:
    """A difference of two shares in points, with its sign: +1.7 for 0.017."""
    return number(100 * share, digits, signed=True)


def at_most(share: float, digits: int = 1) -> str:
    """How large the largest of some changes is, in points: at most 1.7 points, less than 0.1
    points, 0 points.

    So nothing is said to cost at most a number that was rounded to zero.
    """
    shown = number(abs(100 * share), digits)
    if re.search("[1-9∞–]", shown):
        return f"at most {shown} points"
    return f"less than {10.0**-digits:.{digits}f} points" if share else "0 points"


def interval(low: float, high: float, digits: int = 1, signed: bool = True) -> str:
    """As in [−0.9, +1.7]."""
    return f"[{number(low, digits, signed)}, {number(high, digits, signed)}]"


def estimate(value: float, ends: Sequence[float], digits: int = 3, signed: bool = False) -> str:
    """A value with its interval, as in 0.715 [0.690, 0.740]."""
    low, high = ends
    return f"{number(value, digits, signed)} {interval(low, high, digits, signed)}"


def gain(share: float, ends: Sequence[float], digits: int = 1) -> str:
    """A difference of two shares with its interval, in points: +1.7 [−0.9, +4.3] for 0.017."""
    return estimate(100 * share, [100 * end for end in ends], digits, signed=True)


def span(values: Iterable[float], digits: int = 1, signed: bool = False) -> str:
    """The least and the largest of some values, as in 0.71 to 0.93."""
    values = list(values)
    return f"{number(min(values), digits, signed)} to {number(max(values), digits, signed)}"


def power_of_ten(value: float) -> str:
    """A magnitude of which one digit counts, as in 3 × 10⁻¹⁶; 0 is 0."""
    return UNDEFINED if math.isnan(value) else tidy(f"{value:.0e}")


def p_value(p: float, name: str = "p") -> str:
    """As in p = .03, p = .0042, p < .001 and p = 1: two digits that count, and never 0.

    `name` may be empty, for a table whose heading says it: .03, < .001. Raises ValueError for what
    is no probability.
    """
    if not (math.isnan(p) or 0 <= p <= 1 + 1e-9):  # sums of probabilities may end a bit above 1
        raise ValueError(f"a p-value lies from 0 to 1, but this one is {p:g}")
    if p < LEAST_P:
        return f"{name} < .001".strip()
    return f"{name} = {_probability(p)}" if name else _probability(p)


def _probability(p: float) -> str:
    if math.isnan(p):
        return UNDEFINED
    if p >= 0.995:
        return "1"
    decimals = 2 if p >= 0.0995 else 3 if p >= 0.00995 else 4
    return f"{p:.{decimals}f}".removeprefix("0").rstrip("0")


def tidy(text: str) -> str:
    """The text with true minus signs before numbers, no sign before a zero, and 2.5 × 10⁻⁵ for
    Python's 2.5e-05.

    What joins stays a hyphen: GPT-2, 8-bit, 2026-11-30, 10-20.
    """
    text = _EXPONENT.sub(_power, text)
    return _SIGNED_ZERO.sub("", _HYPHEN.sub(MINUS, text))


def _power(found: re.Match[str]) -> str:
    mantissa, exponent = found[1], int(found[2])
    if exponent == 0 or float(mantissa) == 0:
        return mantissa
    ten = f"10{str(exponent).translate(_RAISED)}"
    return ten if mantissa == "1" else f"{mantissa} × {ten}"
