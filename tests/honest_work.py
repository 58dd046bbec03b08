"""An assignment and a notebook handed in, for the tests of honest work."""

import json
import textwrap
import zipfile

import pytest

SETUP = """from math import pi
from math import pow as t

import numpy as np
import otter

grader = otter.Notebook()


def tiny():
    return 3"""
ANSWERS = {
    "q1": "def area(r):\n    return pi * t(r, 2)",
    "q2": "def ring(inner, outer):\n    return area(outer) - area(inner)",
    "q3": "def squares(x):\n    return np.square(x)",
}
BLANK = {name: answer.partition("return")[0] + "..." for name, answer in ANSWERS.items()}
TESTS = {
    "q1": """
        @test_case(points=1, hidden=False, failure_message="a circle of radius 1")
        def test_one(area):
            assert area(1) is not None, "area returns nothing yet: write its body"
            assert abs(area(1) - 3.14159) < 1e-4, f"area(1) is {area(1)}"

        @test_case(points=1, hidden=True)
        def test_three(area, tiny):
            assert abs(area(tiny()) - 28.27433) < 1e-4
        """,
    "q2": """
        @test_case(points=2, hidden=True)
        def test_ring(ring):
            assert abs(ring(1, 2) - 9.42478) < 1e-4
        """,
    "q3": """
        @test_case(points=2, hidden=True)
        def test_squares(squares):
            import numpy as np
            x = np.arange(4.0)
            assert squares(x).tolist() == [0, 1, 4, 9] and x.tolist() == [0, 1, 2, 3]
        """,
}
LIMITS = {"cell_seconds": 60, "test_seconds": 10, "memory_gb": 4}


def archive(folder):
    """The autograder's zip of this assignment."""
    rows, cells = [], [{"kind": "setup", "source": SETUP, "question": None}]
    with zipfile.ZipFile(folder / "01_tiny-autograder.zip", "w") as file:
        for name, source in ANSWERS.items():
            cells.append({"kind": "answer", "source": source, "question": name})
            cells.append({"kind": "check", "source": f'grader.check("{name}")', "question": name})
            text = "from otter.test_files import test_case\n" + textwrap.dedent(TESTS[name])
            file.writestr(f"tests/{name}.py", text)
            row = {"name": name, "title": name, "points": 2, "manual": False, "rubric": []}
            rows.append(row | {"builds_on": ["q1"] if name == "q2" else []})
        described = {"name": "01_tiny", "title": "Tiny", "questions": rows, "cells": cells}
        described["blank"] = [SETUP, *BLANK.values()]
        file.writestr("assignment.json", json.dumps(described))
    return folder / "01_tiny-autograder.zip"


def notebook(answers=ANSWERS, first="", setup=SETUP):
    """A notebook as JSON; `first` is a cell of the learner's own below the imports."""
    sources = [source for source in (setup, first) if source]
    for name, source in answers.items():
        sources += [source, f'grader.check("{name}")']
    cells = [
        {"cell_type": "code", "source": source, "metadata": {"tags": []}, "outputs": []}
        for source in sources
    ]
    metadata = {"otter": {"assignment_name": "01_tiny"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture(scope="module")
def autograder(tmp_path_factory):
    return archive(tmp_path_factory.mktemp("tiny"))


def points(result):
    return [question["score"] for question in result["questions"].values()]
