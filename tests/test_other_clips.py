"""The other clips of chapter 10 stand where validation chose the SVD's, each beside it."""

import pytest
from test_kept_choices import EXPERIMENTS, best_of_all, clips

from svdicl_lite.search.committed import Kept, outcomes

REAL, SUITE = (
    Kept.read(EXPERIMENTS / f"{name}.toml").runs for name in ("other_clips", "other_clips_suite")
)
OTHERS = ["svd", "whitened", "asvd", "row-clusters"]


def test_on_smollm2_the_places_are_those_of_algorithm_1():
    before = {run.task: clips(run) for run in Kept.read(EXPERIMENTS / "algorithm1.toml").runs}
    for run in REAL:
        assert clips(run) == [c for c in before[run.task] if c in clips(run)]
        left = {place for place in before[run.task] if place not in clips(run)}
        assert left <= {(18, "attn", 0.75)}


@pytest.mark.parametrize("run", SUITE, ids=[run.task for run in SUITE])
def test_on_suite_llama_validation_chose_the_places(run):
    table = outcomes("suite_rules_cells", task=run.task)
    assert clips(run) == [best_of_all(table, module) for module in ("attn", "mlp")]


@pytest.mark.parametrize("run", [*REAL, *SUITE], ids=[run.task for run in (*REAL, *SUITE)])
def test_each_place_has_every_method(run):
    for layer, module, rate in clips(run):
        here = [c for c in run.cells if (c.layer, c.module, c.clip_rate) == (layer, module, rate)]
        assert [cell.method for cell in here] == OTHERS
