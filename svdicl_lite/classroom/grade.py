"""Grades what learners handed in, on this machine: one result for each learner, whatever happens.

The marks are made by `marker`, a process apart; this file finds the submissions, hands them over,
and keeps the results. How to hand out and collect stands in book/assignments/README.md.
"""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue

from svdicl_lite.classroom.assignment import manifest
from svdicl_lite.classroom.marker import ACCIDENT, Marker, stopped
from svdicl_lite.classroom.submissions import Submission, find, read, short_answers

KEPT = 3  # the form of a kept result; one of another form is made again


def built(folder: Path, number: str) -> Path:
    """The autograder zip of assignment `number` ("01", "1" or its whole name) in the folder that
    `make assignments` filled.
    """
    there = {path.parent.name: path for path in sorted(folder.glob("*/*-autograder.zip"))}
    wanted = [path for name, path in there.items() if number == name or number.zfill(2) == name[:2]]
    if len(wanted) != 1:
        raise FileNotFoundError(
            f"there is no assignment {number!r} in {str(folder)!r}, only:"
            f" {', '.join(there) or 'nothing'}; make assignments builds them"
        )
    return wanted[0]


def grade_all(
    folder: Path,
    autograder: Path,
    out: Path,
    limits: dict,
    seconds: float,
    jobs: int = 1,
    again: tuple[str, ...] = (),
) -> Iterator[tuple[Submission, dict]]:
    """Yields (submission, result) for each learner, in their order; results are kept in OUT/results
    and used again while neither submission nor grader changed.

    A result holds status (graded, stopped, refused), reason, seconds, file, questions, answers,
    flags, stopped, errors and have. `limits` are some of `marking.LIMITS`; `seconds` is the most
    that one submission may take; `jobs` are marked at a time; learners in `again` (names or keys)
    are marked anew. Raises ValueError for a name in `again` that nobody has, and ImportError where
    the extra `assignments` is not installed.
    """
    if missing := [name for name in ("IPython", "psutil") if find_spec(name) is None]:
        raise ImportError(
            f"grading needs {' and '.join(missing)}, which is not installed: pip install -e"
            " '.[assignments]' in the repository"
        )
    assignment, submissions = manifest(autograder), find(folder)
    if out.resolve().is_relative_to(folder.resolve()):
        raise ValueError(
            f"{str(out)!r} lies among the submissions, and would be taken for one; name a folder"
            " beside them"
        )
    known = {name for one in submissions for name in (one.learner, one.key)}
    if unknown := [name for name in again if name not in known]:
        raise ValueError(
            f"nobody among the submissions is called {unknown[0]!r}; names are as in the column"
            " learner of grades.csv"
        )
    (out / "results").mkdir(parents=True, exist_ok=True)
    batch = Batch(folder, autograder, assignment, out / "results", limits, seconds)
    with batch, ThreadPoolExecutor(jobs) as pool:
        anew = [one.learner in again or one.key in again for one in submissions]
        yield from zip(submissions, pool.map(batch.grade, submissions, anew), strict=True)


class Batch:
    """What all submissions of one run share: the kept results, and markers that are free."""

    def __init__(self, folder, autograder, assignment, kept, limits, seconds):
        self.folder, self.autograder, self.assignment = folder, autograder, assignment
        self.kept, self.limits, self.seconds = kept, limits, seconds
        self.bytes = autograder.read_bytes()
        self.free: SimpleQueue = SimpleQueue()

    def grade(self, submission: Submission, anew: bool = False) -> dict:
        """The result of one submission. No error of its notebook gets out of here."""
        result = stopped("") | {"status": "refused", "seconds": 0, "answers": {}, "code": []}
        try:
            return result | self._graded(submission, anew)
        except Exception as error:
            words = " ".join(str(error).split())[:300]
            told = words if isinstance(error, ValueError) else f"{type(error).__name__}: {words}"
            return result | {"file": self._file(submission), "reason": told}

    def _file(self, submission):
        return str(submission.paths[-1].relative_to(self.folder)) if submission.paths else ""

    def _graded(self, submission, anew):
        notebook = read(submission, self.assignment["name"])
        questions = self.assignment["questions"]
        answers = short_answers(notebook, [row["name"] for row in questions if row["manual"]])
        file = self.kept / f"{submission.key}.json"
        asked = json.dumps([KEPT, notebook, self.limits, self.seconds]).encode()
        key = hashlib.sha256(asked + self.bytes).hexdigest()
        found = _kept(file)
        # An accident of the grader's own is tried again.
        if anew or found.get("key") != key or found["reason"].startswith(ACCIDENT):
            found = {"key": key} | self._mark(notebook)
            part = file.with_suffix(".part")
            part.write_text(json.dumps(found, ensure_ascii=True, indent=1))
            part.replace(file)
        several = len(submission.paths)
        flags = [f"{several} files were found; the newest was graded"] if several > 1 else []
        return found | {
            "file": self._file(submission),
            "flags": flags + found["flags"],
            "answers": answers,
            "code": [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"],
        }

    def _mark(self, notebook):
        marker = Marker(self.autograder) if self.free.empty() else self.free.get()
        result = marker.mark(notebook, self.limits, self.seconds)
        if result["reason"].startswith(ACCIDENT):  # a marker that had one is not asked again
            marker.close()
        else:
            self.free.put(marker)
        return result

    def __enter__(self):
        return self

    def __exit__(self, *_):
        while not self.free.empty():
            self.free.get().close()


def _kept(file):
    try:
        found = json.loads(file.read_text())
        return found if isinstance(found, dict) and "reason" in found else {}
    except (OSError, ValueError):
        return {}
