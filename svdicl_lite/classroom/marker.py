"""The marker: a process that holds the hidden tests and decides; no learner's code touches it.

`python -m svdicl_lite.classroom.marker AUTOGRADER` is started once for a batch. It loads the
assignment, starts a `nursery` for learners' processes, and then answers each line of its input, a
notebook with its limits as JSON, with a line of JSON, the result. Each is marked in a fork of its
own, so that nothing of one submission is left for the next.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from svdicl_lite.classroom import sandbox
from svdicl_lite.classroom.assignment import Assignment
from svdicl_lite.classroom.marking import Marking

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
KEPT = ("PATH", "LD_LIBRARY_PATH", "OMP_WAIT_POLICY")
ACCIDENT = "the grader itself ended"


def environment() -> dict[str, str]:
    """The variables of marker and nursery: none of the teacher's, one thread, no downloads."""
    env = {name: os.environ[name] for name in KEPT if name in os.environ}
    env |= dict.fromkeys(THREADS, "1")
    env |= {"LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    env |= {"MPLBACKEND": "agg", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    env |= {
        "CUDA_VISIBLE_DEVICES": "",
        "IPYTHONDIR": f"/tmp/svdicl-ipython-{os.getuid()}",
        "MPLCONFIGDIR": "/tmp",
    }
    return env | {"PYTHONPATH": str(Path(__file__).parents[2])}


class Marker:
    """The grader's handle of a marker's process."""

    def __init__(self, autograder: Path):
        command = [sys.executable, "-m", "svdicl_lite.classroom.marker", str(autograder.resolve())]
        self.log = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        self.process = subprocess.Popen(
            command,
            env=environment(),
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            start_new_session=True,
        )
        self.orders: Any = self.process.stdin
        self.answers: Any = self.process.stdout

    def mark(self, notebook: dict, limits: dict, seconds: float) -> dict:
        """The result of one notebook; an accident of the marker is one, too."""
        order = {"notebook": notebook, "limits": limits, "seconds": seconds}
        start = time.monotonic()
        try:
            self.orders.write(json.dumps(order).encode() + b"\n")
            self.orders.flush()
            found = json.loads(self.answers.readline())
        except (OSError, ValueError):
            self.log.seek(0)
            last = self.log.read().decode(errors="replace").strip().rpartition("\n")[2]
            found = stopped(f"{ACCIDENT}: {last[-200:]}")
        return found | {"seconds": round(time.monotonic() - start, 1)}

    def close(self) -> None:
        """Ends the process."""
        with contextlib.suppress(OSError):
            self.orders.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.answers.close()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def stopped(reason: str) -> dict:
    """The result of a submission that could not be marked to its end."""
    empty: dict[str, list[str]] = {name: [] for name in ("flags", "stopped", "errors", "have")}
    return {"status": "stopped", "reason": reason, "questions": {}, **empty}


def start_nursery() -> socket.socket:
    """A nursery, and the socket by which it takes orders. It ends when the socket is closed."""
    mine, theirs = socket.socketpair()
    command = [sys.executable, "-m", "svdicl_lite.classroom.nursery", str(theirs.fileno())]
    subprocess.Popen(
        command,
        env=environment(),
        cwd="/",
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    theirs.close()
    return mine


def mark_apart(assignment: Assignment, nursery, order: dict) -> dict:
    """The result of one order, made in a fork."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            os.setpgid(0, 0)
            with os.fdopen(writer, "w") as file:
                json.dump(_marked(assignment, nursery, order), file, ensure_ascii=True)
        finally:
            os._exit(0)
    os.close(writer)
    end = time.monotonic() + order["seconds"] + 120
    with os.fdopen(reader, "rb") as file:
        text = b""
        while select.select([file], [], [], max(0, end - time.monotonic()))[0]:
            more = os.read(file.fileno(), 2**16)
            if not more:
                break
            text += more
    for kill, target in ((os.killpg, child), (os.kill, child)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(target, signal.SIGKILL)
    os.waitpid(child, 0)
    try:
        return json.loads(text)
    except ValueError:
        return stopped(f"{ACCIDENT}: it did not come to an end")


def _marked(assignment, nursery, order):
    try:
        marking = Marking(assignment, nursery, order["notebook"], order["limits"], order["seconds"])
        return marking.run()
    except Exception as error:
        words = " ".join(str(error).split())[:200]
        return stopped(f"{ACCIDENT}: {type(error).__name__}: {words}")


def serve(autograder: Path) -> None:
    """Marks what comes in, a line each, until there is no more."""
    sandbox.prctl(sandbox.PR_DUMPABLE, 0)  # the same user's other processes cannot read its memory
    assignment = Assignment.of(autograder)
    nursery = start_nursery()
    # The learner's process needs what the reference and its tests had imported in the end.
    nursery.sendall(json.dumps(assignment.load()).encode() + b"\n")
    if not nursery.recv(1):
        raise RuntimeError("the nursery did not come up")
    for line in sys.stdin.buffer:
        result = mark_apart(assignment, nursery, json.loads(line))
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
