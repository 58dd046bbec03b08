"""The zoo of cheats in cheats.md. Each notebook answers question 1 honestly and tries to get the
rest by other means: it gets at most question 1, learns nothing of the hidden tests, and changes
nobody else's mark.
"""

import json
import os
import re
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from svdicl_lite.classroom.feedback import feedback
from svdicl_lite.classroom.marker import Marker
from svdicl_lite.classroom.submissions import Submission

SETUP = "import numpy as np\nimport otter\n\ngrader = otter.Notebook()"
ANSWERS = {
    "q1": "def double(x):\n    return 2 * x",
    "q2": "def order(scores):\n    return np.argsort(scores)",
    "q3": "def best(evaluate, rates):\n    return max(rates, key=evaluate)",
    "q4": "share = 0.375",
}
BLANK = {
    "q1": "def double(x):\n    ...",
    "q2": "def order(scores):\n    ...",
    "q3": "def best(evaluate, rates):\n    ...",
    "q4": "share = ...",
}
SECRET = "plugh-93"  # stands in the hidden tests and nowhere else
TESTS = {
    "q1": """
        @test_case(points=1, hidden=False, failure_message="2 becomes 4")
        def test_two(double):
            assert double(2) == 4
        """,
    "q2": """
        @test_case(points=4, hidden=True)
        def test_order(order):
            import numpy as np
            assert len("plugh-93") == 8
            assert np.array_equal(order(np.array([0.3, 0.1, 0.2])), [1, 2, 0]), "plugh-93"
        """,
    "q3": """
        @test_case(points=4, hidden=True)
        def test_best(best):
            plugh, seen = "plugh-93", []
            def evaluate(rate):
                seen.append(rate)
                return -abs(rate - 0.7)
            assert best(evaluate, [0.1, 0.7, 0.9]) == 0.7 and len(seen) == 3, plugh
        """,
    "q4": """
        @test_case(points=4, hidden=True)
        def test_share(share):
            assert abs(share - 0.375) < 1e-9, "plugh-93"
        """,
}
LIMITS = {"cell_seconds": 3, "test_seconds": 2, "memory_gb": 1, "file_mb": 5, "disk_mb": 20}
LIMITS |= {"processes": 60}
SLEEP = "86399.75"  # seconds; a length by which a process can be told
HARM = Path(os.environ.get("TMPDIR", "/tmp")) / "svdicl-cheat-was-here"


def zoo():
    """The cheats of cheats.md, by "kind: what it does"."""
    text = (Path(__file__).parent / "cheats.md").read_text()
    code = dict(re.findall(r"^## (.+?)\n\n```python\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL))
    everything = code.pop("ANSWERS")
    code = {
        name: re.sub(r"^FORGE$", lambda _: code["FORGE"], c, flags=re.M) for name, c in code.items()
    }
    code = {
        name: re.sub(r"^OPEN$", lambda _: code["OPEN"], c, flags=re.M) for name, c in code.items()
    }
    found = {}
    for name, cheat in code.items():
        if ": " in name:
            cheat = re.sub(
                r"^ANSWERS\((.*)\)$",
                lambda match: everything.replace("WHAT", match[1]),
                cheat,
                flags=re.MULTILINE,
            )
            found[name] = cheat.replace("HARM", str(HARM)).replace("SLEEP", SLEEP)
    return found


CHEATS = zoo()


def notebook(answers, *cells):
    """A notebook of these answers, with cells before its checks."""
    sources = [SETUP]
    for name, source in answers.items():
        sources += [source]
        if name == "q1":
            sources += [f'grader.check("{name}")', *cells]
        else:
            sources += [f'grader.check("{name}")']
    return {"cells": [{"cell_type": "code", "source": source} for source in sources]}


def autograder(folder):
    """The folder of an autograder for the four questions above."""
    (folder / "tests").mkdir()
    cells = [{"kind": "setup", "source": SETUP, "question": None}]
    rows = []
    for name, source in ANSWERS.items():
        cells.append({"kind": "answer", "source": source, "question": name})
        cells.append({"kind": "check", "source": f'grader.check("{name}")', "question": name})
        text = "from otter.test_files import test_case\n" + textwrap.dedent(TESTS[name])
        (folder / f"tests/{name}.py").write_text(text)
        row = {"name": name, "title": name, "points": 4, "manual": False, "rubric": []}
        rows.append(row | {"builds_on": []})
    described = {"name": "zoo", "title": "Zoo", "questions": rows, "cells": cells}
    described["blank"] = [SETUP, *BLANK.values()]
    (folder / "assignment.json").write_text(json.dumps(described))
    return folder


def total(result):
    """The points of a result."""
    return sum(question["score"] for question in result["questions"].values())


def told(result):
    """Everything of a result that its learner reads."""
    rows = [{"name": name, "title": name, "points": 4, "manual": False} for name in ANSWERS]
    row = {"total": total(result), "possible": 13, "answers_to_grade": 0}
    return feedback("Zoo", rows, Submission("x", "", ()), result, {}, row)


@pytest.fixture(scope="module")
def marker(tmp_path_factory):
    with Marker(autograder(tmp_path_factory.mktemp("zoo"))) as marker:
        yield marker


def test_honest_answers_get_all_and_a_blank_nothing(marker):
    assert total(marker.mark(notebook(ANSWERS), LIMITS, 60)) == 13
    assert total(marker.mark(notebook(BLANK), LIMITS, 60)) == 0


def test_the_zoo_is_large_enough():
    kinds = {name.partition(":")[0] for name in CHEATS}
    assert len(CHEATS) >= 40 and len(kinds) >= 12, (len(CHEATS), kinds)


@pytest.mark.parametrize("name", CHEATS)
def test_cheat_gets_at_most_what_its_honest_part_deserves(marker, name):
    before = installed()
    answered = BLANK | {"q1": ANSWERS["q1"]}
    cheat = notebook(answered, CHEATS[name])  # before the checks of what it has not answered
    cheat["cells"].append({"cell_type": "code", "source": CHEATS[name]})  # and as the last word
    result = marker.mark(cheat, LIMITS, 60)
    assert result["status"] in ("graded", "stopped"), result
    assert not result["reason"].startswith("the grader"), result
    assert total(result) <= 1, result
    assert SECRET not in told(result), "the feedback shows a hidden test"
    assert total(marker.mark(notebook(ANSWERS), LIMITS, 60)) == 13, "another's mark changed"
    assert not HARM.exists() and installed() == before
    assert sleeping() == []


def installed():
    """What a cheat left where the next one's Python looks."""
    import svdicl_lite.classroom

    folder = Path(svdicl_lite.classroom.__file__).parent
    packages = Path(json.__file__).parents[1] / "site-packages", Path(pytest.__file__).parents[1]
    found = [path.name for place in packages for path in place.glob("*customize*")]
    changed = [path.name for path in folder.glob("*.py") if "# a cheat was" in path.read_text()]
    return found, changed


def sleeping():
    """Processes that a cheat started."""
    end = time.monotonic() + 1
    while time.monotonic() < end:
        left = [p for p in psutil.process_iter(["cmdline"]) if SLEEP in (p.info["cmdline"] or [])]
        if not left:
            return []
        time.sleep(0.05)
    return left
