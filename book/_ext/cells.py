"""Formats and lints the code cells of MyST chapters: `python cells.py [--fix] CHAPTER.md ...`.

A chapter becomes a notebook of its code cells, because ruff knows what a notebook is: names defined
in one cell count in the next, imports may begin any cell, a last line may end in a semicolon.
Whatever it finds is told by its line in the chapter. Nothing but the code is ever changed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
WIDTH = 88  # what a page shows without scrolling
OPTIONS = [
    f"--config={ROOT / 'pyproject.toml'}",
    f"--config=line-length={WIDTH}",
    '--config=lint.isort.known-first-party=["svdicl_lite"]',
]


@dataclass
class Cell:
    """The code of one cell, and the line of the chapter (from 1) on which it begins."""

    line: int
    code: list[str]


def cells_of(text: str) -> list[Cell]:
    """The code cells of a chapter, without their options (a YAML header, or `:key: value`)."""
    lines = text.split("\n")
    found = []
    for i, line in enumerate(lines):
        if line.startswith("```{code-cell}"):
            start = _after_options(lines, i + 1)
            end = lines.index("```", start)
            found.append(Cell(start + 1, lines[start:end]))
    return found


def _after_options(lines: list[str], i: int) -> int:
    if lines[i] == "---":
        i = lines.index("---", i + 1) + 1
    while lines[i] == "" or lines[i].startswith(":"):
        i += 1
    return i


def with_code(text: str, new: list[list[str]]) -> str:
    """The chapter with new code in its cells; everything else stays as it is."""
    lines = text.split("\n")
    # from the end, so that the lines of earlier cells keep their numbers
    for cell, code in reversed(list(zip(cells_of(text), new))):
        start = cell.line - 1
        lines[start : start + len(cell.code)] = code
    return "\n".join(lines)


def _notebook(cells: list[Cell]) -> str:
    code = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": str(i),
            "metadata": {},
            "outputs": [],
            "source": "\n".join(cell.code).splitlines(keepends=True),
        }
        for i, cell in enumerate(cells)
    ]
    return json.dumps({"cells": code, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def _ruff(*arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments], capture_output=True, text=True
    )
    if done.returncode > 1:
        sys.exit(done.stderr)
    return done.stdout


def formatted(cells: list[Cell], notebook: Path, fix: bool) -> list[list[str]]:
    """The cells' code as ruff formats it; with `fix` after its safe repairs."""
    notebook.write_text(_notebook(cells))
    if fix:
        _ruff("check", "--quiet", "--fix", "--ignore=D", *OPTIONS, notebook)
    _ruff("format", "--quiet", *OPTIONS, notebook)
    written = json.loads(notebook.read_text())["cells"]
    return ["".join(cell["source"]).split("\n") for cell in written]


def linted(cells: list[Cell], notebook: Path) -> list[tuple[int, str]]:
    """(line of the chapter, what is wrong) for all that ruff's rules find."""
    notebook.write_text(_notebook(cells))
    # D is for the module: a function of a page is told by the text around it
    found = json.loads(_ruff("check", "--ignore=D", "--output-format=json", *OPTIONS, notebook))
    return [
        (
            cells[one["cell"] - 1].line + one["location"]["row"] - 1,
            f"{one['code']} {one['message']}",
        )
        for one in found
    ]


def problems(chapter: Path, fix: bool = False) -> list[str]:
    """What is wrong with a chapter's cells, as `file:line: what`; `fix` mends what it can first."""
    text = chapter.read_text()
    with tempfile.TemporaryDirectory() as folder:
        notebook = Path(folder) / "chapter.ipynb"
        new = formatted(cells_of(text), notebook, fix)
        if fix:
            text = with_code(text, new)
            chapter.write_text(text)
        cells = cells_of(text)
        found = linted(cells, notebook)
    found += [
        (cell.line, "the cell is not formatted: --fix does it")
        for cell, code in zip(cells, new)
        if cell.code != code
    ]
    return [f"{chapter}:{line}: {what}" for line, what in sorted(found)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fix", action="store_true", help="format, and repair what is safe")
    parser.add_argument("chapters", type=Path, nargs="+")
    args = parser.parse_args()
    found = [line for chapter in args.chapters for line in problems(chapter, args.fix)]
    for line in found:
        print(line)
    sys.exit(1 if found else 0)
