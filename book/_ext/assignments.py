"""Builds the assignments: `python book/_ext/assignments.py OUT [NN …]` (what `make assignments`
runs).

For each master in book/assignments, in OUT/NN_name: NN_name-student.zip (notebook and public tests,
to hand out), NN_name-solution.ipynb, NN_name-autograder.zip (for `svdicl grade` and for Gradescope)
and NN_name-notes.md (for the teacher). The same masters give the same bytes.
"""

import argparse
import contextlib
import io
import json
import re
import shutil
import sys
import tempfile
import zipfile
from base64 import b64encode
from pathlib import Path

import jupytext
import nbformat
from handout import MARK, first_cell, uses_module, wheel_files, wheel_name
from masters import ANSWER, Master, masters
from tqdm import tqdm

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "svdicl_lite"
RUN = '''"""Marks a submission on Gradescope, by svdicl_lite.classroom.gradescope."""

import sys

sys.path.insert(0, "/autograder/source")

from svdicl_lite.classroom.gradescope import main  # noqa: E402

main("/autograder")
'''


def build(master: Master, out: Path) -> Path:
    """Builds one assignment into OUT/NN_name, which is made anew; raises ValueError if anything
    secret would be handed out.
    """
    folder = out / master.name
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        made = _assign(master, Path(temporary))
        student, solution = (
            _tidied(made / kind / f"{master.name}.ipynb", master.name)
            for kind in ("student", "autograder")
        )
        handout = {f"{master.name}.ipynb": student} | {
            f"tests/{path.name}": path.read_text()
            for path in sorted((made / "student/tests").iterdir())
        }
        for name, text in handout.items():
            if leaks := master.leaks(text) or ["hidden=True"] * ("hidden=True" in text):
                raise ValueError(f"{master.name}: {name} would hand out {leaks[0]!r}")
        if any(cell.get("outputs") for cell in nbformat.reads(student, as_version=4).cells):
            raise ValueError(f"{master.name}: the student's notebook holds outputs")
        with zipfile.ZipFile(next((made / "autograder").glob("*.zip"))) as generated:
            autograder = {name: generated.read(name).decode() for name in generated.namelist()}
    folder.mkdir(parents=True)
    handout |= master.files
    autograder["run_otter.py"] = RUN
    autograder |= {
        "assignment.json": (
            json.dumps(_manifest(master, solution, student), indent=1, ensure_ascii=False) + "\n"
        )
    }
    autograder |= {
        f"svdicl_lite/{path.relative_to(MODULE).as_posix()}": path.read_text()
        for path in MODULE.rglob("*.py")
    }
    for path in _models(master):
        autograder[f"svdicl_lite/{path.relative_to(MODULE).as_posix()}"] = path.read_bytes()
    if uses_module("\n".join(cell.source for cell in master.cells if cell.cell_type == "code")):
        _zip(folder / wheel_name(), wheel_files(_models(master)))
        handout[wheel_name()] = (folder / wheel_name()).read_bytes()
        (folder / wheel_name()).unlink()
    _zip(
        folder / f"{master.name}-student.zip",
        {f"{master.name}/{name}": text for name, text in handout.items()},
    )
    _zip(folder / f"{master.name}-autograder.zip", autograder)
    (folder / f"{master.name}-solution.ipynb").write_text(solution)
    (folder / f"{master.name}-notes.md").write_text(notes(master))
    return folder


def _assign(master, work):
    """What `otter assign` makes of a master: the folder with student/ and autograder/."""
    from otter.assign import main as otter_assign

    notebook = work / master.name / f"{master.name}.ipynb"
    notebook.parent.mkdir()
    shutil.copy(master.folder.parent / "otter.yml", work)
    # The grader's image gets the versions that the tests were proved with.
    lock = dict(
        line.split("==")
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if "==" in line
    )
    declared = (
        "torch",
        "transformers",
        "datasets",
        "numpy",
        "pandas",
        "scipy",
        "seaborn",
        "tqdm",
        "typer",
        "ipykernel",
        "nbconvert",
        "psutil",
    )
    (notebook.parent / "requirements.txt").write_text(
        "".join(f"{name}=={lock[name]}\n" for name in declared if name in lock)
    )
    cells = jupytext.read(master.folder / "master.md", fmt="md:myst")
    config = next(cell for cell in cells.cells if cell.source.startswith("# ASSIGNMENT CONFIG"))
    config.source += "\nrequirements: requirements.txt"
    for cell in cells.cells:
        if cell.cell_type == "raw":  # ours alone: the marker reads it
            cell.source = re.sub(
                r"^(builds_on|without): .*\n?", "", cell.source, flags=re.MULTILINE
            )
    nbformat.write(cells, notebook)
    with contextlib.redirect_stdout(io.StringIO()):
        otter_assign(str(notebook), str(work / "made"), no_run_tests=True)
    return work / "made"


def _tidied(path, name):
    """A built notebook's text, with cell ids by position (jupytext and otter draw random ones) and
    without traces of the master.
    """
    notebook = nbformat.read(path, as_version=4)
    code = [at for at, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    first = first_cell(name, [notebook.cells[at].source for at in code])
    notebook.cells.insert(code[0], nbformat.v4.new_code_cell(first))
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"{name}-{number:02d}"
        cell.source = cell.source.replace(
            "rerun all of the autograder tests.",
            "run all checks of this notebook again. Others are run when it is graded.",
        )
        cell.metadata.get("tags", [])[:] = [
            ANSWER if tag == "otter_assign_solution_cell" else tag
            for tag in cell.metadata.get("tags", [])
        ]
    notebook.metadata = {
        "kernelspec": notebook.metadata.kernelspec,
        "otter": notebook.metadata.otter,
        "language_info": {"name": "python"},
    }
    return nbformat.writes(notebook) + "\n"


def _models(master):
    """The files of the shipped models that a master loads by name: Gradescope has none."""
    text = (master.folder / "master.md").read_text()
    return sorted(
        path
        for path in (MODULE / "models/checkpoints").glob("*/*")
        if f'"{path.parent.name}"' in text
    )


def _manifest(master, solution, student):
    """What the marker must know besides the tests."""
    rows = [
        {
            "name": q.name,
            "title": q.title,
            "points": q.possible,
            "manual": q.manual,
            "builds_on": q.builds_on,
            "without": q.without,
            "rubric": [f"{points} point{'s' * (points != 1)}: {text}" for points, text in q.rubric],
        }
        for q in master.questions
    ]
    handed_out = nbformat.reads(student, as_version=4).cells
    return {
        "name": master.name,
        "title": master.title,
        "questions": rows,
        "cells": _cells(solution),
        "blank": [cell.source for cell in handed_out if cell.cell_type == "code"],
        "files": {name: b64encode(data).decode() for name, data in master.files.items()},
        "catches": {test.name: test.catches for q in master.questions for test in q.tests},
    }


def _cells(solution):
    """The code cells of a solution: what each is for (setup, answer, check), of which question."""
    cells, pending = [], []
    for cell in nbformat.reads(solution, as_version=4).cells:
        if cell.cell_type != "code" or cell.source.startswith(MARK):
            continue
        check = re.search(r'grader\.check(_all)?\((?:"(\w+)")?', cell.source)
        kind = (
            "check" if check else "answer" if ANSWER in cell.metadata.get("tags", []) else "setup"
        )
        cells.append({"kind": kind, "source": cell.source, "question": check and check[2]})
        if kind == "answer":
            pending.append(cells[-1])
        elif check:
            for answer in pending:
                answer["question"] = check[2]
            pending = []
    return cells


def _zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type, info.external_attr, info.create_system = (
                zipfile.ZIP_DEFLATED,
                0o644 << 16,
                3,
            )
            if Path(name).name in ("run_autograder", "setup.sh"):  # what Gradescope executes
                info.external_attr = 0o755 << 16
            archive.writestr(info, files[name])


def notes(master: Master) -> str:
    """The instructor notes: what the teacher's cells of the master say, points, what each hidden
    test catches, rubrics, wrong solutions.
    """
    auto = sum(q.possible for q in master.questions if not q.manual)
    lines = [
        f"# {master.title}: for the teacher",
        "",
        *master.teacher,
        "",
        f"Points: {auto:g} by tests, {sum(q.possible for q in master.questions) - auto:g} by hand.",
    ]
    for q in master.questions:
        lines += ["", f"## {q.title} ({q.possible:g})", ""]
        for test in q.tests:
            lines.append(
                f"- {'hidden' if test.hidden else 'public'}, {test.points:g}: "
                + (f"catches {test.catches}" if test.hidden else test.failure_message)
            )
        lines += [f"- by hand, {points}: {text}" for points, text in q.rubric]
    lines += ["", "## Wrong solutions that were tried", ""]
    lines += [
        f"- `{m.path.stem}` ({', '.join(m.parts)}) keeps {m.keeps:g} of {auto:g}: {m.what}"
        for m in master.mutants
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--masters",
        type=Path,
        default=ROOT / "book/assignments",
        help="folder of the masters; ours if left out",
    )
    parser.add_argument("numbers", nargs="*", help="NN of those to build; all if left out")
    args = parser.parse_intermixed_args()
    try:
        found = masters(args.masters)
        wanted = [master for master in found if not args.numbers or master.name[:2] in args.numbers]
        if not wanted:
            raise ValueError(
                f"{str(args.masters)!r} holds no master {' '.join(args.numbers)}".rstrip()
                + f", only: {', '.join(master.name for master in found) or 'nothing'}"
            )
        for master in tqdm(wanted, desc="assignments", disable=not sys.stderr.isatty()):
            print(build(master, args.out))
    except (ValueError, OSError) as error:
        sys.exit(str(error))
