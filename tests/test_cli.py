import command_line
import pytest
from command_line import SMALL, answer, refused

from svdicl_lite.clipping.controls import dropped
from svdicl_lite.clipping.spectra import condition_table
from svdicl_lite.models.loading import load_model
from svdicl_lite.search.algorithm1 import search_clip_rate
from svdicl_lite.search.experiment import Experiment
from svdicl_lite.search.greedy import greedy_search
from svdicl_lite.search.rules.registry import select_layer
from svdicl_lite.search.without_rate import calibration, compare

# Fixtures: pytest looks for their names here.
small = command_line.small


def test_condition_says_what_the_library_says(tiny):
    found, model = answer("condition", "--model", tiny, "--module", "mlp"), load_model(tiny)[0]
    assert found["matrices"] == condition_table(model, "mlp").to_dict("records")
    assert found["chosen_layer"] == select_layer(model, "mlp") and found["note"].startswith(
        f"layer {found['chosen_layer']} would be chosen"
    )
    assert (
        answer("condition", "--model", tiny, "--top-k", 3, "--reduction", "mean")["chosen_layer"]
        == 2
    )


def test_search_says_what_the_library_says_to_the_last_digit(tiny, small):
    found = answer("search", "--model", tiny, *SMALL, "--module", "attn", "--seed", 1, "--sets", 2)
    experiment = Experiment(tiny, "sentiment", n_shots=2, n_validation=20, n_test=24, seeds=(2, 3))
    validation, test = experiment.evaluator("validation"), experiment.evaluator("test")
    result = search_clip_rate(
        validation.model, validation, test, "attn", clip_rates=(0, 0.5, 0.9), seed=1
    )
    assert (found["layer"], found["module"], found["clip_rate"]) == (
        result.layer,
        "attn",
        result.clip_rate,
    )
    assert [row["accuracy"] for row in found["validation"]] == [
        outcome.accuracy for outcome in result.validation
    ]
    assert (found["test_gain"], found["p_value"], found["optimism"]) == (
        result.test_gain,
        result.p_value,
        result.optimism,
    )
    assert (
        found["test_gain_by_set"] == [*result.gain_by_set]
        and found["p_value_by_set"] == result.p_value_by_set
    )
    assert found["verdict"] == str(result) and found["experiment"]["seeds"] == [2, 3]
    assert (found["reading"], found["lean"], found["kind"]) == (
        result.reading,
        result.lean,
        result.kind,
    )
    assert found["reading_over_sets"] is None  # two sets are too few
    assert found["test_after"]["discrimination"] == result.test_after.discrimination


def test_search_chooses_by_what_it_is_told(tiny):
    told = ["search", "--model", tiny, *SMALL, "--layer", 1, "--choose-by", "discrimination"]
    found = answer(*told)
    best = max(found["validation"], key=lambda row: row["discrimination"])
    assert found["clip_rate"] == best["clip_rate"] and found["choose_by"] == "discrimination"
    assert "choose_by is 'f1', but must be one of accuracy" in refused(*told[:-1], "f1")
    assert "leave --choose-by out" in refused(*told, "--method", "calibration")


def test_the_same_command_twice_says_the_same(tiny):
    for command in (
        ["search", "--layer", "random", "--method", "random-subspace", "--seed", 3],
        ["greedy", "--module", "mlp"],
        ["sweep", "--layer", "1"],
    ):
        first, second = (answer(*command, "--model", tiny, *SMALL) for _ in range(2))
        assert first.pop("seconds") > 0 and second.pop("seconds") > 0 and first == second


def test_another_seed_draws_other_demonstrations_and_none_twice(tiny):
    seeds = [
        answer("sweep", "--model", tiny, *SMALL, "--layer", 0, "--seed", seed, "--sets", 3)[
            "experiment"
        ]["seeds"]
        for seed in (0, 1)
    ]
    assert seeds == [[0, 1, 2], [3, 4, 5]]


def test_sweep_lists_every_cell_and_shares_its_layers_out(tiny):
    found = answer("sweep", "--model", tiny, *SMALL)
    assert {(c["layer"], c["module"], c["clip_rate"]) for c in found["cells"]} == {
        (i, m, r) for i in range(3) for m in ("mlp", "attn") for r in (0, 0.5, 0.9)
    }
    assert all(
        cell["n"] == 20 and cell["low"] <= cell["accuracy"] <= cell["high"]
        for cell in found["cells"]
    )
    some = answer("sweep", "--model", tiny, *SMALL, "--module", "q", "--layer", 2, "--layer", 0)
    assert [(c["layer"], c["module"]) for c in some["cells"]] == [(0, "q")] * 3 + [(2, "q")] * 3


def test_greedy_says_what_the_library_says_and_minds_its_guard():
    # a model that gains by a clip of its last MLP (chapter 08), so that there is something to keep
    common = "--model icl-gpt2-noisy --task sentiment --labels flipped --shots 4 --sets 1".split()
    common += (
        "--n-validation 40 --n-test 40 --clip-rates 0,0.95,0.99 --layer 3 --module mlp".split()
    )
    found = answer("greedy", *common, "--guard", "topic:arbitrary", "--max-loss", 0.9)
    experiments = [
        Experiment("icl-gpt2-noisy", *which, n_shots=4, n_validation=40, n_test=40)
        for which in (("sentiment", "flipped"), ("topic", "arbitrary"))
    ]
    validation, test, guard = (
        experiments[i].evaluator(split)
        for i, split in ((0, "validation"), (0, "test"), (1, "validation"))
    )
    result = greedy_search(
        validation.model, validation, test, ("mlp",), (3,), (0, 0.95, 0.99), guard, 0.9
    )
    assert len(result.steps) == 1
    for said, step in zip(found["steps"], result.steps, strict=True):
        assert (said["layer"], said["module"], said["clip_rate"]) == (3, "mlp", step.cell.clip_rate)
        assert (said["validation"]["accuracy"], said["guard"]["accuracy"]) == (
            step.validation.accuracy,
            step.guard.accuracy,
        )
    assert (found["n_tried"], found["test_gain"], found["guard"], found["guard_labels"]) == (
        2,
        result.test_gain,
        "topic",
        "arbitrary",
    )


def test_a_journal_of_greedy_knows_its_guard(tiny, tmp_path):
    command = [
        "greedy",
        "--model",
        tiny,
        *SMALL,
        "--layer",
        2,
        "--module",
        "mlp",
        "--journal",
        tmp_path / "j",
    ]
    answer(*command, "--guard", "topic")
    assert "differs in 'guard'" in refused(
        *command, "--guard", "topic:flipped"
    ) and "differs in 'guard'" in refused(*command)


@pytest.mark.parametrize("method, layer", [("drop-block", 1), ("calibration", None)])
def test_controls_without_a_rate_say_what_the_library_says(tiny, small, method, layer):
    found = answer("search", "--model", tiny, *SMALL, "--method", method, "--layer", 1)
    validation, test = small.evaluator("validation"), small.evaluator("test")
    result = (
        calibration(validation, test)
        if layer is None
        else compare(validation, test, lambda: dropped(validation.model, layer))
    )
    assert (found["method"], found["layer"], found["clip_rate"], found["validation"]) == (
        method,
        layer,
        None,
        [],
    )
    assert found["test_after"]["accuracy"] == result.test_after.accuracy and found[
        "verdict"
    ] == str(result)
    assert f"method '{method}' is of a whole model" in refused(
        "search", "--model", tiny, *SMALL, "--method", method, "--expert", 0
    )
