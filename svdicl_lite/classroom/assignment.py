"""One assignment as the marker has it: its questions, its tests, and the reference's answers."""

import ast
import base64
import contextlib
import json
import os
import sys
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from svdicl_lite.classroom import otter_stand_in


@dataclass
class Question:
    """One question that tests mark."""

    name: str
    tests: list = field(default_factory=list)  # functions with points, hidden, failure_message
    answers: set[str] = field(default_factory=set)  # names that its answer cells define
    builds_on: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)  # modules out of reach while it is marked

    @property
    def possible(self) -> float:
        """The points of all its tests."""
        return sum(test.points for test in self.tests)


def manifest(autograder: Path) -> dict:
    """name, title, cells, and per question name, title, points, manual, builds_on and rubric.

    Raises ValueError for a file that is no autograder.
    """
    try:
        with zipfile.ZipFile(autograder) as archive:
            return json.loads(archive.read("assignment.json"))
    except (zipfile.BadZipFile, KeyError, ValueError):
        raise ValueError(
            f"{str(autograder)!r} is not an autograder that make assignments has built; build it"
            " again"
        ) from None


class Assignment:
    """Reads an autograder's zip, or the folder that it was unpacked to."""

    def __init__(self, described: dict, tests: dict[str, str]):
        otter_stand_in.install()
        self.described, self.name = described, described["name"]
        self.cells = described["cells"]
        self.setup = [cell["source"] for cell in self.cells if cell["kind"] == "setup"]
        self.blank = set(described["blank"])  # all code cells as they were handed out
        self.files = files_of(described)
        self.questions = {}
        for row in described["questions"]:
            if not row["manual"]:
                found = Question(
                    row["name"], builds_on=row["builds_on"], without=row.get("without", [])
                )
                found.tests = _tests(tests[row["name"]], row["name"])
                self.questions[row["name"]] = found
        for cell in self.cells:
            if cell["kind"] == "answer" and cell["question"] in self.questions:
                self.questions[cell["question"]].answers |= set(bound(cell["source"], False))
        self.answers = set().union(*(question.answers for question in self.questions.values()))

    @classmethod
    def of(cls, autograder: Path) -> "Assignment":
        """The assignment of a zip or of a folder."""
        if autograder.is_dir():
            read = {path.name: path.read_text() for path in (autograder / "tests").glob("*.py")}
            described = json.loads((autograder / "assignment.json").read_text())
        else:
            described = manifest(autograder)
            with zipfile.ZipFile(autograder) as archive:
                names = [name for name in archive.namelist() if name.startswith("tests/")]
                read = {Path(name).name: archive.read(name).decode() for name in names}
        return cls(described, {name.removesuffix(".py"): text for name, text in read.items()})

    def load(self) -> list[str]:
        """Runs the reference and its tests, and gives the modules that this imported.

        `names` are then what a learner's notebook should have defined. Raises ValueError if a test
        fails on the reference.
        """
        self.names = {"__name__": "__main__"}
        before, known = os.getcwd(), set(sys.modules)
        with tempfile.TemporaryDirectory() as here, open(os.devnull, "w") as silence:
            os.chdir(here)
            lay_out(self.files)
            try:
                with contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence):
                    for cell in self.cells:
                        if cell["kind"] != "check":
                            exec(
                                compile(cell["source"], "reference", "exec", optimize=0), self.names
                            )
                    self._prove()
            finally:
                os.chdir(before)
        return [name for name in sys.modules if name not in known and name != "__main__"]

    def _prove(self):
        for question in self.questions.values():
            for test in question.tests:
                names = test.__code__.co_varnames[: test.__code__.co_argcount]
                try:
                    test(**{name: self.names.get(name) for name in names})
                except Exception as error:
                    raise ValueError(
                        f"{self.name}: the reference fails {test.__name__} of {question.name}:"
                        f" {type(error).__name__}; build the assignment again"
                    ) from None


def files_of(described: dict) -> dict[str, bytes]:
    """What lies beside the notebook of an assignment that a manifest describes: name → content."""
    return {name: base64.b64decode(text) for name, text in described.get("files", {}).items()}


def lay_out(files: dict[str, bytes]) -> None:
    """Writes files into the working folder."""
    for name, content in files.items():
        Path(name).write_bytes(content)


def _tests(source, name):
    names = {}
    exec(compile(source, f"tests/{name}.py", "exec", optimize=0), names)
    return [value for value in names.values() if hasattr(value, "points") and callable(value)]


def bound(source: str, imports: bool = True) -> list[str]:
    """The names that a cell defines at its top level; none if it cannot be read."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    names = []
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.append(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)) and imports:
            names += [alias.asname or alias.name.split(".")[0] for alias in node.names]
        else:
            parts = (part for part in ast.walk(node) if isinstance(part, ast.Name))
            names += [part.id for part in parts if isinstance(part.ctx, ast.Store)]
    return names
