"""The kept seconds of rules and clips: what they hold, and how a sweep is scaled up."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("rules", ROOT / "benchmarks/rules.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def kept(benchmark):
    return json.loads(benchmark.RESULT.read_text())


def test_a_sweep_goes_the_way_up_once_and_searches_every_layer(benchmark):
    way, clips, layers = 9.0, 70.0, 30
    seconds = lambda layer: way * layer / layers + clips * (layers - layer) / layers
    searches = [{"layer": layer, "seconds": seconds(layer)} for layer in (11, 14, 28)]
    sweep, one = benchmark.scaled_up(searches, layers)
    assert sweep == pytest.approx(way + clips * sum(range(1, 31)) / 30)
    assert one == pytest.approx(sum(map(seconds, range(30))) / 30)


def test_every_rule_and_clip_has_its_seconds_and_its_forwards(benchmark, kept):
    rules = {row["name"]: row for row in kept["rules"]}
    assert set(rules) == {*benchmark.RULES, "oracle", "random"}
    assert {row["name"] for row in kept["clips"]} >= {*benchmark.METHODS, "calibration"}
    assert all(row["seconds"] > 0 < row["forwards"] for row in [*kept["rules"], *kept["clips"]])
    found = {one["layer"]: one["seconds"] for one in kept["searches"]}
    for name in benchmark.RULES:
        row = rules[name]
        assert row["seconds"] == pytest.approx(row["asking"] + found[row["layer"]])
        in_layer = kept["n"] * len(kept["rates"]) * (30 - row["layer"]) / 30
        assert row["forwards"] == pytest.approx(row["asked"] + in_layer)
    whole = benchmark.scaled_up(kept["searches"], 30)
    assert (rules["oracle"]["seconds"], rules["random"]["seconds"]) == pytest.approx(whole)
