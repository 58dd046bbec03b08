"""Marks one notebook: runs its cells in a learner's process, and tests what they defined from here.

A test calls the learner's functions as if they were its own; each call goes over the pipe and comes
back as data. The test itself, what it expects and the points are here alone.
"""

import os
import re
import sys
import time
from typing import Any

from svdicl_lite.classroom.assignment import Assignment, bound
from svdicl_lite.classroom.codec import Broken, Late
from svdicl_lite.classroom.flags import flags
from svdicl_lite.classroom.hints import hint
from svdicl_lite.classroom.isolated import isolated
from svdicl_lite.classroom.learner import Learner

LIMITS = {
    "cell_seconds": 60,
    "test_seconds": 10,
    "memory_gb": 4,
    "file_mb": 100,
    "disk_mb": 1000,
    "processes": 200,
    "isolate": True,
}
"""Of one cell, of one test, of one process's memory, of a file, of all files, and of processes."""

SETUP_SECONDS = 180  # for cells as handed out: imports take long where little else does
CHECK = re.compile(r"\bcheck\(\s*[\"'](\w+)[\"']")
ERROR = re.compile("(?!AssertionError)\\w+Error: ")  # an answer that is wrong is not tried again
ENDED = "ended the process that runs the notebook"


class OutOfTime(Exception):
    """The submission as a whole took too long."""


class Marking:
    """One submission's way through the marker. `run()` gives its result."""

    def __init__(self, assignment: Assignment, nursery, notebook: dict, limits: dict, seconds):
        self.assignment, self.nursery = assignment, nursery
        self.limits = {**LIMITS, **limits, "readable": readable()}
        self.seconds, self.end_time = seconds, time.monotonic() + seconds
        self.cells = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
        self.cells = ["".join(source) for source in self.cells]
        self.done: list[Any] = []
        self.taken_out: set[Any] = set()
        self.errors: dict[Any, Any] = {}
        self.stopped: list[Any] = []
        self.outcomes: dict[
            Any, Any
        ] = {}  # (question, position of a test) → None if passed, or why not
        self.learner: Any = None
        self.have: list[str] = []

    def run(self) -> dict:
        """status, reason, questions, flags, stopped, errors, have (what the sandbox had)."""
        status, reason = "graded", ""
        try:
            # In two processes, so that nothing that a hidden test hands to the learner's code can
            # come back in the words of a public one, which the learner reads.
            self._pass(hidden=False)
            self._pass(hidden=True)
        except OutOfTime:
            status, reason = "stopped", f"it took longer than {self.seconds:g} s in all"
        finally:
            if self.learner:
                self.learner.end()
        return {
            "status": status,
            "reason": reason,
            "questions": self._questions() if status == "graded" else {},
            "flags": self._flags(),
            "stopped": self.stopped,
            "errors": [self.errors[number] for number in sorted(self.errors)],
            "have": self.have,
        }

    # The cells.

    def _pass(self, hidden):
        self.hidden, self.done = hidden, []
        self._begin()
        missing = [source for source in self.assignment.setup if source not in self.cells]
        for source in missing:
            self._cell(source, 0)
        # Each question is marked once: at its check, or in the end if it was answered further down
        # or has no check left. Somebody who may answer often need not know.
        left = dict.fromkeys(self.assignment.questions)
        for number, source in enumerate(self.cells, 1):
            self._cell(source, number)
            for name in CHECK.findall(source):
                if name in left and self._answered(name, self.cells[:number]):
                    del left[name]
                    self._mark(name)
        for name in left:
            self._mark(name)
        # Only now, when every other mark stands: a function of the reference answers whoever asks.
        for question in self.assignment.questions.values():
            if any(self._failing(self.assignment.questions[other]) for other in question.builds_on):
                self._test_failing(question, question.builds_on)

    def _cell(self, source, number, again=False):
        """Runs a cell; if it ends the process or outlasts its time, starts again without it."""
        if (source, number) in self.taken_out:
            return
        given = source in self.assignment.setup
        seconds = self.limits["cell_seconds"]
        seconds = max(SETUP_SECONDS, seconds) if given else seconds
        why = ""
        try:
            error = self._ask(seconds, "cell", source=source, given=given)
            named = isinstance(error, list) and str(error[0]).isidentifier()
            if number and named and not self.hidden:
                said = f": {' '.join(str(error[1]).split())[:160]}" if error[1] else ""
                self.errors[number] = f"cell {number} ended with a {error[0][:40]}{said}"
        except Late:
            why = f"ran longer than {seconds} s and was stopped"
        except Broken:
            why = ENDED
        if not again:
            self.done.append((source, number))
        if why:
            self.taken_out.add((source, number))
            self.stopped.append(f"cell {number}, which {why}" if number else f"a cell that {why}")
            self.errors.pop(number, None)
            self._begin()

    def _begin(self):
        """A fresh process, in which everything so far is run again but what was taken out."""
        if self.learner:
            self.learner.end()
        self.learner = Learner(self.nursery, self.limits)
        self.have = self.learner.have
        if self.assignment.files:
            self._ask(10, "lay_out", files=self.assignment.files)
        for source, number in self.done:
            self._cell(source, number, again=True)

    def _ask(self, seconds, op, **values):
        left = self.end_time - time.monotonic()
        if left <= 0:
            raise OutOfTime
        self.learner.end_time = time.monotonic() + min(seconds, left)
        try:
            return self.learner.ask(op, **values)
        except Late:
            if time.monotonic() >= self.end_time:
                raise OutOfTime from None
            raise
        except Broken:
            raise
        except Exception as error:  # the runner itself never answers these with one
            raise Broken(f"an error in the place of an answer ({type(error).__name__})") from None

    def _answered(self, name, cells):
        """Whether one of these cells defines an answer to a question, other than as handed out."""
        answers = self.assignment.questions[name].answers
        own = (source for source in cells if source not in self.assignment.blank)
        return any(answers & set(bound(source)) for source in own)

    # The tests.

    def _mark(self, name):
        """Runs the tests of a question. Those that failed by an error run once more if names that
        were handed out are others by now: a learner may have used `t` for something else.
        """
        question = self.assignment.questions[name]
        self._test_failing(question)
        wrong = [self.outcomes[name, at] for at in self._failing(question)]
        if any(ERROR.match(said) for said in wrong) and self._put_back_given():
            self._test_failing(question, only=ERROR)

    def _failing(self, question):
        return [
            at
            for at, test in enumerate(question.tests)
            if test.hidden is self.hidden and self.outcomes.get((question.name, at), "") is not None
        ]

    def _test_failing(self, question, builds_on=(), only=re.compile("")):
        for at in self._failing(question):
            if not only.match(self.outcomes.get((question.name, at), "")):
                continue
            said = self._test(question, question.tests[at], builds_on)
            if said is None or (question.name, at) not in self.outcomes:
                self.outcomes[question.name, at] = said

    def _put_back_given(self):
        try:
            return bool(self._ask(10, "given"))
        except Broken:
            self._begin()
            return False

    def _test(self, question, test, builds_on):
        """None if a test passes, or in words why not."""
        seconds = self.limits["test_seconds"]
        if time.monotonic() > self.end_time:
            raise OutOfTime
        call, memory = lambda: self._call_test(question, test, builds_on), self.limits["memory_gb"]
        said = isolated(call, seconds, memory)
        try:
            if builds_on:
                self._ask(5, "put_back")
            self._ask(5, "forget")
            self.learner.mirror.forget()
        except Broken:  # gone, or in the middle of something: the next test finds a fresh one
            self._begin()
        return said

    def _call_test(self, question, test, builds_on):
        self.learner.end_time = time.monotonic() + self.limits["test_seconds"]
        names, mine = test.__code__.co_varnames[: test.__code__.co_argcount], self.assignment
        asked = [name for name in names if name in mine.answers]
        if builds_on:
            earlier = set().union(*(mine.questions[name].answers for name in builds_on))
            self.learner.ask("replace", names={name: mine.names[name] for name in sorted(earlier)})
        found = self.learner.ask("names", names=asked)
        if question.without:
            self.learner.ask("without", modules=question.without)
        values = {
            name: found.get(name) if name in asked else mine.names.get(name) for name in names
        }
        try:
            test(**values)
        except AssertionError as error:
            raise AssertionError(
                f"{error}{hint(str(error), self.cells, self.learner.single)}"
            ) from None

    # What came of it.

    def _questions(self):
        found = {}
        for name, question in self.assignment.questions.items():
            rows, score = [], 0
            for at, test in enumerate(question.tests):
                said = self.outcomes.get((name, at), "it was not run")
                score += test.points * (said is None)
                rows.append(
                    {
                        "name": test.__name__,
                        "hidden": test.hidden,
                        "points": test.points,
                        "passed": said is None,
                        "message": said or "passed",
                        "hint": test.failure_message,
                        "catches": self.assignment.described.get("catches", {}).get(
                            test.__name__, ""
                        ),
                    }
                )
            found[name] = {"score": score, "possible": question.possible, "tests": rows}
        return found

    def _flags(self):
        found = []
        for number, source in enumerate(self.cells, 1):
            if source not in self.assignment.blank:
                found += [f"cell {number}: {what}" for what in flags(source)]
        return found


def readable() -> list[str]:
    """The folders that a learner's process may read besides the system's programs."""
    import svdicl_lite

    folders = [sys.prefix, sys.base_prefix, os.path.dirname(svdicl_lite.__file__)]
    return [os.path.realpath(folder) for folder in folders] + folders
