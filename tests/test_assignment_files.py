"""Files of an assignment: handed out beside the notebook, laid out for the reference and for each
learner anew; and those of assignment 7 hold what the kept experiment says.
"""

import json
import sys
import zipfile
from base64 import b64encode
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("otter")
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book/_ext"))
import assignment_scores  # noqa: E402
import assignments  # noqa: E402
from masters import Master  # noqa: E402

from svdicl_lite.classroom.marker import Marker  # noqa: E402

SETUP = "import otter\n\ngrader = otter.Notebook()\nnumbers = open('numbers.txt').read().split()"
ANSWER = "def total(words):\n    return sum(map(int, words)) + 0 * len(numbers)"
TESTS = """from otter.test_files import test_case

@test_case(points=1, hidden=False, failure_message="1 and 2 are 3")
def test_two(total):
    assert total(["1", "2"]) == 3

@test_case(points=2, hidden=True)
def test_the_file(total, numbers):
    assert numbers == ["4", "5"] and total(numbers) == 9
"""
LIMITS = {"cell_seconds": 60, "test_seconds": 10, "memory_gb": 4}
MASTER = Master(ROOT / "book/assignments/07_real_model")


@pytest.fixture(scope="module")
def marker(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny") / "01_tiny-autograder.zip"
    question = {"name": "q1", "title": "q1", "points": 3, "manual": False, "rubric": []}
    cells = [
        {"kind": "setup", "source": SETUP, "question": None},
        {"kind": "answer", "source": ANSWER, "question": "q1"},
    ]
    described = {"name": "01_tiny", "title": "Tiny", "cells": cells, "blank": [SETUP]}
    described["questions"] = [question | {"builds_on": []}]
    described["files"] = {"numbers.txt": b64encode(b"4 5").decode()}
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("assignment.json", json.dumps(described))
        file.writestr("tests/q1.py", TESTS)
    with Marker(path) as marker:
        yield marker


def marked(marker, *more):
    sources = [SETUP, *more, ANSWER, 'grader.check("q1")']
    cells = [{"cell_type": "code", "source": source, "metadata": {}} for source in sources]
    result = marker.mark({"cells": cells}, LIMITS, 300)
    return result["questions"]["q1"]["score"], result["errors"]


def test_a_notebook_finds_the_files_where_it_is_graded(marker):
    assert marked(marker) == (3, [])


def test_a_file_that_a_learner_changed_is_whole_for_the_next_one(marker):
    changed = "open('numbers.txt', 'w').write('0')\nassert open('numbers.txt').read() == '0'"
    assert marked(marker, changed) == (3, [])
    fresh = "assert open('numbers.txt').read() == '4 5'"
    assert marked(marker, fresh) == (3, [])


def test_a_process_that_starts_again_has_the_files(marker):
    ends = "import os\nos.remove('numbers.txt')\nos._exit(1)"
    assert marked(marker, ends) == (3, [])


def test_files_are_handed_out_beside_the_notebook(tmp_path):
    folder = assignments.build(MASTER, tmp_path)
    with zipfile.ZipFile(folder / "07_real_model-student.zip") as archive:
        assert archive.read("07_real_model/scores.npz") == MASTER.files["scores.npz"]
    assert len(MASTER.files["scores.npz"]) < 100_000  # small enough for a zip to hand out


def test_the_scores_handed_out_are_those_of_the_experiment():
    wanted = assignment_scores.arrays()
    with np.load(assignment_scores.FILE) as found:
        assert found.files == list(wanted) and len(found.files) == 2 + 1 + 20
        for name, array in wanted.items():
            assert np.array_equal(found[name], array) and found[name].dtype.kind in "fi", name
