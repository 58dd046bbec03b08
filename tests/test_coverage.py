"""How often an interval over sets holds what it should, on real sets that are kept: counted again,
and two of the sets judged again.
"""

import json
import sys

import numpy as np
import pytest
from test_chapters import ROOT

from svdicl_lite import load_model
from svdicl_lite.models.digest import weights_digest
from svdicl_lite.search.find_clip import N_SETS as N_DEFAULT
from svdicl_lite.stats import cluster_interval, hall_interval, interval_over_sets

sys.path.insert(0, str(ROOT / "benchmarks"))
from coverage_models import ALL_SETS, METHODS, N_SETS, PARTS, RESULT, SETTINGS, by_set, coverage

KEPT = json.loads(RESULT.read_text())
CLIPS = KEPT["clips"]
MEANS = {(name, part): np.array(clip[part]) for name, clip in CLIPS.items() for part in PARTS}


def test_what_is_kept_is_of_all_settings_on_three_models():
    assert list(CLIPS) == [str(setting) for setting in SETTINGS]
    assert len({setting.model for setting in SETTINGS}) == 3
    assert all(len(means) == ALL_SETS for means in MEANS.values())
    for clip in CLIPS.values():
        gain, parts = np.array(clip["gain"]), np.add(clip["reading"], clip["lean"])
        np.testing.assert_allclose(gain, parts, atol=2e-6)  # each is rounded to six digits


@pytest.mark.parametrize("setting", SETTINGS[::2], ids=str)
def test_two_sets_judged_again_are_what_is_kept(setting):
    kept = CLIPS[str(setting)]
    assert weights_digest(load_model(setting.model)[0]) == kept["weights"]
    again = by_set(setting, range(2))
    for part in PARTS:  # an answer near a tie may fall the other way elsewhere: 1/40
        np.testing.assert_allclose(again[part], kept[part][:2], atol=0.06)


@pytest.mark.parametrize("method", ["t", "wider"])
def test_the_shares_are_those_of_the_sets_that_are_kept(method):
    kept = KEPT[f"covered_by_{method}"]
    for clip, part in list(MEANS)[::7]:
        counted, _ = coverage(MEANS[clip, part], 12, method)
        assert counted == pytest.approx(kept[clip][part][N_SETS.index(12)], abs=1e-3)


def test_what_is_printed_holds_the_truth_in_92_per_cent_from_twelve_sets_on_and_t_does_not():
    by_t, printed = (
        np.array(
            [share for clip in KEPT[f"covered_by_{method}"].values() for share in clip.values()]
        )
        for method in ("t", "wider")
    )  # (clips × parts, numbers of sets)
    assert N_SETS[2:] == (12, 16, 24) and N_DEFAULT == 12
    assert (printed[:, 2:] >= 0.92).all() and (printed[:, 1] > 0.91).all()
    assert by_t.min(axis=0).max() < 0.92


@pytest.mark.parametrize(
    ("method", "function"),
    [("t", cluster_interval), ("Hall", hall_interval), ("wider", interval_over_sets)],
)
def test_intervals_on_trial_are_those_of_the_library(method, function):
    drawn = np.random.default_rng(0).choice(next(iter(MEANS.values())), (20, 8))
    for sets, low, high in zip(drawn, *METHODS[method](drawn)):
        assert (low, high) == pytest.approx(function(sets, range(8)), abs=1e-6)


def test_clusters_of_several_sizes_weigh_as_they_are_large():
    gains, sets = np.array([0, 0, 1, 1, 1, 0, 0, 0.5]), np.array([0, 0, 1, 1, 1, 2, 3, 3])
    low, high = hall_interval(gains, sets)
    assert low < gains.mean() < high
    assert hall_interval(-gains, sets) == pytest.approx((-high, -low), abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_every_interval_covers_what_is_normal_and_lies_where_the_sets_do(method):
    normal = np.random.default_rng(1).normal(0.1, 0.05, ALL_SETS)
    covered, _ = coverage(normal, 8, method, repeats=400)
    assert 0.91 < covered < 0.99  # of 400: a standard deviation is .011
    low, high = METHODS[method](np.full((1, 8), 0.25))
    assert low == pytest.approx(0.25) and high == pytest.approx(0.25)


@pytest.mark.parametrize("method", ["Johnson", "Hall", "bootstrap t"])
def test_what_undoes_skewness_reaches_further_on_the_long_side(method):
    skewed = np.array([[0, 0, 0.01, 0.02, 0.02, 0.03, 0.1, 0.4]])
    (low, high), (lower, higher) = METHODS[method](skewed), METHODS["t"](skewed)
    assert high > higher and low > lower
