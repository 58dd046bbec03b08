"""A search that is killed and taken up again answers as if it had not been."""

import json
import os
import signal
import subprocess
import sys
import time

import journal_cases
import pytest
from journal_cases import IDENTITY, RATES, same
from typer.testing import CliRunner

from svdicl_lite.cli.commands import app
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.algorithm1 import search_clip_rate
from svdicl_lite.search.experiment import Experiment
from svdicl_lite.search.greedy import greedy_search
from svdicl_lite.search.journal import Journal
from svdicl_lite.search.sweeps import sweep

# Fixtures: pytest looks for their names here.
count = journal_cases.count
evaluators = journal_cases.evaluators


class Killed(BaseException):
    """Comes as a kill would: nothing handles it."""


class Dying(Journal):
    """Dies before its `life`-th entry is written."""

    def add(self, key, scores):
        self.life -= 1
        if self.life == 0:
            raise Killed
        super().add(key, scores)


def interrupted(search, path, life):
    journal = Dying(path, IDENTITY)
    journal.life = life
    try:
        with journal:
            return search(journal)
    except Killed:
        return None


@pytest.fixture(scope="module")
def gaining():
    """A model that gains by clips of its last layers (chapter 08), so that a greedy search has
    something to keep.
    """
    experiment = Experiment(
        "icl-gpt2-noisy", "sentiment", "flipped", n_shots=2, n_validation=24, n_test=12
    )
    return experiment.evaluator("validation"), experiment.evaluator("test")


def searches(evaluators, gaining):
    (validation, test), (gaining_validation, gaining_test) = evaluators, gaining
    greedy = (
        gaining_validation.model,
        gaining_validation,
        gaining_test,
        ("mlp",),
        (2, 3),
        (0.0, 0.95, 0.99),
    )
    return {
        "sweep": lambda journal: [
            *sweep(validation.model, validation, (0, 2), ("mlp", "attn"), RATES, journal=journal)[
                "evaluation"
            ]
        ],
        "search": lambda journal: outcomes(
            search_clip_rate(
                validation.model, validation, test, "mlp", 1, clip_rates=RATES, journal=journal
            )
        ),
        "greedy": lambda journal: outcomes(greedy_search(*greedy, journal=journal)),
        "guarded": lambda journal: outcomes(
            greedy_search(*greedy, guard=gaining_test, max_loss=0.5, journal=journal)
        ),
    }


def outcomes(result):
    assert getattr(result, "steps", True), "nothing was kept, so that nothing can be taken up again"
    steps = [
        getattr(step, name)
        for step in getattr(result, "steps", ())
        for name in ("validation", "guard")
    ]
    candidates = getattr(result, "validation", ())
    return [
        result.validation_before,
        result.validation_after,
        result.test_before,
        result.test_after,
        *candidates,
        *filter(None, steps),
    ]


@pytest.mark.parametrize("kind", ["sweep", "search", "greedy", "guarded"])
def test_killed_at_any_entry_and_taken_up_again_the_answer_is_the_same_and_no_cell_is_judged_twice(
    evaluators, gaining, fingerprint, tmp_path, kind
):
    models, search = (evaluators[0].model, gaining[0].model), searches(evaluators, gaining)[kind]
    before = [*map(fingerprint, models)]
    wanted = search(None)
    with Journal(tmp_path / "whole", IDENTITY) as journal:
        assert same(search(journal), wanted)
    n = len((tmp_path / "whole").read_text().splitlines()) - 1
    for life in range(1, n + 1):
        path = tmp_path / f"{life}"
        assert interrupted(search, path, life) is None
        assert len(path.read_text().splitlines()) == life  # the first line, and those that lived
        assert [*map(fingerprint, models)] == before
        assert same(interrupted(search, path, -1), wanted)
        keys = path.read_text().splitlines()
        assert len(keys) == n + 1 == len(set(keys))


def test_a_finished_search_runs_the_model_no_more(
    evaluators, gaining, count, tmp_path, monkeypatch
):
    for kind, search in searches(evaluators, gaining).items():
        with Journal(tmp_path / kind, IDENTITY) as journal:
            wanted = search(journal)
        count.clear()
        with Journal(tmp_path / kind, IDENTITY) as journal, monkeypatch.context() as patch:
            patch.setattr(ICLEvaluator, "__call__", None)
            assert same(search(journal), wanted) and count == []


def test_a_sweep_serves_the_search_that_follows_it(model, evaluators, count, tmp_path):
    with Journal(tmp_path / "j", IDENTITY) as journal:
        sweep(model, evaluators[0], (1,), ("mlp",), RATES, journal=journal)
        assert len(count) == 3
        search_clip_rate(model, *evaluators, "mlp", 1, clip_rates=RATES, journal=journal)
        assert len(count) <= 5  # only the test, before and after


def test_kill_9_and_the_same_command_again(tmp_path, tiny):
    arguments = [
        "sweep",
        "--model",
        tiny,
        "--task",
        "topic",
        "--shots",
        "8",
        "--n-validation",
        "200",
        "--n-test",
        "1",
        "--json",
        "--journal",
    ]
    command = [sys.executable, "-m", "svdicl_lite.cli", *arguments, str(tmp_path / "j")]
    run = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    deadline = time.monotonic() + 300
    while not (tmp_path / "j").exists() or (tmp_path / "j").read_bytes().count(b"\n") < 3:
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.001)
    os.kill(run.pid, signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    kept = (tmp_path / "j").read_bytes()
    kept = kept[: kept.rfind(b"\n") + 1]
    assert 3 <= kept.count(b"\n") < 1 + 3 * 2 * 8
    with open(tmp_path / "j", "ab") as file:
        file.write(b'{"key": {"spl')  # as a kill in the middle of a line leaves it
    runner, results = CliRunner(), []
    for path in (tmp_path / "j", tmp_path / "another"):
        results.append(
            json.loads(runner.invoke(app, [*arguments, str(path)]).stdout) | {"seconds": 0}
        )
    assert results[0] == results[1]
    lines = (tmp_path / "j").read_bytes()
    assert lines.startswith(kept) and lines.count(b"\n") == 1 + 3 * 2 * 8
    assert sorted(lines.splitlines()) == sorted((tmp_path / "another").read_bytes().splitlines())
