"""No honest work is lost: what learners do without meaning harm, what their tools do to a file."""

import json
import random
import textwrap
import zipfile

import pytest

from svdicl_lite.classroom import grade
from svdicl_lite.classroom.by_hand import without
from svdicl_lite.classroom.flags import flags
from svdicl_lite.classroom.marker import Marker
from svdicl_lite.classroom.submissions import find, read

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


@pytest.fixture(scope="module")
def marker(autograder):
    with Marker(autograder) as marker:
        yield marker


def points(result):
    return [question["score"] for question in result["questions"].values()]


HABITS = {
    "another folder": "import os\nos.chdir('/')",
    "another folder, by magic": "%cd /",
    "a name of the handout": "t = 0.05",
    "a module of the handout": "np = None",
    "a function of the handout": "def tiny():\n    return 5",
    "a seed": "np.random.seed(0)",
    "warnings as errors": "import warnings\nwarnings.filterwarnings('error')",
    "a plot": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
    "a plot, by magic": "%matplotlib inline",
    "a time": "%%time\nx = 1",
    "a question to the user": "name = input()",
    "await": "import asyncio\nawait asyncio.sleep(0)",
    "a shell": "!echo x",
    "half an emoji": "print('\ud83d')",
    "processes": "from multiprocessing import Pool\nwith Pool(2) as p:\n    p.map(abs, [1])",
    "an error": "1 / 0",
    "no Python": "def f(:",
    "exit": "exit()",
    "threads": (
        "import torch\ntorch.set_num_threads(2)\na = torch.ones(400, 400) @ torch.ones(400, 400)\n"
        "def squares(x):\n    return (torch.tensor(x) @ torch.diag(torch.tensor(x))).numpy()"
    ),
}


@pytest.mark.parametrize("habit", HABITS)
def test_habit_costs_nothing(marker, habit):
    answers = ANSWERS
    if habit == "threads":  # the answer itself multiplies in several threads
        answers = ANSWERS | {
            "q3": HABITS[habit].partition("def")[1] + HABITS[habit].partition("def")[2]
        }
    result = marker.mark(notebook(answers, HABITS[habit]), LIMITS, 300)
    assert result["status"] == "graded" and points(result) == [2, 2, 2], result


def test_imports_that_were_deleted_are_there_all_the_same(marker):
    assert points(marker.mark(notebook(setup=""), LIMITS, 100)) == [2, 2, 2]


def test_answer_below_its_check_counts(marker):
    late = notebook(BLANK)
    late["cells"] += [{"cell_type": "code", "source": source} for source in ANSWERS.values()]
    assert points(marker.mark(late, LIMITS, 100)) == [2, 2, 2]


def test_checks_that_were_deleted_are_run_all_the_same(marker):
    bare = notebook()
    bare["cells"] = [cell for cell in bare["cells"] if "check(" not in cell["source"]]
    assert points(marker.mark(bare, LIMITS, 100)) == [2, 2, 2]


def test_wrong_answer_costs_its_own_question_alone(marker):
    wrong = ANSWERS | {"q1": "def area(r):\n    return r"}
    assert points(marker.mark(notebook(wrong), LIMITS, 100)) == [0, 2, 2]


def test_wrong_answer_to_what_builds_on_another_is_no_better_for_it(marker):
    wrong = ANSWERS | {"q1": BLANK["q1"], "q2": "def ring(inner, outer):\n    return area(outer)"}
    result = marker.mark(notebook(wrong), LIMITS, 100)
    assert points(result) == [0, 0, 2]
    said = result["questions"]["q1"]["tests"][0]["message"]
    assert said == "AssertionError: area returns nothing yet: write its body"


def said(marker, **answers):
    """The words of the failed checks, and the errors, of a notebook with these answers."""
    result = marker.mark(notebook(ANSWERS | answers), LIMITS, 100)
    rows = [test for question in result["questions"].values() for test in question["tests"]]
    return " ".join(test["message"] for test in rows if not test["passed"]), result["errors"]


def test_slips_get_a_word_that_helps(marker):
    words, _ = said(marker, q1="def area(r):\n    print(pi * t(r, 2))")
    assert "area prints its result, but only what `return` gives comes back" in words
    words, _ = said(marker, q3="def squares(x):\n    return np.float32(1.1) * x.astype('float32')")
    assert "came back in single precision, float32" in words
    words, _ = said(marker, q3="def squares(x):\n    return x * 1.1")
    assert "precision" not in words
    _, errors = said(marker, q3="def squares(x):\n    return (x")
    assert errors == ["cell 6 ended with a SyntaxError: incomplete input in line 2"]


def test_by_hand_means_without_the_library():
    from textwrap import dedent as imported

    before = imported("  x")
    with without(["textwrap", "this_is_not_imported"]):
        with pytest.raises(RuntimeError, match="write it by hand"):
            imported("  x")
        with pytest.raises(ImportError):
            import this_is_not_imported  # noqa: F401
    assert imported("  x") == before == "x"


@pytest.mark.parametrize(
    "source",
    ["import matplotlib.pyplot as plt", "model.eval()", "x = open('a').read()", "eval('1')"],
)
def test_ordinary_code_is_not_flagged(source):
    assert flags(source) == []


def mutated(text, seed):
    """A notebook's bytes with damage: a value of another kind, a piece lost, a byte changed."""
    rng = random.Random(seed)
    if seed % 2:
        data = bytearray(text.encode())
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data))
            data[at : at + rng.choice([0, 1, 1, 30])] = rng.choice([b"", b"\xff", b'"', b"{", b"0"])
        return bytes(data)
    tree = json.loads(text)
    for _ in range(rng.randint(1, 3)):
        node, steps = tree, rng.randint(0, 3)
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = rng.choice(keys)
            if steps == 0 or not isinstance(node[key], (dict, list)):
                node[key] = rng.choice([None, 7, "x", [], {}, [None], "\ud83d", -1e400, True])
                break
            node, steps = node[key], steps - 1
    return json.dumps(tree).encode()


class Answers:
    """A marker that takes everything, so that only what comes before it is tried."""

    def __init__(self, autograder):
        pass

    def mark(self, notebook, limits, seconds):
        json.dumps(notebook).encode()
        empty = {name: [] for name in ("flags", "stopped", "errors", "have")}
        return {"status": "graded", "reason": "", "questions": {}, "seconds": 0, **empty}

    def close(self):
        pass


def hand_in(folder, count, start=0):
    for seed in range(start, start + count):
        (folder / f"learner{seed:03d}.ipynb").write_bytes(mutated(json.dumps(notebook()), seed))
    (folder / "zz.ipynb").write_text(json.dumps(notebook()))


def test_grading_without_what_it_needs_names_the_extra(autograder, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    monkeypatch.setattr(grade, "find_spec", lambda name: None)
    with pytest.raises(
        ImportError, match=r"IPython and psutil, .+ pip install -e '\.\[assignments"
    ):
        next(grade.grade_all(tmp_path / "in", autograder, tmp_path / "out", {}, 60))


def test_one_learner_is_marked_anew_and_others_are_not(autograder, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("ada", "bob"):
        (folder / f"{name}.ipynb").write_text(json.dumps(notebook()))
    list(grade.grade_all(folder, autograder, tmp_path / "out", LIMITS, 60, jobs=2))
    kept = {path.stem: path.stat().st_mtime_ns for path in (tmp_path / "out/results").iterdir()}
    again = grade.grade_all(folder, autograder, tmp_path / "out", LIMITS, 60, again=("bob",))
    assert [points(result) for _, result in again] == [[2, 2, 2], [2, 2, 2]]
    now = {path.stem: path.stat().st_mtime_ns for path in (tmp_path / "out/results").iterdir()}
    assert now["ada"] == kept["ada"] and now["bob"] > kept["bob"]
    with pytest.raises(ValueError, match="nobody among the submissions is called 'eve'"):
        next(grade.grade_all(folder, autograder, tmp_path / "out", LIMITS, 60, again=("eve",)))


def test_no_damaged_file_stops_a_batch(autograder, tmp_path, monkeypatch):
    monkeypatch.setattr(grade, "Marker", Answers)
    folder = tmp_path / "in"
    folder.mkdir()
    hand_in(folder, 200)
    found = list(grade.grade_all(folder, autograder, tmp_path / "out", {}, 60))
    assert len(found) == 201 and found[-1][1]["status"] == "graded"
    refused = [result for _, result in found if result["status"] == "refused"]
    assert 20 < len(refused) < 180 and all(result["reason"] for result in refused)


def test_damaged_notebooks_leave_the_next_ones_mark_alone(autograder, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    hand_in(folder, 8, start=300)
    found = list(grade.grade_all(folder, autograder, tmp_path / "out", LIMITS, 60, jobs=2))
    assert points(found[-1][1]) == [2, 2, 2]
    assert {result["status"] for _, result in found} <= {"graded", "refused"}


@pytest.mark.parametrize(
    "name, change",
    [
        ("capitals.IPYNB", lambda data: data),
        ("bom.ipynb", lambda data: b"\xef\xbb\xbf" + data),
        ("tags.ipynb", lambda data: data.replace(b'"tags": []', b'"tags": null')),
        ("b\udcfchler.ipynb", lambda data: data),  # a name in Latin-1
        ("emoji.ipynb", lambda data: data.replace(b'"def', b'"# \\ud83d\\ndef')),
    ],
)
def test_file_that_a_tool_has_touched_is_read(tmp_path, name, change):
    (tmp_path / name).write_bytes(change(json.dumps(notebook()).encode()))
    (submission,) = find(tmp_path)
    sources = [cell["source"] for cell in read(submission, "01_tiny")["cells"]]
    assert len(sources) == 7 and "def area" in sources[1]
    submission.key.encode()
