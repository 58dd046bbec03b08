"""`svdicl grade` on what learners hand in: honest, hostile, broken. One batch is graded, end to
end; the tests read what came out.
"""

import csv
import json
import os
import re
import shlex
import sys
import time
import tomllib
import zipfile
from pathlib import Path

import nbformat
import psutil
import pytest
from typer.testing import CliRunner

pytest.importorskip("otter")
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book/_ext"))
import assignments  # noqa: E402
from masters import masters  # noqa: E402

from svdicl_lite.classroom import grade, gradebook, sheet  # noqa: E402
from svdicl_lite.classroom.flags import flags  # noqa: E402
from svdicl_lite.classroom.isolated import isolated  # noqa: E402
from svdicl_lite.classroom.marker import Marker, stopped  # noqa: E402
from svdicl_lite.classroom.submissions import find, read  # noqa: E402
from svdicl_lite.cli.commands import app  # noqa: E402

MASTER = next(master for master in masters() if master.name == "01_svd")
ALL = {"q1": 2, "q2": 3, "q3": 3, "q4": 3, "q5": 3, "q6": 3}
LIMITS = [
    "--cell-seconds",
    "12",
    "--test-seconds",
    "6",
    "--memory-gb",
    "2",
    "--file-mb",
    "20",
    "--seconds",
    "540",
]
SLEEP = "86399.25"  # seconds; a length by which a process can be told


def changed(notebook, **answers):
    """A copy in which the answers to the named questions are others."""
    notebook = nbformat.reads(nbformat.writes(notebook), as_version=4)
    for question, code in answers.items():
        check = next(
            i for i, cell in enumerate(notebook.cells) if f'check("{question}")' in cell.source
        )
        notebook.cells[check - 1].source = code.format(old=notebook.cells[check - 1].source)
    return notebook


HOSTILE = {
    "endless_loop": {
        "q2": "while True:\n    try:\n        pass\n    except BaseException:\n        pass",
        "q3": (
            "def cut_errors(S, rank):\n    while True:\n        try:\n            pass\n       "
            " except BaseException:\n            pass"
        ),
    },
    "sys_exit": {
        "q2": "{old}\nimport sys\nsys.exit(0)",
        "q3": "def cut_errors(S, rank):\n    import sys\n    sys.exit(0)",
        "q5": "exit()",
    },
    "os_exit": {
        "q2": "import os\nos._exit(0)",
        "q3": "def cut_errors(S, rank):\n    import os\n    os._exit(0)",
    },
    "killed_kernel": {
        "q2": "import os\nos.kill(os.getpid(), 9)",
        "q3": "def cut_errors(S, rank):\n    import os\n    os.kill(os.getppid(), 9)",
    },
    "syntax_error": {"q2": "def truncate(W, rank:\n    return W"},
    "duplicated_cell": {},
    "renamed_cell": {},
    "hog": {
        "q2": "def truncate(W, rank):\n    return [bytearray(2**28) for _ in range(10**4)]",
        "q3": (
            "with open('bomb', 'wb') as file:\n    for _ in range(10**4):\n       "
            " file.write(bytes(2**20))\n{old}"
        ),
    },
}
LOST = {
    "endless_loop": {"q2", "q3"},
    "sys_exit": {"q3", "q5"},
    "os_exit": {"q2", "q3"},
    "killed_kernel": {"q2", "q3"},
    "syntax_error": {"q2"},
    "duplicated_cell": set(),
    "renamed_cell": set(),
    "hog": {"q2", "q3"},
}


def hand_in(folder, built):
    """The batch: honest learners, hostile ones, and files that are no submissions."""
    reference = nbformat.read(built / "01_svd-solution.ipynb", as_version=4)
    with zipfile.ZipFile(built / "01_svd-student.zip") as archive:
        blank = nbformat.reads(archive.read("01_svd/01_svd.ipynb").decode(), as_version=4)
    for name, answers in HOSTILE.items():
        notebook = changed(reference, **answers)
        check = next(i for i, cell in enumerate(notebook.cells) if 'check("q2")' in cell.source)
        if name == "duplicated_cell":  # ids and all
            notebook.cells[check + 1 : check + 1] = notebook.cells[check - 1 : check + 1]
        if name == "renamed_cell":
            for number, cell in enumerate(notebook.cells):
                cell.id = f"mine-{number}"
            del notebook.cells[check]
        text = json.dumps(notebook)
        (folder / f"{name}.ipynb").write_text(text)
    nbformat.write(blank, folder / "blank.ipynb")
    answered = changed(blank, q1=reference_answer(reference, "q1"))
    cell = next(c for c in answered.cells if "Type your answer here" in c.source)
    cell.source = "=HYPERLINK('http://x')  It is *near*, not good."
    spy = (
        "import subprocess\nnp.isclose = lambda *a: True\n"
        f"subprocess.Popen(['sleep', '{SLEEP}'], start_new_session=True)\n"
        "open('tests/q2.py')\n{old}"
    )
    moodle = folder / "Ada Lovelace_77_assignsubmission_file_"
    moodle.mkdir()
    with zipfile.ZipFile(moodle / "my homework (final).zip", "w") as archive:
        archive.writestr("some/where/final2.ipynb", nbformat.writes(reference))
        archive.writestr("__MACOSX/some/where/._final2.ipynb", "x")
    nbformat.write(answered, folder / "hopper_LATE_1906_5_hw.ipynb")
    nbformat.write(changed(reference, q2=spy), folder / "spy.ipynb")
    (folder / "unreadable.ipynb").write_text('{"cells": [')
    (folder / "picture.ipynb").write_bytes(b"\x89PNG\xff\xfe")
    (folder / "report.pdf").write_bytes(b"%PDF")
    other = nbformat.reads(nbformat.writes(blank), as_version=4)
    other.metadata["otter"]["assignment_name"] = "02_other"
    nbformat.write(other, folder / "wrong_assignment.ipynb")
    nbformat.write(nbformat.v4.new_notebook(), folder / "no_metadata.ipynb")
    (folder / "nothing").mkdir()
    with zipfile.ZipFile(folder / "escaping.zip", "w") as archive:
        archive.writestr("../../escaped.ipynb", nbformat.writes(reference))
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("hw.ipynb", bytes(30 * 2**20))
    with open(folder / "huge.ipynb", "wb") as file:
        file.truncate(2 * 2**30)
    os.symlink("/etc/hostname", folder / "link.ipynb")


def reference_answer(reference, question):
    check = next(
        i for i, cell in enumerate(reference.cells) if f'check("{question}")' in cell.source
    )
    return reference.cells[check - 1].source.replace("{", "{{").replace("}", "}}")


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


class Batch:
    def __init__(self, folder):
        self.built, self.submissions, self.out = (
            folder / "built",
            folder / "submissions",
            folder / "grades",
        )
        self.submissions.mkdir()
        hand_in(self.submissions, assignments.build(MASTER, self.built))
        self.grade()

    def grade(self):
        start = time.monotonic()
        arguments = [
            "grade",
            str(self.submissions),
            "--assignment",
            "01",
            "--out",
            str(self.out),
            "--built",
            str(self.built),
            *LIMITS,
        ]
        self.done = CliRunner().invoke(app, arguments)
        self.seconds = time.monotonic() - start
        self.rows = {row["learner"]: row for row in table(self.out / "grades.csv")}


pytestmark = pytest.mark.filterwarnings("ignore:Non-unique cell id")  # the duplicated cell's


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    return Batch(tmp_path_factory.mktemp("class"))


def points(row):
    return {name: float(row[name]) for name in ALL}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_submission_loses_only_the_questions_it_is_hostile_in(batch, name):
    row = batch.rows[name]
    assert row["status"] == "graded", row
    assert points(row) == {
        question: 0 if question in LOST[name] else most for question, most in ALL.items()
    }, row


def test_one_that_writes_a_large_file_is_stopped_at_the_limit(batch):
    feedback = (batch.out / "feedback/hog.md").read_text()
    assert "ended with a OSError" in feedback


def test_cells_that_had_to_be_taken_out_are_named(batch):
    assert "ran longer than 12 s and was stopped" in batch.rows["endless_loop"]["stopped"]
    for name in ("os_exit", "killed_kernel"):
        assert "ended the process that runs the notebook" in batch.rows[name]["stopped"], name
    assert batch.rows["blank"]["stopped"] == batch.rows["duplicated_cell"]["stopped"] == ""


def test_reference_gets_all_whatever_the_learner_called_it(batch):
    row = batch.rows["Ada_Lovelace_77"]
    assert points(row) == ALL and row["name"] == "Ada Lovelace" and row["number"] == "77"
    assert row["file"].endswith("my homework (final).zip") and row["look_at"] == ""


def test_blank_gets_nothing_and_is_told_what_to_fill_in(batch):
    row, feedback = batch.rows["blank"], (batch.out / "feedback/blank.md").read_text()
    assert row["status"] == "graded" and float(row["total"]) == 0 and row["look_at"] == ""
    assert "**0 of 20 points**" in feedback
    for function in (
        "rebuild",
        "truncate",
        "cut_errors",
        "rank_at",
        "condition_number",
        "worst_case",
    ):
        assert f"{function} returns nothing yet: write its body" in feedback
    assert "ended with" not in feedback, "a cell of the blank raised"


def test_feedback_counts_hidden_checks_and_shows_none(batch):
    feedback = (batch.out / "feedback/syntax_error.md").read_text()
    assert (
        "Checks you do not have: 0 of 2 passed." in feedback
        and "Checks you do not have: 1 of 1 passed." in feedback
    )
    for path in (batch.out / "feedback").iterdir():
        leaked = [
            line
            for line in MASTER.leaks(path.read_text())
            if MASTER.secrets()[line] in ("hidden test", "solution", "rubric")
        ]
        assert leaked == [], path


def test_suspicious_code_is_flagged_for_a_person_and_not_judged(batch):
    row = batch.rows["spy"]
    for flag in (
        "imports subprocess",
        "replaces np.isclose",
    ):
        assert flag in row["look_at"]
    assert row["status"] == "graded"
    assert (
        batch.rows["syntax_error"]["look_at"] == ""
        and "uses _exit" in batch.rows["os_exit"]["look_at"]
    )


def test_no_process_of_a_submission_is_left(batch):
    assert batch.rows["spy"]["status"] == "graded"
    left = [
        process.info
        for process in psutil.process_iter(["cmdline"])
        if SLEEP in (process.info["cmdline"] or [])
    ]
    assert left == []


@pytest.mark.parametrize(
    "name, reason",
    [
        ("unreadable", "the notebook cannot be read"),
        ("picture", "picture.ipynb holds no text, so no notebook"),
        ("report", "report.pdf is neither a notebook nor a zip"),
        ("wrong_assignment", "the notebook is of assignment '02_other', not of '01_svd'"),
        ("no_metadata", "does not say which assignment it is of"),
        ("nothing", "there is no notebook and no zip in the folder"),
        ("escaping", "escaping.zip holds a path that leads out of it: '../../escaped.ipynb'"),
        ("bomb", "the notebook in bomb.zip has more than 20 MB"),
        ("huge", "huge.ipynb has 2,048 MB; at most 20 are read"),
        ("link", "link.ipynb is not a file of its own"),
    ],
)
def test_what_cannot_be_graded_has_a_row_and_a_reason(batch, name, reason):
    row = batch.rows[name]
    assert row["status"] == "refused" and reason in row["reason"]
    assert row["total"] == "" and reason in (batch.out / f"feedback/{name}.md").read_text()


def test_exit_code_says_that_a_person_must_look(batch):
    assert batch.done.exit_code == 3, batch.done.output
    assert len(batch.rows) == len(list(batch.submissions.iterdir()))


def test_drafts_hold_a_grade_for_those_who_were_graded(batch):
    assert not (batch.out / "canvas.csv").exists(), "short answers are still without points"
    canvas = table(batch.out / "canvas.partial.csv")
    moodle = table(batch.out / "moodle.partial.csv")
    assert list(canvas[0]) == [
        "Student",
        "ID",
        "SIS User ID",
        "SIS Login ID",
        "Section",
        MASTER.title,
    ]
    assert canvas[0]["Student"].strip() == "Points Possible" and canvas[0][MASTER.title] == "20"
    hopper = next(row for row in canvas if row["Student"] == "hopper")
    assert (
        hopper["ID"] == "1906"
        and float(hopper[MASTER.title]) == float(batch.rows["hopper_1906"]["total"]) >= 2
    )
    ada = next(row for row in moodle if row["Full name"] == "Ada Lovelace")
    assert (
        ada["Identifier"] == "Participant 77"
        and float(ada["Grade"]) == 17
        and ada["Maximum Grade"] == "20"
    )
    assert {
        row["Grade"] for row in moodle if row["Full name"] in ("huge", "nothing", "unreadable")
    } == {""}


def test_second_run_merges_points_given_by_hand_and_runs_nothing_again(batch):
    answers = table(batch.out / "short_answers.csv")
    mine = next(row for row in answers if row["learner"] == "hopper_1906")
    assert mine["answer"].startswith("'=HYPERLINK"), "a spreadsheet would run it"
    assert (
        mine["points"] == "" and mine["possible"] == "3" and mine["rubric"].count("1 point: ") == 3
    )
    assert next(row for row in answers if row["learner"] == "blank")["points"] == "0"
    mine |= {"points": "2.5", "comment": "near, but say what is measured"}
    with open(batch.out / "short_answers.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(mine))
        writer.writeheader()
        writer.writerows(answers)
    before, seconds = batch.rows, batch.seconds
    batch.grade()
    assert batch.seconds < max(5, seconds / 5)
    assert (
        float(batch.rows["hopper_1906"]["total"])
        == float(before["hopper_1906"]["total"]) + 2.5
        == 4.5
    )
    assert {name: row["total"] for name, row in batch.rows.items() if name != "hopper_1906"} == {
        name: row["total"] for name, row in before.items() if name != "hopper_1906"
    }
    feedback = (batch.out / "feedback/hopper_1906.md").read_text()
    assert "2.5 of 3" in feedback and "near, but say what is measured" in feedback
    assert "short answers still to be graded" not in feedback


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
        "130 broken off",
    ):
        assert code in text


def test_the_image_to_grade_in_is_made_of_what_is_there_and_its_command_is_one():
    text = (ROOT / "book/assignments/Dockerfile").read_text()
    copied = {
        name
        for line in re.findall(r"^COPY (.+) /\S+$", text, re.MULTILINE)
        for name in line.split()
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert copied == {
        "requirements.lock",
        "pyproject.toml",
        project["readme"],
        *project["license-files"],
        "svdicl_lite",
    } and all((ROOT / name).exists() for name in copied)
    command = re.search(
        r"^docker run .+?\n```",
        (ROOT / "book/assignments/README.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )[0].removesuffix("```")
    words = shlex.split(command)
    mounted = {word.split(":")[1] for flag, word in zip(words, words[1:]) if flag == "-v"}
    assert {"--rm", "--init"} < set(words) and words[words.index("--network") + 1] == "none"
    arguments = words[words.index("svdicl-grade") + 1 :]
    assert (
        {word for word in arguments if word.startswith("/")}
        == mounted
        == {"/built", "/submissions", "/grades"}
    )
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1 and "there is no assignment '01' in '/built'" in done.stderr, (
        done.output
    )  # understood, though not in a container


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
    assert done.exit_code == 130 and "the same command goes on" in done.stderr


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
