"""Every chapter runs under papermill with the smallest sizes, by the same Makefile that builds the
book.
"""

import fcntl
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import jupytext
import nbformat
import pytest

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted(path.stem for path in (ROOT / "chapters").glob("*.md"))


def make(*arguments):
    """Runs Make for the profile ci, one at a time however many processes test."""
    env = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL")}
    (ROOT / "_build").mkdir(exist_ok=True)
    with open(ROOT / "_build/tests.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return subprocess.run(
            ["make", "PROFILE=ci", *arguments], cwd=ROOT, env=env, capture_output=True, text=True
        )


@cache
def book():
    """The folder of the built book; `make test` has built it, and so all that is done here is to
    look whether it is up to date. A failure is not tried a second time.
    """
    done = make("html")
    return done, ROOT / "_build/ci/_build/html"


def built_book():
    """That folder, or the failure of the build."""
    done, folder = book()
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.built
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_chapter_runs_and_its_claims_hold(chapter):
    done = make(f"_build/ci/chapters/{chapter}.ipynb")
    assert done.returncode == 0, done.stdout + done.stderr
    notebook = nbformat.read(ROOT / f"_build/ci/chapters/{chapter}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code if cell.source.strip())
    assert not [out for cell in code for out in cell.outputs if out.output_type == "error"]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_chapter_begins_with_a_parameters_cell(chapter):
    first = next(
        cell
        for cell in jupytext.read(ROOT / f"chapters/{chapter}.md").cells
        if cell.cell_type == "code"
    )
    assert "parameters" in first.metadata["tags"]
    names = {}
    exec(first.source, names)
    assert names["profile"] == "book" and names["seed"] == 0


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_chapter_has_what_every_chapter_has(chapter):
    text = (ROOT / f"chapters/{chapter}.md").read_text()
    for wanted in (
        "What you will be able to do",
        "**Before you start:**",
        "**It takes**",
        "things to take away",
        "Further reading",
        "Now try",
    ):
        assert wanted in text, f"{chapter} lacks {wanted!r}"
    assert re.search(r"^:::\{(guess|curve)\} ", text, re.M), f"{chapter} asks for no prediction"
    assert text.count("\n### Exercise ") >= 3
    assert text.count("**Expected result:**") == text.count("\n### Exercise ")


def test_a_failing_cell_names_chapter_and_cell_and_leaves_no_notebook(tmp_path):
    chapter = tmp_path / "bad.md"
    header = (ROOT / "chapters/01_singular_values.md").read_text().partition("\n(ch-")[0]
    chapter.write_text(
        header + "\n```{code-cell} ipython3\n:tags: [parameters]\n\nseed = 0\n```\n\n```{code-cell}"
        " ipython3\nassert seed == 1, 'one is not zero'\n```\n"
    )
    out = tmp_path / "bad.ipynb"
    run = [sys.executable, ROOT / "book/_ext/run_chapter.py", chapter, out, "--profile", "ci"]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 1
    assert "bad.md, cell" in done.stderr and "AssertionError: one is not zero" in done.stderr
    assert not out.exists()
