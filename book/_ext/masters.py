"""Reads the masters of the assignments: what each cell is for, what must never be handed out, and
what a wrong solution scores.

The format is described in book/assignments/FORMAT.md.
"""

import ast
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import jupytext
import yaml
from leaks import forms, squeezed

BEGIN = re.compile(r"# BEGIN (QUESTION|SOLUTION|TESTS)\b")
END = re.compile(r"# END (QUESTION|SOLUTION|TESTS)\b")
TEST = re.compile(r'""" # BEGIN TEST CONFIG\n(.*?)""" # END TEST CONFIG\n(.*)', re.DOTALL)
RUBRIC = re.compile(r"^- (\d+) points?: (.+)$", re.MULTILINE)
ANSWER = "otter_answer_cell"


@dataclass
class Test:
    source: str
    points: float
    hidden: bool = False
    failure_message: str = ""
    catches: str = ""

    @property
    def name(self) -> str:
        return ast.parse(self.source).body[0].name


@dataclass
class Question:
    name: str
    manual: bool = False
    points: float = 0
    builds_on: list[str] = field(default_factory=list)  # questions whose answers this one calls
    without: list[str] = field(default_factory=list)  # modules out of its reach
    title: str = ""
    solution: list[str] = field(default_factory=list)  # code, or the rubric of a short answer
    tests: list[Test] = field(default_factory=list)

    @property
    def possible(self) -> float:
        return self.points if self.manual else sum(test.points for test in self.tests)

    @property
    def rubric(self) -> list[tuple[int, str]]:
        return (
            [(int(points), text) for points, text in RUBRIC.findall("\n".join(self.solution))]
            if self.manual
            else []
        )


@dataclass
class Mutant:
    path: Path
    keeps: float
    what: str
    parts: dict[str, str]  # question → the code in the place of its solution


class Master:
    """One folder of book/assignments. Raises ValueError, in one sentence, for what would be handed
    out or graded wrongly.
    """

    def __init__(self, folder: Path):
        self.folder, self.name = folder, folder.name
        self.cells = jupytext.read(folder / "master.md", fmt="md:myst").cells
        self.questions: list[Question] = []
        self.teacher: list[str] = []
        self.public: list[str] = []  # code that learners may read
        blocks = []
        for cell in self.cells:
            begin, end = BEGIN.match(cell.source), END.match(cell.source)
            if cell.cell_type == "raw" and begin:
                blocks.append(begin[1])
                if begin[1] == "QUESTION":
                    self.questions.append(
                        Question(**yaml.safe_load(cell.source.partition("\n")[2]))
                    )
            elif cell.cell_type == "raw" and end:
                blocks.pop()
            elif cell.cell_type == "raw":
                self.config = yaml.safe_load(cell.source.partition("\n")[2])
            elif cell.source.startswith("## Ignore ##"):
                self.teacher.append(cell.source.partition("\n")[2].strip())
            else:
                self._read(cell, blocks[-1] if blocks else "")
        # what lies beside the notebook, for whoever runs it
        self.files = {p.name: p.read_bytes() for p in sorted((folder / "files").glob("*"))}
        self.mutants = [self._mutant(path) for path in sorted((folder / "mutants").glob("*.py"))]
        self._check()

    @property
    def title(self) -> str:
        return next(
            cell.source.splitlines()[0].lstrip("# ")
            for cell in self.cells
            if cell.source.startswith("# Assignment")
        )

    def _read(self, cell, block):
        question = self.questions[-1] if self.questions else None
        if block == "TESTS":
            config, source = TEST.fullmatch(cell.source).groups()
            question.tests.append(Test(source, **yaml.safe_load(config)))
            if not question.tests[-1].hidden:
                self.public += [
                    source,
                    ast.unparse(ast.parse(source)),
                    question.tests[-1].failure_message,
                ]
        elif block == "SOLUTION":
            question.solution.append(cell.source)
            if cell.cell_type == "code":
                kept, cut = _split(cell.source)
                if not cut:
                    raise ValueError(
                        f"{self.name}, {question.name}: a solution cell marks nothing with # BEGIN"
                        " SOLUTION or # SOLUTION, so all of it would be handed out"
                    )
                self.public.append("\n".join(kept))
        elif cell.cell_type == "code":
            self.public.append(cell.source)
        else:
            self.public += re.findall(
                r"`([^`\n]+)`", cell.source
            )  # a call that the text names is no secret
            if question and not question.title and cell.source.startswith("## "):
                question.title = cell.source.splitlines()[0].lstrip("# ")

    def _mutant(self, path):
        lines = path.read_text().splitlines()
        points = re.fullmatch(r"# points: ([\d.]+)", lines[0])
        if not points or not lines[1].startswith("# "):
            raise ValueError(
                f"{path.name} of {self.name} must begin with a line '# points: N' and a line '#"
                " what is wrong'"
            )
        pieces = re.split(r"^# --- (\w+)\n", "\n".join(lines[2:]) + "\n", flags=re.MULTILINE)[1:]
        return Mutant(path, float(points[1]), lines[1][2:], dict(zip(pieces[::2], pieces[1::2])))

    def _check(self):
        known = [question.name for question in self.questions]
        if self.config["name"] != self.name or len(set(known)) != len(known):
            raise ValueError(
                f"{self.name}: the name in its config is {self.config['name']!r}, and its questions"
                f" are {known}; names must match, and differ"
            )
        for question in self.questions:
            names = [test.name for test in question.tests]
            if len(set(names)) != len(names):
                raise ValueError(
                    f"{self.name}, {question.name}: two tests have one name, so only one of them"
                    " would run"
                )
            if question.manual and (
                len(question.rubric) != 3
                or sum(points for points, _ in question.rubric) != question.points
            ):
                raise ValueError(
                    f"{self.name}, {question.name}: the rubric needs three lines '- N point: …'"
                    f" that add up to {question.points:g}"
                )
            for test in question.tests:
                wanted = test.catches if test.hidden else test.failure_message
                if not wanted or '"' in wanted:
                    raise ValueError(
                        f"{self.name}, {question.name}, {test.name}: needs a"
                        f" {'catches' if test.hidden else 'failure_message'} without double quotes"
                    )
        for mutant in self.mutants:
            if not mutant.parts or not mutant.parts.keys() <= set(known):
                raise ValueError(
                    f"{self.name}: {mutant.path.name} replaces {sorted(mutant.parts)}, but the"
                    f" questions are {known}"
                )

    def secrets(self) -> dict[str, str]:
        """The lines that must not reach a learner, blanks dropped, and what each is of: solution,
        rubric, hidden test, notes or mutant.
        """
        return self._secrets

    @cached_property  # asked for at every page that might hold one
    def _secrets(self) -> dict[str, str]:
        lines = []
        for question in self.questions:
            kind = "rubric" if question.manual else "solution"
            for source in question.solution:
                lines += [
                    (kind, line)
                    for line in (source.splitlines() if question.manual else _split(source)[1])
                ]
            for test in question.tests:
                if test.hidden:  # as written, and as otter writes it
                    lines += [
                        ("hidden test", line)
                        for text in (test.source, ast.unparse(ast.parse(test.source)), test.catches)
                        for line in text.splitlines()
                    ]
        lines += [("notes", line) for text in self.teacher for line in text.splitlines()]
        lines += [
            ("mutant", line)
            for mutant in self.mutants
            for line in mutant.path.read_text().splitlines()
        ]
        public = squeezed("\n".join(self.public))
        found = {
            squeezed(line.partition("  # ")[0]): kind
            for kind, line in reversed(lines)
            if "import" not in line
        }
        return {
            line: kind for line, kind in found.items() if len(line) >= 10 and line not in public
        }

    def leaks(self, text: str) -> list[str]:
        """The secret lines that `text` holds, whatever the white space, JSON escapes or HTML around
        their words.
        """
        squeezed_forms = forms(text)
        return sorted(
            line for line in self.secrets() if any(line in form for form in squeezed_forms)
        )


def masters(root: Path = Path(__file__).parents[1] / "assignments") -> list[Master]:
    """All of a folder, by number."""
    return [Master(path.parent) for path in sorted(root.glob("[0-9]*/master.md"))]


def _split(source):
    """The lines of a solution cell that stay, and those that `otter assign` cuts."""
    kept, cut, inside = [], [], False
    for line in source.splitlines():
        if line.strip() in ("# BEGIN SOLUTION", "# BEGIN SOLUTION NO PROMPT", "# END SOLUTION"):
            inside = "BEGIN" in line
        elif inside or line.rstrip().endswith(("# SOLUTION", "# SOLUTION NO PROMPT")):
            cut.append(line.partition("# SOLUTION")[0])
        else:
            kept.append(line)
    return kept, cut
