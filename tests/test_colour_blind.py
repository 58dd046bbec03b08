"""The colours of the key can be told apart without red and green, too."""

import itertools

import numpy as np
import pytest
from test_look import GROUNDS, palette

APART = 0.08
"""In OKLab, where a step just seen is about 0.02 wide (Ottosson 2020): four of them, so that a thin
line on a screen in daylight can still be named. Nine colours dark enough to be text on white cannot
be much further apart: for a dichromat they lie in a plane."""

# Machado, Oliveira and Fernandes 2009, severity 1, in linear RGB.
SEEN = {
    "protanope": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranope": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "all": np.eye(3),
}
TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
MODULES, THINGS = ("attn", "mlp"), ("one", "two", "three", "four")
TEXT = {"plain": ("#222222", "#ced6dd")}


def lab(colour, eye):
    """OKLab of "#rrggbb" as an eye sees it."""
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return TO_LAB @ np.cbrt(TO_LMS @ np.clip(np.array(SEEN[eye]) @ linear, 0, 1))


def apart(a, b, eye):
    return np.linalg.norm(lab(a, eye) - lab(b, eye))


def meet(a, b):
    """Modules have panels of their own, or the four things have: README.md."""
    return not any(x in MODULES and y in THINGS for x, y in ((a, b), (b, a)))


@pytest.mark.parametrize("eye", SEEN)
@pytest.mark.parametrize("theme", GROUNDS)
def test_two_colours_that_may_meet_are_told_apart(theme, eye):
    which = list(GROUNDS).index(theme)
    colours = {name: both[which] for name, both in (palette() | TEXT).items()}
    pairs = [pair for pair in itertools.combinations(colours, 2) if meet(*pair)]
    assert len(pairs) == 36 - 8
    close = {(a, b): apart(colours[a], colours[b], eye) for a, b in pairs}
    assert min(close.values()) >= APART, min(close, key=close.get)


@pytest.mark.parametrize("theme", GROUNDS)
def test_modules_beside_things_are_told_apart_by_most_eyes(theme):
    which = list(GROUNDS).index(theme)
    for a, b in itertools.product(MODULES, THINGS):
        assert apart(palette()[a][which], palette()[b][which], "all") >= APART, (a, b)


def test_red_and_green_are_one_without_the_cones_for_them():
    """The simulation does something: what is far apart comes near, grey stays what it is."""
    red, green = "#a06000", "#5d7d00"
    assert apart(red, green, "deuteranope") < 0.4 * apart(red, green, "all")
    for eye in SEEN:
        assert apart("#777777", "#777777", eye) == 0
        assert np.allclose(lab("#777777", eye), lab("#777777", "all"), atol=1e-3)
