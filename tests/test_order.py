"""In which order and in which processes the tests run, as conftest.py has it."""

from pathlib import Path
from types import SimpleNamespace

import conftest
import pytest

FILES = {path.name for path in Path(__file__).parent.glob("test_*.py")}


def item(file):
    return SimpleNamespace(path=Path(file), nodeid=f"tests/{file}::test_x")


def test_every_file_that_is_named_is_there():
    named = [f"test_{name}.py" for name in conftest.LONG]
    assert len(set(named)) == len(named) and {*named} <= FILES
    assert {*conftest.APART} <= {*conftest.LONG}


def test_long_files_come_first_and_the_others_stay_in_their_order():
    items = [item(file) for file in ("test_zoo.py", "test_api.py", "test_browser.py")]
    items.append(item(f"test_{conftest.LONG[0]}.py"))
    conftest.pytest_collection_modifyitems(items)
    assert [item.path.name for item in items] == [
        f"test_{conftest.LONG[0]}.py",
        "test_browser.py",
        "test_zoo.py",
        "test_api.py",
    ]


@pytest.mark.parametrize(
    "nodeid, together",
    [
        ("tests/test_claims.py::test_a[b::c]", "tests/test_claims.py"),
        ("tests/test_browser.py::test_a[b::c]", "tests/test_browser.py::test_a[b::c]"),
        ("tests/test_browser_more.py::test_a", "tests/test_browser_more.py"),
    ],
)
def test_a_file_runs_in_one_process_unless_its_tests_share_nothing(nodeid, together):
    assert conftest.scope(nodeid) == together
