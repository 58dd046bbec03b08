"""Grading where something else is wrong: points, folders, time, disk, Ctrl-C, a learner gone."""

import os
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("otter")
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book/_ext"))
import assignments  # noqa: E402
from handed_in import MASTER, Batch, table  # noqa: E402

from svdicl_lite.classroom import grade, gradebook, sheet  # noqa: E402
from svdicl_lite.classroom.flags import flags  # noqa: E402
from svdicl_lite.classroom.isolated import isolated  # noqa: E402
from svdicl_lite.classroom.marker import Marker, stopped  # noqa: E402
from svdicl_lite.classroom.submissions import find, read  # noqa: E402
from svdicl_lite.cli.commands import app  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Non-unique cell id")  # the duplicated cell's


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """The same submissions. Nothing here needs them graded, which takes most of a minute."""
    return Batch(tmp_path_factory.mktemp("class"), graded=False)


@pytest.mark.parametrize("given", ["4", "-1", "two", "nan"])
def test_points_that_cannot_be_are_refused_before_anything_is_graded(batch, tmp_path, given):
    out = tmp_path / "grades"
    out.mkdir()
    (out / sheet.SHEET).write_text(f"learner,question,points\nhopper_1906,q7,{given}\n")
    done = CliRunner().invoke(
        app,
        [
            "grade",
            str(batch.submissions),
            "--assignment",
            "01",
            "--out",
            str(out),
            "--built",
            str(batch.built),
        ],
    )
    assert (
        done.exit_code == 1
        and f"gives hopper_1906 '{given}' points for q7, but it should be a number from 0 to 3"
        in done.stderr
    )


def test_nothing_to_grade_is_one_sentence_and_exit_code_1(batch, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder, number, sentence in (
        (tmp_path / "empty", "01", "is empty; it should hold a notebook"),
        (tmp_path / "gone", "01", "is not a folder"),
        (batch.submissions, "77", "there is no assignment '77'"),
    ):
        done = CliRunner().invoke(
            app,
            [
                "grade",
                str(folder),
                "--assignment",
                number,
                "--out",
                str(tmp_path / "out"),
                "--built",
                str(batch.built),
            ],
        )
        assert done.exit_code == 1 and sentence in done.stderr and done.stderr.count("\n") == 1
        assert not (tmp_path / "out").exists()


def test_grades_among_the_submissions_are_refused(batch):
    done = CliRunner().invoke(
        app,
        [
            "grade",
            str(batch.submissions),
            "--assignment",
            "01",
            "--out",
            str(batch.submissions / "grades"),
            "--built",
            str(batch.built),
        ],
    )
    assert done.exit_code == 1 and "lies among the submissions" in done.stderr
    assert not (batch.submissions / "grades").exists()


def test_help_tells_the_exit_codes():
    text = " ".join(CliRunner().invoke(app, ["grade", "--help"]).output.split())
    for code in (
        "0 every submission was graded",
        "1 nothing can be graded",
        "3 done, but a person must look",
        "130 interrupted",
    ):
        assert code in text


def blank_of(batch):
    return read(next(one for one in find(batch.submissions) if one.learner == "blank"), "01_svd")


def test_a_submission_that_takes_too_long_in_all_is_stopped_with_all_it_started(batch):
    notebook = blank_of(batch)
    notebook["cells"].append({"cell_type": "code", "source": "while True: pass", "tags": []})
    with Marker(grade.built(batch.built, "1")) as marker:
        start = time.monotonic()
        result = marker.mark(notebook, {}, 3)
    assert result["status"] == "stopped" and result["questions"] == {}
    assert result["reason"] == "it took longer than 3 s in all"
    assert time.monotonic() - start < 30


def test_one_that_fills_the_disk_gets_an_error_from_it(batch):
    fill = "with open('full', 'wb') as a, open('fuller', 'wb') as b:\n    for _ in range(30):\n"
    fill += "        a.write(bytes(2**20)), b.write(bytes(2**20))\n"
    notebook = blank_of(batch)
    notebook["cells"].append({"cell_type": "code", "source": fill, "tags": []})
    with Marker(grade.built(batch.built, "01_svd")) as marker:
        result = marker.mark(notebook, {"disk_mb": 20}, 100)
    assert result["status"] == "graded" and "ended with a OSError" in result["errors"][-1]


@pytest.mark.parametrize(
    "reason, runs",
    [(f"{grade.ACCIDENT}: no process came up", 2), ("it took longer than 1 s in all", 1)],
)
def test_only_an_accident_of_the_grader_is_tried_again(tmp_path, monkeypatch, reason, runs):
    built, calls = assignments.build(MASTER, tmp_path / "built"), []

    class Stopped:
        def __init__(self, autograder):
            pass

        def mark(self, *_):
            calls.append(1)
            return stopped(reason) | {"seconds": 1}

        def close(self):
            pass

    monkeypatch.setattr(grade, "Marker", Stopped)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/ada.ipynb").write_text((built / "01_svd-solution.ipynb").read_text())
    for _ in range(2):
        ((_, result),) = grade.grade_all(
            tmp_path / "in", built / "01_svd-autograder.zip", tmp_path / "out", {}, 1
        )
        assert result["status"] == "stopped" and result["reason"] == reason
    assert len(calls) == runs


def test_ctrl_c_says_how_to_go_on(batch, tmp_path, monkeypatch):
    def broken_off(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(grade, "grade_all", broken_off)
    done = CliRunner().invoke(
        app,
        [
            "grade",
            str(batch.submissions),
            "--assignment",
            "01",
            "--out",
            str(tmp_path),
            "--built",
            str(batch.built),
        ],
    )
    assert done.exit_code == 130 and "the same command resumes" in done.stderr


def test_points_by_hand_outlive_a_submission_that_is_gone(tmp_path):
    assignment = {
        "title": "A",
        "questions": [{"name": "q1", "title": "Q", "points": 3, "manual": True, "rubric": []}],
    }
    (tmp_path / sheet.SHEET).write_text(
        "learner,question,title,possible,points,comment,answer,rubric\nghost,q1,Q,3,2,good,mine,\n"
    )
    for _ in range(2):
        assert gradebook.write(tmp_path, assignment, []) == []
    assert [float(row["points"]) for row in table(tmp_path / sheet.SHEET)] == [2]


def test_newest_of_several_files_of_a_learner_is_read(batch, tmp_path):
    folder = tmp_path / "turing"
    folder.mkdir()
    source = (batch.submissions / "blank.ipynb").read_text()
    for age, name in enumerate(("z.ipynb", "a.ipynb")):
        (folder / name).write_text(source)
        os.utime(folder / name, (1e9 + age, 1e9 + age))
    (submission,) = find(tmp_path)
    assert submission.learner == "turing" and [path.name for path in submission.paths] == [
        "z.ipynb",
        "a.ipynb",
    ]
    assert read(submission, "01_svd")["cells"][0]["source"].startswith("# Assignment 1")


def test_isolated_call_reports_how_it_failed_and_never_waits_longer():
    assert isolated(lambda: None, 5) is None
    assert isolated(lambda: 1 / 0, 5) == "ZeroDivisionError: division by zero"
    assert isolated(lambda: sys.exit(3), 5) == "SystemExit: 3"
    assert isolated(lambda: os._exit(0), 5) == "the test crashed"
    start = time.monotonic()
    assert isolated(lambda: time.sleep(60), 1) == "it took longer than 1 s"
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    "source",
    [
        "x = np.zeros(3)",
        "def f(W):\n    return W.T",
        "U, S, Vh = np.linalg.svd(W)\nassert S[0] > 0",
        "S[0] = 1",
        "%timeit f(1)",
    ],
)
def test_ordinary_code_is_not_flagged(source):
    assert flags(source) == []
