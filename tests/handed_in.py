"""A batch of submissions of one assignment, honest, hostile and broken, and how it is graded."""

import csv
import json
import os
import sys
import time
import zipfile
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

pytest.importorskip("otter")
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book/_ext"))
import assignments  # noqa: E402
from masters import masters  # noqa: E402

from svdicl_lite.cli.commands import app  # noqa: E402

MASTER = next(master for master in masters() if master.name == "01_svd")
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
    def __init__(self, folder, graded=True):
        self.built, self.submissions, self.out = (
            folder / "built",
            folder / "submissions",
            folder / "grades",
        )
        self.submissions.mkdir()
        hand_in(self.submissions, assignments.build(MASTER, self.built))
        if graded:
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
