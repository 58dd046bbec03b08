"""The marker's end of one learner's process."""

import json
import secrets
import socket
import time
from contextlib import suppress

from svdicl_lite.classroom.codec import Broken, Late
from svdicl_lite.classroom.hints import is_single
from svdicl_lite.classroom.mirror import Foreign, Mirror

FORGED_AT_MOST = 1000  # messages in a row that answer nothing that was asked


class LearnersError(Exception):
    """An error of the learner's code that has no name among Python's own."""


class RemoteFunction:
    """A function of the learner: called here, it runs there, and what comes back is data."""

    foreign = None

    def __init__(self, learner, foreign: Foreign):
        self.learner, self.foreign, self.__name__ = learner, foreign, foreign.name

    def __call__(self, *args, **kwargs):
        """Calls it there."""
        asked = {"number": self.foreign.number, "args": list(args), "kwargs": kwargs}
        answer = self.learner.ask("call", **asked)
        self.learner.single = self.learner.single or is_single(answer, [*args, *kwargs.values()])
        return answer


class RemoteContext:
    """A context manager of the learner."""

    foreign = None

    def __init__(self, learner, foreign: Foreign):
        self.learner, self.foreign = learner, foreign

    def __enter__(self):
        return self.learner.ask("enter", number=self.foreign.number)

    def __exit__(self, kind, error, trace):
        told = {"error": kind.__name__, "words": str(error)} if kind else {}
        return self.learner.ask("leave", number=self.foreign.number, **told) is True


class Learner:
    """One learner's process: `ask` it, `end` it. `end_time` bounds every answer."""

    def __init__(self, nursery: socket.socket, limits: dict):
        pipe, theirs = socket.socketpair()
        leash, keepers = socket.socketpair()
        socket.send_fds(nursery, [json.dumps(limits).encode()], [theirs.fileno(), keepers.fileno()])
        theirs.close()
        keepers.close()
        self.pipe, self.leash = pipe, leash
        self.single = False  # whether an answer came back in less precision than it was given
        self.mirror = Mirror(pipe, self._wrap, may_build=False, odd=False)
        self.end_time = time.monotonic() + 60
        try:
            message, values = self.mirror.receive(self.end_time)
        except Broken as error:
            self.end()
            raise RuntimeError(f"no process for the learner came up: {error}") from None
        if isinstance(values["value"], str):
            self.end()
            raise RuntimeError(values["value"])
        self.have = values["value"]

    def ask(self, op: str, **values):
        """What the learner's process answers: data. Errors of its code are raised here."""
        nonce = secrets.token_hex(8)
        self.mirror.send({"op": op, "nonce": nonce}, **values)
        for _ in range(FORGED_AT_MOST):
            message, found = self.mirror.receive(self.end_time)
            if message.get("op") == "callback":
                self._serve(message, found)
            elif message.get("op") == "answer" and message.get("nonce") == nonce:
                if message.get("error"):
                    _raise(found["value"])
                return found["value"]
        raise Broken("answers to nothing that was asked")

    def end(self) -> str:
        """Ends everything that the learner's process started, and waits for it: why it had ended
        before, in words, or "".
        """
        self.pipe.close()
        reason = b""
        with suppress(OSError):
            self.leash.shutdown(socket.SHUT_WR)
            self.leash.settimeout(30)
            reason = self.leash.recv(200)
            while self.leash.recv(200):  # until the keeper itself is gone
                pass
        self.leash.close()
        return reason.decode().replace("ended", "")

    def _serve(self, message, found):
        reply = {"op": "reply"}
        try:
            function = self.mirror.served[message["number"]]
            value = function(*found["args"], **found["kwargs"])
        except (Late, Broken):
            raise
        except Exception:
            reply, value = reply | {"error": True}, None
        self.mirror.send(reply, value=value)

    def _wrap(self, foreign, kind):
        return (RemoteContext if kind == "context" else RemoteFunction)(self, foreign)


def _raise(told):
    """Raises Python's own error of the name that was told, and none that would end this process."""
    import builtins

    words = str(told.get("words", ""))[:500]
    kind = getattr(builtins, str(told.get("kind")), None)
    name = str(told.get("name"))
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        raise LearnersError(f"{name}: {words}")
    try:
        raised = kind(words)
    except TypeError:  # UnicodeDecodeError and its like want more than words
        raised = LearnersError(f"{name}: {words}")
    raise raised
