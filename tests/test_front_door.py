"""`import svdicl_lite`: every name there, and nothing loaded before it is asked for."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

import svdicl_lite

HEAVY = ("torch", "transformers", "numpy", "pandas", "datasets", "typer")
WANTED = {
    *("load_model", "load_task", "find_clip", "ICLEvaluator", "Clip", "clipped", "clip_"),
    *("factorize_", "condition_table", "select_layer", "search_clip_rate", "sweep"),
    *("greedy_search", "Experiment", "Journal"),
}


def fresh(code):
    """What a Python of its own prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_every_name_is_the_thing_that_its_file_defines():
    assert set(svdicl_lite.__all__) >= WANTED
    for name in svdicl_lite.__all__:
        value = getattr(svdicl_lite, name)
        defined = sys.modules[f"svdicl_lite.{svdicl_lite._FILES[name]}"]
        assert value is vars(defined)[name] is vars(svdicl_lite)[name]
        assert getattr(value, "__module__", defined.__name__) == defined.__name__


def test_the_import_loads_nothing_and_offers_all():
    code = (
        "import sys, svdicl_lite;"
        " print(set(svdicl_lite.__all__) <= set(dir(svdicl_lite)),"
        f" [name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert fresh(code) == "True []"


def test_the_import_takes_less_than_three_tenths_of_a_second_over_bare_python():
    def seconds(code):
        start = time.perf_counter()
        fresh(code)
        return time.perf_counter() - start

    # The best of several: whatever else runs on the machine can only add.
    bare, ours = (min(seconds(code) for _ in range(5)) for code in ("pass", "import svdicl_lite"))
    assert ours - bare < 0.3


def test_a_star_imports_all_and_no_more():
    code = "before = {*globals()}; from svdicl_lite import *; print(sorted({*globals()} - before))"
    assert fresh(code) == str(sorted([*svdicl_lite.__all__, "before"]))


def test_completion_offers_every_name_and_nothing_of_how_it_works():
    offered = dir(svdicl_lite)
    assert set(svdicl_lite.__all__) <= set(offered) and offered == sorted(set(offered))
    assert not {"import_module", "TYPE_CHECKING", "Any"} & set(offered)


def test_a_name_that_is_not_there_is_told_in_one_sentence():
    with pytest.raises(
        AttributeError, match="^svdicl_lite offers no 'load_modle', but CLIP_RATES,"
    ):
        svdicl_lite.load_modle  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'load_modle'"):
        from svdicl_lite import load_modle  # noqa: F401
    from svdicl_lite import stats  # a file is no name of the front door, and is found all the same

    assert stats.__name__ == "svdicl_lite.stats"


def test_who_only_reads_the_file_finds_the_same_names_in_the_same_files():
    tree = ast.parse(Path(svdicl_lite.__file__).read_text())
    (block,) = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    read = {}
    for node in block.body:
        for alias in node.names:
            assert alias.name == alias.asname  # so a type checker takes it for an export
            read[alias.name] = node.module.removeprefix("svdicl_lite.")
    assert read == svdicl_lite._FILES
