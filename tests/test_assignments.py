"""Every assignment: its reference gets all points, a blank none, each wrong solution loses what it
should, and nothing secret is handed out.
"""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("otter")
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book/_ext"))
import assignments  # noqa: E402
from masters import masters  # noqa: E402
from proving import score  # noqa: E402

FOLDER = Path(
    os.environ.get("MASTERS", ROOT / "book/assignments")
).resolve()  # a private one is proved in the same way
MASTERS = {master.name: master for master in masters(FOLDER)}
OURS = FOLDER == ROOT / "book/assignments"
each = pytest.mark.parametrize("name", MASTERS)
each_mutant = pytest.mark.parametrize(
    "name, mutant",
    [(name, mutant.path.stem) for name, master in MASTERS.items() for mutant in master.mutants],
)


class Built:
    """One built assignment: what is handed out, the solution, and the tests as graded."""

    def __init__(self, folder, scratch):
        self.folder, name = folder, folder.name
        for kind in ("student", "autograder"):
            with zipfile.ZipFile(folder / f"{name}-{kind}.zip") as archive:
                archive.extractall(scratch / kind)
        self.student_files = [path for path in (scratch / "student").rglob("*") if path.is_file()]
        self.student = nbformat.read(scratch / "student" / name / f"{name}.ipynb", as_version=4)
        self.solution = nbformat.read(folder / f"{name}-solution.ipynb", as_version=4)
        self.tests = scratch / "autograder/tests"
        self.reference = {}


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("assignments")

    class Builds(dict):
        def __missing__(self, name):
            self[name] = Built(assignments.build(MASTERS[name], out), tmp_path_factory.mktemp(name))
            return self[name]

    return Builds()


def total(results):
    return sum(test.score for test in results.values())


def possible(master):
    return sum(question.possible for question in master.questions if not question.manual)


def test_each_assignment_has_a_number_of_its_own():
    numbers = [name[:2] for name in MASTERS]
    assert numbers and len(set(numbers)) == len(numbers), f"{FOLDER} holds {list(MASTERS)}"
    if OURS:
        assert numbers == ["01", "02", "03", "04", "05", "06", "07"]


@each
def test_assignment_has_what_every_assignment_has(name):
    master = MASTERS[name]
    text = (master.folder / "master.md").read_text()
    for wanted in (
        "**You will be able to**",
        "**It takes**",
        "**Before you start:**",
        "**Misconceptions.**",
        "**Timing.**",
    ):
        assert wanted in text, f"{name} lacks {wanted!r}"
    assert re.search(r"start:\*\* chapters? \d\d", text)
    assert 5 <= len(master.questions) <= 8
    assert 1 <= sum(question.manual for question in master.questions) <= 2
    marks = re.findall(
        r"^## Question \d\. .+\n\n\*(★+|Short answer), (\d+) minutes\.\*$", text, re.MULTILINE
    )
    stars = [len(mark) for mark, _ in marks if "★" in mark]
    assert (
        len(marks) == len(master.questions) and stars == sorted(stars) and len(set(stars)) == 3
    ), f"{name}: difficulties {stars} should rise from ★ to ★★★"
    assert sum(int(minutes) for _, minutes in marks) == int(
        re.search(r"It takes\*\* about (\d+) minutes", text)[1]
    )
    for question in master.questions:
        if not question.manual:
            assert {test.hidden for test in question.tests} == {
                True,
                False,
            }, f"{name}, {question.name} needs public and hidden tests"


@each
def test_reference_gets_every_point(name, built):
    results = score(built[name].solution, built[name].tests)
    assert [
        (test.name, result.message)
        for test in results.values()
        for result in test.test_case_results
        if not result.passed
    ] == []
    assert total(results) == possible(MASTERS[name])
    assert results.keys() == {
        question.name for question in MASTERS[name].questions if not question.manual
    }


@each
def test_blank_runs_to_its_end_gets_nothing_and_is_told_what_to_fill_in(name, built):
    results = score(built[name].student, built[name].tests)  # raises what a cell raises
    assert total(results) == 0
    for test in results.values():
        first = next(result for result in test.test_case_results if not result.test_case.hidden)
        assert first.test_case.failure_message and re.search(
            r"AssertionError: .*\b(yet|write|fill)\b", first.message
        ), f"{test.name} says {first.message}"


@each_mutant
def test_wrong_solution_loses_exactly_its_points(name, mutant, built):
    found = next(m for m in MASTERS[name].mutants if m.path.stem == mutant)
    results = score(built[name].solution, built[name].tests, found)
    lost = {
        test.name: test.possible - test.score
        for test in results.values()
        if test.score != test.possible
    }
    assert total(results) == found.keeps < possible(MASTERS[name]), lost
    assert lost.keys() <= found.parts.keys(), "a wrong answer to one question costs another"
    failed = {
        (test.name, result.test_case.body.test_func.__name__)
        for test in results.values()
        for result in test.test_case_results
        if not result.passed
    }
    built[name].reference[mutant] = failed


@each
def test_every_hidden_test_is_there_for_a_wrong_solution(name, built):
    master, failed = MASTERS[name], set()
    for mutant in master.mutants:
        if mutant.path.stem not in built[name].reference:  # this test alone was asked for
            test_wrong_solution_loses_exactly_its_points(name, mutant.path.stem, built)
        failed |= built[name].reference[mutant.path.stem]
    hidden = {
        (question.name, test.name)
        for question in master.questions
        for test in question.tests
        if test.hidden
    }
    assert hidden - failed == set()


@each
def test_nothing_secret_is_handed_out(name, built):
    assert len(MASTERS[name].secrets()) > 20
    for path in built[name].student_files:
        if path.suffix not in (".whl", ".npz"):  # the module and numbers
            assert MASTERS[name].leaks(path.read_text()) == [], path
            assert "hidden=True" not in path.read_text()
    assert not any(
        cell.get("outputs") or cell.get("execution_count") for cell in built[name].student.cells
    )
    assert "autograder" not in "".join(cell.source for cell in built[name].student.cells), (
        "a learner would take the public checks for all there are"
    )
    assert "grader.check" in "".join(cell.source for cell in built[name].student.cells)


@each
def test_a_planted_leak_is_found(name, built):
    master = MASTERS[name]
    kinds = set(master.secrets().values())
    assert {"solution", "rubric", "hidden test", "notes", "mutant"} <= kinds
    for question in master.questions:
        for source in [
            *question.solution,
            *(test.source for test in question.tests if test.hidden),
        ]:
            planted = nbformat.v4.new_notebook(
                cells=[*built[name].student.cells, nbformat.v4.new_markdown_cell(source)]
            )
            assert master.leaks(nbformat.writes(planted)), f"{question.name}: {source}"


BUILD = [sys.executable, "book/_ext/assignments.py"]


def test_the_command_builds_the_same_bytes_again(built, tmp_path):
    # Another process: another hash seed, another hour. Private masters must not be built over:
    # theirs go into a folder of their own.
    command, out = (
        (["make", "assignments"], ROOT / "_build/assignments")
        if OURS
        else ([*BUILD, str(tmp_path), "--masters", str(FOLDER)], tmp_path)
    )
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in MASTERS:
        files = sorted(path.name for path in built[name].folder.iterdir())
        assert files == [
            f"{name}-{kind}"
            for kind in ("autograder.zip", "notes.md", "solution.ipynb", "student.zip")
        ]
        for file in files:
            assert (built[name].folder / file).read_bytes() == (out / name / file).read_bytes(), (
                f"{name}/{file}"
            )


@each
def test_notes_tell_the_teacher_what_each_hidden_test_catches(name, built):
    text = (built[name].folder / f"{name}-notes.md").read_text()
    master = MASTERS[name]
    for question in master.questions:
        assert question.title in text
        for test in question.tests:
            assert (f"catches {test.catches}" if test.hidden else test.failure_message) in text
    for mutant in master.mutants:
        assert mutant.what in text


@each
def test_autograder_is_what_gradescope_and_otter_expect(name, built):
    with zipfile.ZipFile(built[name].folder / f"{name}-autograder.zip") as archive:
        names = set(archive.namelist())
        config = json.loads(archive.read("otter_config.json"))
        environment = archive.read("environment.yml").decode()
    assert {
        f"svdicl_lite/models/checkpoints/{model}/model.safetensors"
        for model in re.findall(
            r'load_model\("([\w-]+)"\)', (MASTERS[name].folder / "master.md").read_text()
        )
    } <= names
    assert {
        "run_autograder",
        "run_otter.py",
        "setup.sh",
        "otter_config.json",
        "environment.yml",
        "assignment.json",
        "svdicl_lite/classroom/marker.py",
    } <= names
    assert (
        config["assignment_name"] == name
        and not config.get("plugins")
        and config["show_hidden"] is False
    )
    assert re.search(r"otter-grader.*==7", environment) and re.search(r"\btorch==\d", environment)
