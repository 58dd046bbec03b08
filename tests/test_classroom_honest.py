"""No honest work is lost: what learners do without meaning harm, what their tools do to a file."""

import honest_work
import pytest
from honest_work import ANSWERS, BLANK, LIMITS, notebook, points

from svdicl_lite.classroom.by_hand import without
from svdicl_lite.classroom.flags import flags
from svdicl_lite.classroom.marker import Marker

# Fixtures: pytest looks for their names here.
autograder = honest_work.autograder


@pytest.fixture(scope="module")
def marker(autograder):
    with Marker(autograder) as marker:
        yield marker


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
