"""A value and its interval, written together."""

from svdicl_lite.numbers import estimate, gain


def test_an_estimate_has_its_interval_behind_it():
    assert estimate(0.715, (0.69, 0.7404)) == "0.715 [0.690, 0.740]"
    assert estimate(-0.031, (-0.08, 0.02), 2, signed=True) == "−0.03 [−0.08, +0.02]"
    assert estimate(float("nan"), (float("nan"), 1.0), 1) == "– [–, 1.0]"


def test_a_gain_is_in_points():
    assert gain(0.0174, (-0.0093, 0.043)) == "+1.7 [−0.9, +4.3]"
    assert gain(-0.0001, (-0.02, 0)) == "0.0 [−2.0, 0.0]"
