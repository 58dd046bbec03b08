"""Halving and gradient sign in a search and on the command line; how often halving agrees."""

import re

import numpy as np
import pytest
from command_line import SMALL, answer, refused, run

from svdicl_lite.cli.search import AGREED
from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.algorithm1 import search_clip_rate
from svdicl_lite.search.cells import Cell, judged
from svdicl_lite.search.committed import outcomes
from svdicl_lite.search.experiment import Experiment
from svdicl_lite.search.gradient_sign import gradient_sign
from svdicl_lite.search.halving import halved_search, simulated
from svdicl_lite.search.journal import Journal
from svdicl_lite.search.without_rate import WITHOUT_RATE, compare

RATES = (0, 0.3, 0.5, 0.7, 0.9)
TOLD = [*SMALL[: SMALL.index("--clip-rates")], "--clip-rates", "0,0.3,0.5,0.7,0.9", "--sets", 2]


@pytest.fixture
def judges(model, tokenizer, sentiment):
    return [
        ICLEvaluator(model, tokenizer, sentiment, split, 24, 2, (0, 1, 2))
        for split in ("validation", "test")
    ]


def test_a_race_answers_as_the_full_search_does_prompt_by_prompt(judges):
    validation = judges[0]
    cells = [Cell(1, "mlp", rate) for rate in RATES]
    full, raced = dict(judged(validation, cells)), halved_search(validation, cells)
    for cell, outcome, n in zip(cells, raced.outcomes, raced.n_seen, strict=True):
        assert outcome.n == n and set(outcome.demonstration_sets) == {0, 1, 2}
        for number in range(3):  # of each set of demonstrations its first prompts
            of_set = full[cell].demonstration_sets == number
            here = outcome.demonstration_sets == number
            wanted = full[cell].scores[of_set][: here.sum()]
            np.testing.assert_allclose(outcome.scores[here], wanted, atol=1e-4)
            assert (outcome.labels[here] == full[cell].labels[of_set][: here.sum()]).all()
    assert sorted(raced.n_seen)[0] < 24 == raced.n_seen[0] == raced.n_seen[raced.chosen]


def test_a_halved_search_is_algorithm_1_with_fewer_prompts(model, judges, fingerprint, tmp_path):
    before = fingerprint(model)
    with Journal(tmp_path / "j", {}) as journal:
        how = {"clip_rates": RATES, "halving": True, "journal": journal}
        found = search_clip_rate(model, *judges, "mlp", 1, **how)
        n_kept = len([*journal.entries()])
        again = search_clip_rate(model, *judges, "mlp", 1, **how)  # nothing is left to do
        assert len([*journal.entries()]) == n_kept and again.clip_rate == found.clip_rate
    assert fingerprint(model) == before
    assert found.validation_before.n == found.validation_after.n == found.test_after.n == 24
    assert sum(outcome.n for outcome in found.validation) < 24 * len(RATES)
    full = search_clip_rate(model, *judges, "mlp", 1, clip_rates=RATES)
    assert found.validation_after.accuracy <= full.validation_after.accuracy
    same = full.validation[full.clip_rates.index(found.clip_rate)]
    assert found.validation_after.accuracy == same.accuracy


def test_what_cannot_be_a_race_is_refused(model, judges):
    with pytest.raises(ValueError, match="choose_by is 'discrimination', but halving counts right"):
        search_clip_rate(model, *judges, layer=1, choose_by="discrimination", halving=True)
    with pytest.raises(ValueError, match="nothing to share out; leave map .--workers. or halving"):
        search_clip_rate(model, *judges, layer=1, map=map, halving=True)


# On the command line.


def test_the_command_says_what_the_race_took(tiny, tmp_path):
    told = ["search", "--model", tiny, *TOLD, "--layer", 1, "--halving"]
    found = answer(*told, "--out", tmp_path / "out")
    sizes = [row["n"] for row in found["validation"]]
    assert found["halving"] == {"judged": sum(sizes), "of": 100, "share": sum(sizes) / 100}
    assert sizes[0] == 20 and min(sizes) == 5
    said = " ".join(run(*told).stdout.split())
    assert f"halving judged {sum(sizes)} of 100 prompts" in said and AGREED in said
    rates = (tmp_path / "out/outcomes.csv").read_text().splitlines()[1:]
    judged_rates = {row.split(",")[3] for row in rates if row.startswith("validation")}
    assert judged_rates == {f"{row['clip_rate']}" for row in found["validation"] if row["n"] == 20}
    assert answer(*told[:-1])["halving"] is None


def test_gradient_sign_says_what_the_library_says(tiny):
    told = ["search", "--model", tiny, *TOLD, "--layer", 1, "--module", "attn"]
    found = answer(*told, "--method", "gradient-sign")
    experiment = Experiment(tiny, "sentiment", n_shots=2, n_validation=20, n_test=24, seeds=(0, 1))
    validation, test = experiment.evaluator("validation"), experiment.evaluator("test")
    at = matrices(validation.model, 1, "attn")
    result = compare(validation, test, lambda: gradient_sign(validation, at))
    assert (found["layer"], found["module"], found["clip_rate"]) == (1, "attn", None)
    assert found["verdict"] == str(result)
    assert found["test_after"]["accuracy"] == result.test_after.accuracy
    said = run(*told, "--method", "gradient-sign").stdout
    assert "gradient-sign of the attn of layer 1" in said


@pytest.mark.parametrize("method", WITHOUT_RATE)
def test_a_method_without_rates_has_nothing_to_halve(tiny, method):
    told = ["search", "--model", tiny, *TOLD, "--layer", 1, "--method", method]
    assert "no rates to choose from; leave --halving out" in refused(*told, "--halving")


# How often it agrees.


def test_a_candidate_that_is_always_right_is_always_found():
    correct = np.zeros((8, 64), dtype=bool)
    correct[5] = True
    agreed = simulated(correct, 20)
    assert agreed.same.all() and not agreed.lost.any() and (agreed.cost == 0.5).all()


def test_agreement_differs_by_seed_and_what_is_lost_is_never_negative():
    correct = np.random.default_rng(0).random((8, 64)) < 0.7
    one, other = simulated(correct, 50), simulated(correct, 50, seed=50)
    assert one.same.tolist() == simulated(correct, 50).same.tolist() != other.same.tolist()
    assert (one.lost >= 0).all() and 0 < one.same.mean() < 1
    assert (one.lost[one.same] == 0).all()


def test_the_help_says_how_often_it_agreed_on_the_real_model():
    table = outcomes("movies_depth")
    before = table["evaluation"].iloc[0].correct
    shares = []
    for _, place in table[table["clip_rate"] > 0].groupby(["layer", "module"]):
        correct = np.array([before, *(outcome.correct for outcome in place["evaluation"])])
        shares.append(simulated(correct).same.mean())
    assert len(shares) == 24
    assert f"{100 * min(shares):.0f} to {100 * max(shares):.0f} %" == AGREED
    help = " ".join(run("search", "--help").stdout.split())
    assert re.search(rf"full search's in {AGREED} of 200 simulated", help)
