"""In the learner's process: runs the cells of a notebook, and calls what they defined when asked.

Whatever is done to this file's objects by the code it runs, the worst that comes of it is a wrong
answer: nothing here knows a test, and the marker takes what comes as data.
"""

import contextlib
import sys
import threading
import types

from svdicl_lite.classroom import otter_stand_in
from svdicl_lite.classroom.assignment import bound, lay_out
from svdicl_lite.classroom.by_hand import without
from svdicl_lite.classroom.codec import Broken
from svdicl_lite.classroom.mirror import Foreign, Mirror


def new_shell():
    """An IPython shell without history, whose names are those of a fresh `__main__`."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    otter_stand_in.install()
    settings = Config()
    settings.HistoryManager.enabled = False
    settings.InteractiveShell.colors = "nocolor"
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    shell = InteractiveShell.instance(config=settings, user_module=module)
    shell.enable_gui = lambda gui=None: None
    shell.system = shell.system_raw  # there is no terminal to be had
    return shell


class Callback:
    """A function of the marker, as the learner's code sees it."""

    foreign = None

    def __init__(self, runner, foreign: Foreign):
        self.runner, self.foreign, self.__name__ = runner, foreign, foreign.name

    def __call__(self, *args, **kwargs):
        """Asks the marker, and waits for what comes back."""
        message = {"op": "callback", "number": self.foreign.number}
        with self.runner.lock:
            self.runner.mirror.send(message, args=list(args), kwargs=kwargs)
            answer, values = self.runner.mirror.receive()
        if "error" in answer:
            raise RuntimeError("a function that was handed in raised an error")
        return values["value"]


class Runner:
    """Serves the marker over one pipe until it is closed."""

    def __init__(self, shell, pipe):
        self.shell, self.lock = shell, threading.RLock()
        self.mirror = Mirror(pipe, self._wrap, may_build=True, odd=True)
        self.allowed = None  # what gives the library's functions back
        self.given = {}  # names as the cells that were handed out left them

    def serve(self, have: list[str]) -> None:
        """Says what this sandbox has, then answers requests."""
        self.mirror.send({"op": "ready"}, value=have)
        while True:
            try:
                message, values = self.mirror.receive()
            except Broken:
                return
            self._answer(message, values)

    def refuse(self, why: str) -> None:
        """Says why there is no sandbox, and serves nobody."""
        self.mirror.send({"op": "ready"}, value=why)

    def _answer(self, message, values):
        reply = {"op": "answer", "nonce": message["nonce"]}
        try:
            value = getattr(self, f"_do_{message['op']}")(**values)
            self.mirror.send(reply, value=value)
        except BaseException as error:  # a learner's SystemExit as well: it is an answer
            self._answer_error(reply, error)

    def _answer_error(self, reply, error):
        words = "its message cannot be printed"
        with contextlib.suppress(BaseException):
            words = " ".join(str(error).split())[:500]
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
        told = {"name": type(error).__name__[:60], "kind": kinds[0], "words": words}
        self.mirror.send(reply | {"error": True}, value=told)

    def _do_lay_out(self, files):
        """Puts the files of the handout beside the notebook."""
        lay_out(files)

    def _do_cell(self, source, given=False):
        """Runs a cell; the name of the error that ended it, or None."""
        done = self.shell.run_cell(source)
        error = done.error_before_exec or done.error_in_exec
        if given:
            names = self.shell.user_ns
            self.given |= {name: names[name] for name in bound(source) if name in names}
        return None if error is None else [type(error).__name__, _words(error)]

    def _do_given(self):
        """Puts back what the cells that were handed out had defined: which names were others."""
        names = self.shell.user_ns
        changed = [name for name, value in self.given.items() if names.get(name) is not value]
        names.update(self.given)
        return changed

    def _do_names(self, names):
        found = self.shell.user_ns
        return {name: found.get(name) for name in names}

    def _do_replace(self, names):
        """Puts functions of the marker in the place of answers; `put_back` takes them out."""
        before = {name: self.shell.user_ns.get(name) for name in names}
        self.shell.user_ns.update(names)
        self.replaced = before

    def _do_put_back(self):
        self.shell.user_ns.update(self.replaced)

    def _do_without(self, modules):
        self.allowed = without(modules)
        self.allowed.__enter__()

    def _do_forget(self):
        self.mirror.forget()
        if self.allowed:
            self.allowed.__exit__(None, None, None)
            self.allowed = None

    def _do_call(self, number, args, kwargs):
        return self.mirror.served[number](*args, **kwargs)

    def _do_enter(self, number):
        return self.mirror.served[number].__enter__()

    def _do_leave(self, number, error=None, words=""):
        kind = getattr(__import__("builtins"), error) if error else None
        raised = kind(words) if kind else None
        return bool(self.mirror.served[number].__exit__(kind, raised, None))

    def _wrap(self, foreign, kind):
        return Callback(self, foreign)


def _words(error):
    with contextlib.suppress(BaseException):
        if isinstance(error, SyntaxError):
            return f"{error.msg} in line {error.lineno}"
        return " ".join(str(error).split())[:200]
    return ""
