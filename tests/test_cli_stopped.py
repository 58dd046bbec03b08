"""Ctrl-C: what is finished is printed and kept."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

from command_line import SMALL, answer, run


def test_ctrl_c_prints_what_is_finished_and_keeps_it(tiny, tmp_path, monkeypatch):
    from svdicl_lite.search.journal import Journal

    add = Journal.add

    def interrupted(self, key, scores):
        if len(self.scores) == 4:
            raise KeyboardInterrupt
        add(self, key, scores)

    monkeypatch.setattr(Journal, "add", interrupted)
    for command in (
        ["sweep"],
        ["search", "--layer", 1, "--clip-rates", "0,0.1,0.5,0.75,0.9"],
        ["greedy", "--guard", "topic"],
    ):
        for journal in ([], ["--journal", tmp_path / command[0]]):
            result = run(command[0], "--model", tiny, *SMALL, *command[1:], *journal, "--json")
            found = json.loads(result.stdout)
            assert result.exit_code == 130 and found["interrupted"] and len(found["cells"]) == 4
            assert all(0 <= cell["accuracy"] <= 1 and cell["n"] == 20 for cell in found["cells"])
        assert len((tmp_path / command[0]).read_text().splitlines()) == 5
    result = run("sweep", "--model", tiny, *SMALL)
    assert (
        result.exit_code == 130
        and "interrupted; 4 cells are finished" in result.stdout
        and "0.9" in result.stdout
    )


def test_what_another_command_left_in_the_journal_is_not_in_the_partial_table(
    tiny, tmp_path, monkeypatch
):
    common = ["--model", tiny, *SMALL, "--layer", 1, "--module", "mlp", "--journal", tmp_path / "j"]
    answer("search", *common)

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    for name in ("sweeps.sweep", "algorithm1.search_clip_rate"):
        monkeypatch.setattr(f"svdicl_lite.search.{name}", interrupted)
    for command, judges in (
        (["sweep"], {"validation"}),
        (["search"], {"validation", "test"}),
        (["search", "--n-test", 30], {"validation"}),
    ):
        result = run(command[0], *common, *command[1:], "--json")
        assert (
            result.exit_code == 130
            and {cell["judge"] for cell in json.loads(result.stdout)["cells"]} == judges
        )


def test_ctrl_c_where_there_is_nothing_to_show_ends_with_130_too(tiny, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("svdicl_lite.search.experiment.Experiment.evaluator", interrupted)
    result = run("sweep", "--model", tiny, *SMALL)
    assert (result.exit_code, result.stdout) == (130, "interrupted; 0 cells are finished\n")
    monkeypatch.setattr("svdicl_lite.cli.report.partial", interrupted)  # a second one
    result = run("sweep", "--model", tiny, *SMALL)
    assert (result.exit_code, result.stdout, result.stderr) == (
        130,
        "",
        "svdicl sweep: interrupted\n",
    )


def test_a_real_ctrl_c_ends_with_130_and_a_partial_table(tiny, tmp_path):
    command = [
        sys.executable,
        "-m",
        "svdicl_lite.cli",
        "sweep",
        "--model",
        tiny,
        "--task",
        "topic",
        "--n-validation",
        "2000",
        "--n-test",
        "1",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    heard = partial(
        signal.signal, signal.SIGINT, signal.SIG_DFL
    )  # whoever runs the tests in the background of a shell hands on that it is ignored
    run = subprocess.Popen(
        [*command, "--journal", tmp_path / "j"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=heard,
    )
    deadline = (
        time.monotonic() + 300
    )  # torch alone takes a minute to import where others take the processor
    while not (tmp_path / "j").exists() or (tmp_path / "j").read_bytes().count(b"\n") < 3:
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.001)
    run.send_signal(signal.SIGINT)
    stdout, stderr = run.communicate(timeout=300)
    n = len((tmp_path / "j").read_text().splitlines()) - 1
    assert run.returncode == 130 and "Traceback" not in stderr
    assert any(
        f"interrupted; {finished} cells are finished" in stdout for finished in (n, n + 1)
    )  # it may fall between done and written
