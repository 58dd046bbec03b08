"""Functions of at most 50 lines and files of at most 300: what fits on a screen, and in a head."""

import ast

import pytest
from test_chapters import ROOT

FUNCTION, FILE = 50, 300
FILES = [
    path.relative_to(ROOT).as_posix()
    for folder in ("svdicl_lite", "book/_ext", "benchmarks", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def too_long(source):
    """What is too long in a file: the name of a function, or "the file", with its lines."""
    found = {"the file": len(source.splitlines())} if len(source.splitlines()) > FILE else {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION:
                found[node.name] = lines
    return found


@pytest.mark.parametrize("path", FILES)
def test_functions_and_files_stay_short(path):
    assert too_long((ROOT / path).read_text()) == {}


def test_what_is_too_long_is_seen():
    body = "    x = 1\n" * FUNCTION
    assert too_long(f"def long():\n{body}") == {"long": FUNCTION + 1}
    assert too_long(f"class A:\n    async def long():\n{body.replace('    ', '        ')}") == {
        "long": FUNCTION + 1
    }
    assert too_long("x = 1\n" * (FILE + 1)) == {"the file": FILE + 1}
    assert too_long("x = 1\n" * FILE) == {} and too_long(f"def f():\n{body[:-10]}") == {}
