"""`svdicl grade` on what learners hand in: honest, hostile, broken. One batch is graded, end to
end; the tests read what came out.
"""

import csv
import re
import shlex
import tomllib
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

pytest.importorskip("otter")
ROOT = Path(__file__).parents[1]
from handed_in import HOSTILE, MASTER, SLEEP, Batch, table  # noqa: E402

from svdicl_lite.cli.commands import app  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Non-unique cell id")  # the duplicated cell's


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    return Batch(tmp_path_factory.mktemp("class"))


ALL = {"q1": 2, "q2": 3, "q3": 3, "q4": 3, "q5": 3, "q6": 3}
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
