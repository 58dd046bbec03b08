import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.algorithm1 import search_clip_rate
from svdicl_lite.search.cells import judged
from svdicl_lite.search.experiment import Experiment
from svdicl_lite.search.journal import Journal
from svdicl_lite.search.sweeps import sweep, sweep_cells
from svdicl_lite.search.workers import workers

RATES = (0.0, 0.5, 0.9)


@pytest.fixture
def experiment(tiny):
    return Experiment(tiny, "sentiment", n_shots=2, n_validation=12, n_test=12, seeds=(0, 1))


def check_same_answers(experiment, map):
    """Sweep and search by `map` say what they say without it."""
    validation, test = experiment.evaluator("validation"), experiment.evaluator("test")
    model = validation.model
    for here, there in zip(
        sweep(model, validation, clip_rates=RATES).itertuples(),
        sweep(model, validation, clip_rates=RATES, map=map).itertuples(),
    ):
        assert (here.layer, here.module, here.clip_rate) == (
            there.layer,
            there.module,
            there.clip_rate,
        )
        # Another number of threads adds up in another order: rounding of logits near 10 in float32.
        # A wrong clip moves them by 1e-2.
        np.testing.assert_allclose(
            there.evaluation.scores, here.evaluation.scores, rtol=0, atol=1e-4
        )
    here, there = (
        search_clip_rate(model, validation, test, "attn", 1, clip_rates=RATES, map=by)
        for by in (None, map)
    )
    assert here.chosen_cell == there.chosen_cell and here.test_gain == there.test_gain


def test_no_workers_is_no_map():
    with workers(None) as map:
        assert map is None


def whoami(number):
    time.sleep(0.3 if number == 0 else 0)  # the first is the slowest, and still comes first
    import torch

    from svdicl_lite.search import experiment

    return number, os.getpid(), torch.get_num_threads(), experiment._load.cache_info().misses


def test_processes_answer_as_this_one_does_in_order_and_load_the_model_once(experiment):
    with workers(2) as map:
        check_same_answers(experiment, map)
        answers = list(map(whoami, range(6)))
    numbers, pids, threads, loads = zip(*answers)
    assert numbers == (*range(6),) and os.getpid() not in pids and {*threads} == {1}
    assert (
        max(loads) == 1
    )  # five tasks, three layers of a sweep and two of a search, were for the two of them


def test_dask_answers_as_this_process_does(experiment):
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        with workers(cluster.scheduler_address.replace("tcp://", "dask://")) as map:
            check_same_answers(experiment, map)


def test_threads_take_turns_at_the_one_model_they_have(experiment, fingerprint):
    model = experiment.load()[0]
    before = fingerprint(model)
    with ThreadPoolExecutor(4) as pool:
        check_same_answers(experiment, pool.map)
    assert fingerprint(model) == before


def test_the_journal_grows_while_others_work_and_spares_them_what_it_holds(experiment, tmp_path):
    asked = []

    def lazy_map(function, layers):
        for cells in layers:
            asked.append(cells[0].layer)
            yield function(cells)

    evaluator = experiment.evaluator("validation")
    cells = sweep_cells(evaluator.model, None, ("mlp",), (0, 0.5))
    with Journal(tmp_path / "j", {}) as journal:
        running = judged(evaluator, cells, journal, lazy_map)
        for done in range(1, 4):
            next(running)
            assert len(journal.scores) == done
    assert asked == [0, 1]
    with Journal(tmp_path / "j", {}) as journal:
        rest = [
            (cell, outcome.scores) for cell, outcome in judged(evaluator, cells, journal, lazy_map)
        ]
    assert asked == [0, 1, 1, 2] and [cell for cell, _ in rest] == cells
    for (_, scores), (_, outcome) in zip(rest, judged(evaluator, cells), strict=True):
        assert np.array_equal(scores, outcome.scores)


def test_workers_need_a_recipe(model, tokenizer, sentiment):
    evaluator = ICLEvaluator(model, tokenizer, sentiment, n=4, n_shots=0, seeds=(0,))
    with pytest.raises(
        ValueError,
        match=(
            "workers must make their own model and prompts, so map= needs evaluators made by an"
            " Experiment"
        ),
    ):
        sweep(model, evaluator, clip_rates=(0, 0.5), map=map)


@pytest.mark.parametrize("spec", [0, -2, "four", "2.5", "", "tcp://10.0.0.5:8786", "1e3"])
def test_anything_else_is_refused_with_an_example(spec):
    with pytest.raises(
        ValueError,
        match=(
            r"workers is .*, but must be a number of processes, 1 or more, or the address of a"
            r" scheduler, as in dask://10"
        ),
    ):
        with workers(spec):
            raise AssertionError("entered")


@pytest.mark.parametrize(
    "address", ["127.0.0.1:9", "127.0.0.1:none", "127.0.0.1", "", "no.such.host.invalid:8786"]
)
def test_a_scheduler_that_does_not_answer_is_named_within_seconds(address):
    start = time.monotonic()
    with pytest.raises(
        ConnectionError,
        match=(
            rf"^no scheduler answers at dask://{address} \(.*\); start one there with `dask"
            r" scheduler`, or leave workers out$"
        ),
    ):
        with workers(f"dask://{address}"):
            raise AssertionError("entered")
    assert time.monotonic() - start < 20  # 5 to connect, on a machine that may be busy


def test_without_distributed_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ImportError, match=r"pip install 'svdicl-lite\[dask\]'"),
        workers("dask://127.0.0.1:8786"),
    ):
        raise AssertionError("entered")


def die(_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_is_reported():
    with (
        pytest.raises(
            ChildProcessError,
            match="one of 1 worker processes was killed, perhaps for want of memory",
        ),
        workers(1) as map,
    ):
        list(map(die, [0]))


PARENT = """
import os, signal, sys, time
from svdicl_lite.search.workers import workers
if __name__ == "__main__":
    with workers(1) as map:
        print(*map(eval, ["__import__('os').getpid()"]), flush=True)
        pending = map(time.sleep, [60])
        sys.stdin.read(1)
        {end}
"""


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGKILL)", "raise KeyboardInterrupt"])
def test_workers_end_with_their_parent_even_in_the_middle_of_work(tmp_path, end):
    (tmp_path / "parent.py").write_text(PARENT.format(end=end))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "parent.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    worker = int(parent.stdout.readline())
    os.kill(worker, 0)  # it is there
    parent.communicate("!", timeout=30)
    assert parent.returncode not in (0, None)
    deadline = time.monotonic() + 20
    while True:
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        if (
            Path(f"/proc/{worker}/stat").exists()
            and Path(f"/proc/{worker}/stat").read_text().split()[2] == "Z"
        ):
            return  # dead, and nobody has asked how it went
        assert time.monotonic() < deadline, "the worker outlived its parent"
        time.sleep(0.05)


INTERRUPTED = """
import time
from svdicl_lite.search.workers import workers
if __name__ == "__main__":
    try:
        with workers(2) as map:
            print("started", flush=True)
            list(map(time.sleep, [60, 60]))
    except KeyboardInterrupt:
        print("broken off", flush=True)
"""


def test_a_ctrl_c_while_workers_import_is_for_their_parent_alone(tmp_path):
    (tmp_path / "parent.py").write_text(INTERRUPTED)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a background shell ignores it
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "parent.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=heard,
        start_new_session=True,
    )
    assert parent.stdout.readline() == "started\n"
    time.sleep(0.3)  # they are at their imports, which take seconds
    os.killpg(parent.pid, signal.SIGINT)  # as a terminal does
    stdout, stderr = parent.communicate(timeout=60)
    assert (parent.returncode, stdout, stderr) == (0, "broken off\n", "")
