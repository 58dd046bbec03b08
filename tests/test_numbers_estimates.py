"""Numbers that are written together: a value and its interval, the ends of a range, one digit and
its power of ten.
"""

import math

from svdicl_lite.numbers import estimate, gain, power_of_ten, span


def test_an_estimate_is_followed_by_its_interval():
    assert estimate(0.715, (0.69, 0.7404)) == "0.715 [0.690, 0.740]"
    assert estimate(-0.031, (-0.08, 0.02), 2, signed=True) == "−0.03 [−0.08, +0.02]"
    assert estimate(float("nan"), (float("nan"), 1.0), 1) == "– [–, 1.0]"


def test_a_gain_is_in_points():
    assert gain(0.0174, (-0.0093, 0.043)) == "+1.7 [−0.9, +4.3]"
    assert gain(-0.0001, (-0.02, 0)) == "0.0 [−2.0, 0.0]"


def test_a_range_runs_from_the_least_to_the_largest():
    assert span([0.9, 0.7004, 0.8], 2) == "0.70 to 0.90"
    assert span(iter([0.04, -1250.0]), signed=True) == "−1,250.0 to 0.0"


def test_a_power_of_ten_has_one_digit_that_counts():
    written = [power_of_ten(x) for x in (3.24e-16, -2e-5, 1e6, 0, math.nan)]
    assert written == ["3 × 10⁻¹⁶", "−2 × 10⁻⁵", "10⁶", "0", "–"]
