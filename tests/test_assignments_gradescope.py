"""The autograder zips as Gradescope runs them: its folders, its start script, and no module but the
one in the zip.

`GRADESCOPE="01_svd 06_what_may_be_claimed" pytest tests/test_assignments_gradescope.py` takes
others than the one that takes a model along.
"""

import json
import os
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
from masters import ANSWER, masters  # noqa: E402

NAMES = os.environ.get("GRADESCOPE", "03_prompts").split()


@pytest.fixture(scope="module", params=NAMES)
def built(request, tmp_path_factory):
    master = next(master for master in masters() if master.name == request.param)
    return master, assignments.build(master, tmp_path_factory.mktemp("built"))


def run(folder, archive, notebook):
    """Points by question, and all that the learner sees, for a notebook handed in at a Gradescope
    laid out in `folder`.
    """
    there = folder / "autograder"
    for name in ("submission/tests", "results", "source"):
        (there / name).mkdir(parents=True)
    with zipfile.ZipFile(archive) as file:
        file.extractall(there / "source")
    for script in ("run_autograder", "run_otter.py"):  # they name the root of the container's disk
        path = there / "source" / script
        path.write_text(path.read_text().replace("/autograder", str(there)))
    nbformat.write(notebook, there / "submission/my homework (2).ipynb")
    (there / "submission/tests/q1.py").write_text("a learner's own")
    (there / "submission_metadata.json").write_text(
        json.dumps({"id": 1, "users": [{"email": "ada@example.org", "id": 7, "name": "Ada"}]})
    )
    (folder / "bin").mkdir()
    (folder / "bin/mamba").write_text("#!/bin/sh\n")  # the environment is ours
    (folder / "bin/mamba").chmod(0o755)
    path = os.pathsep.join(
        [str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    )
    env = {
        "PATH": path,
        "HOME": str(folder),
        "PYTHONPATH": str(folder / "bin"),
        "OMP_WAIT_POLICY": "PASSIVE",
        "LANG": "C.UTF-8",
    }
    env["SVDICL_LIMITS"] = json.dumps(
        {"cell_seconds": 300, "test_seconds": 60}
    )  # a busy machine is no defect
    done = subprocess.run(
        ["bash", there / "source/run_autograder"],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = json.loads((there / "results/results.json").read_text())
    points = {test["name"]: test["score"] for test in found["tests"] if "score" in test}
    return (
        points,
        json.dumps([test for test in found["tests"] if test["visibility"] == "visible"]),
        found,
    )


def with_mutant(notebook, mutant):
    """The notebook with a mutant's code in the place of the answers to its questions."""
    notebook, answers = nbformat.reads(nbformat.writes(notebook), as_version=4), []
    for cell in notebook.cells:
        if ANSWER in cell.metadata.get("tags", []) and cell.cell_type == "code":
            answers.append(cell)
        for question, code in mutant.parts.items():
            if f'grader.check("{question}")' in cell.source:
                assert answers, question
                for answer in answers[1:]:
                    answer.source = ""
                answers[0].source = code
        if "grader.check(" in cell.source:
            answers = []
    return notebook


def test_gradescope_gives_the_reference_all_points(built, tmp_path):
    master, folder = built
    solution = nbformat.read(folder / f"{master.name}-solution.ipynb", as_version=4)
    points, seen, found = run(tmp_path, folder / f"{master.name}-autograder.zip", solution)
    assert points == {
        question.name: question.possible for question in master.questions if not question.manual
    }, found
    assert "passed" in seen


def test_gradescope_gives_a_blank_nothing_and_says_what_to_fill_in(built, tmp_path):
    master, folder = built
    with zipfile.ZipFile(folder / f"{master.name}-student.zip") as archive:
        blank = nbformat.reads(
            archive.read(f"{master.name}/{master.name}.ipynb").decode(), as_version=4
        )
    points, seen, _ = run(tmp_path, folder / f"{master.name}-autograder.zip", blank)
    assert points == {question.name: 0 for question in master.questions if not question.manual}
    assert seen.count("yet: write its body") == len(points), seen


def test_gradescope_takes_from_a_wrong_solution_its_points_and_shows_no_hidden_test(
    built, tmp_path
):
    master, folder = built
    solution, mutant = (
        nbformat.read(folder / f"{master.name}-solution.ipynb", as_version=4),
        master.mutants[0],
    )
    points, seen, _ = run(
        tmp_path, folder / f"{master.name}-autograder.zip", with_mutant(solution, mutant)
    )
    assert sum(points.values()) == mutant.keeps
    assert {
        name
        for name, score in points.items()
        if score < next(q.possible for q in master.questions if q.name == name)
    } <= mutant.parts.keys()
    assert [
        line
        for line in master.leaks(seen)
        if master.secrets()[line] in ("hidden test", "solution", "rubric")
    ] == []
