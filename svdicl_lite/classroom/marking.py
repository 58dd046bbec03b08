"""Marks one notebook: runs its cells in a learner's process, and tests what they defined from here.

A test calls the learner's functions as if they were its own; each call goes over the pipe and comes
back as data. The test itself, what it expects and the points are here alone.
"""

import json
import os
import re
import select
import signal
import sys
import time
from contextlib import suppress

from svdicl_lite.classroom import sandbox
from svdicl_lite.classroom.assignment import Assignment, bound
from svdicl_lite.classroom.codec import Broken, Late
from svdicl_lite.classroom.flags import flags
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
        self.done, self.taken_out, self.errors, self.stopped = [], set(), {}, []
        self.outcomes = {}  # (question, position of a test) → None if passed, or why not
        self.learner, self.have = None, []

    def run(self) -> dict:
        """status, reason, questions, flags, stopped, errors, have (what the sandbox had)."""
        status, reason = "graded", ""
        try:
            self._begin()
            self._run_all()
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

    def _run_all(self):
        missing = [source for source in self.assignment.setup if source not in self.cells]
        for source in missing:
            self._cell(source, 0)
        checked = set()
        for number, source in enumerate(self.cells, 1):
            self._cell(source, number)
            for name in CHECK.findall(source):
                if name in self.assignment.questions:
                    self._mark(name)
                    checked.add(name)
        for name in self.assignment.questions:
            if name not in checked or self._answered_later(name):
                self._mark(name)
        # Only now, when every other mark stands: a function of the reference answers whoever asks.
        for name, question in self.assignment.questions.items():
            if question.builds_on:
                self._mark(name, question.builds_on)

    def _cell(self, source, number, again=False):
        """Runs a cell; if it ends the process or outlasts its time, starts again without it."""
        given = source in self.assignment.setup
        seconds = self.limits["cell_seconds"]
        seconds = max(SETUP_SECONDS, seconds) if given else seconds
        why = ""
        try:
            error = self._ask(seconds, "cell", source=source, given=given)
            if number and isinstance(error, list) and str(error[0]).isidentifier():
                self.errors[number] = f"cell {number} ended with a {error[0][:40]}"
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
        for source, number in self.done:
            if (source, number) not in self.taken_out:
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

    def _answered_later(self, name):
        """Whether a cell below the check of a question defines its answers (again)."""
        below = False
        for source in self.cells:
            if below and self.assignment.questions[name].answers & set(bound(source)):
                return True
            below = below or name in CHECK.findall(source)
        return False

    # The tests.

    def _mark(self, name, builds_on=()):
        question = self.assignment.questions[name]
        self._test_failing(question, builds_on)
        if self._failing(question) and not builds_on and self._put_back_given():
            self._test_failing(question, builds_on)

    def _failing(self, question):
        positions = range(len(question.tests))
        return [at for at in positions if self.outcomes.get((question.name, at), "") is not None]

    def _test_failing(self, question, builds_on):
        for at in self._failing(question):
            said = self._test(question.tests[at], builds_on)
            if said is None or (question.name, at) not in self.outcomes:
                self.outcomes[question.name, at] = said

    def _put_back_given(self):
        try:
            return bool(self._ask(10, "given"))
        except Exception:
            self._begin()
            return False

    def _test(self, test, builds_on):
        """None if a test passes, or in words why not."""
        seconds = self.limits["test_seconds"]
        if time.monotonic() > self.end_time:
            raise OutOfTime
        said = isolated(lambda: self._call_test(test, builds_on), seconds, self.limits["memory_gb"])
        try:
            if builds_on:
                self._ask(5, "put_back")
            self._ask(5, "forget")
            self.learner.mirror.forget()
        except Exception:  # gone, or in the middle of something: the next test finds a fresh one
            self._begin()
        return said

    def _call_test(self, test, builds_on):
        self.learner.end_time = time.monotonic() + self.limits["test_seconds"]
        names, mine = test.__code__.co_varnames[: test.__code__.co_argcount], self.assignment
        asked = [name for name in names if name in mine.answers]
        if builds_on:
            earlier = set().union(*(mine.questions[name].answers for name in builds_on))
            self.learner.ask("replace", names={name: mine.names[name] for name in sorted(earlier)})
        found = self.learner.ask("names", names=asked)
        values = {
            name: found.get(name) if name in asked else mine.names.get(name) for name in names
        }
        test(**values)

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
                    }
                )
            found[name] = {"score": score, "possible": question.possible, "tests": rows}
        return found

    def _flags(self):
        found = []
        for number, source in enumerate(self.cells, 1):
            if source not in self.assignment.setup:
                found += [f"cell {number}: {what}" for what in flags(source)]
        return found


def readable() -> list[str]:
    """The folders that a learner's process may read besides the system's programs."""
    import svdicl_lite

    folders = [sys.prefix, sys.base_prefix, os.path.dirname(svdicl_lite.__file__)]
    return [os.path.realpath(folder) for folder in folders] + folders


def isolated(call, seconds: float, memory_gb: float | None = None) -> str | None:
    """None if `call()` returns within `seconds` in a child process, or in words how it failed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            if memory_gb:
                sandbox.limit(memory_gb, 2**20, None)
            _silent()
            os.write(writer, (json.dumps(_said(call, seconds)) + "\n").encode())
        finally:
            os._exit(0)
    os.close(writer)
    text, end = b"", time.monotonic() + seconds + 1
    while not text.endswith(b"\n") and select.select([reader], [], [], _left(end))[0]:
        more = os.read(reader, 4096)
        if not more:
            break
        text += more
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reader)
    if text.endswith(b"\n"):
        return json.loads(text) or None
    return f"it took longer than {seconds:g} s" if time.monotonic() >= end else "the test crashed"


def _silent():
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


def _left(end):
    return max(0, end - time.monotonic())


def _said(call, seconds):
    try:
        call()
    except Late:
        return f"it took longer than {seconds:g} s"
    except Broken as error:
        return f"it ended the process that runs it, or answered nothing that can be read ({error})"
    except BaseException as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
    return ""
