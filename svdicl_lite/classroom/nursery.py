"""Starts learners' processes: one process that has imported what a notebook imports and waits, and
forks a fresh child for each submission, so that a start takes milliseconds.

`python -m svdicl_lite.classroom.nursery FD` is started by `marker`. It never sees a test.
"""

import contextlib
import importlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import tempfile

from svdicl_lite.classroom import sandbox
from svdicl_lite.classroom.runner import Runner, new_shell

WATCH_SECONDS = 0.1
REFUSED = (
    "this system lets root neither use namespaces nor hand Python to another user, and learners'"
    " code is not run as root; grade as an ordinary user or in a container"
)


def main(control: socket.socket) -> None:
    """Imports the modules that the first line over `control` names, then forks one keeper for each
    request.
    """
    sys.argv = ["notebook"]
    shell = new_shell()
    with control.makefile("rb") as lines:
        modules = json.loads(lines.readline())
    for name in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    control.send(b"+")
    while True:
        text, fds, *_ = socket.recv_fds(control, 2**16, 2)
        if not text:
            return
        if os.fork() == 0:
            control.close()
            pipe, leash = (socket.socket(fileno=fd) for fd in fds)
            keeper(shell, pipe, leash, json.loads(text))
            os._exit(0)
        for fd in fds:
            os.close(fd)


def keeper(shell, pipe, leash, limits: dict) -> None:
    """Keeps one learner's processes on a leash: when it is let go of, or they are done, or they
    take too much, all of them end, and only then does the leash's other end hear so.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    sandbox.prctl(sandbox.PR_SUBREAPER, 1)
    folder = tempfile.mkdtemp(prefix="svdicl-grade-")
    apart = limits["isolate"] and sandbox.enter_namespaces()
    child = os.fork()
    if child == 0:
        leash.close()
        _first(shell, pipe, folder, limits, apart)
        os._exit(0)
    pipe.close()
    reason = _watch(child, leash, limits)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    sandbox.end_all()
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        leash.send(reason.encode() or b"ended")


def _watch(child, leash, limits):
    """Until the child is gone or to be ended: why, in words, or ""."""
    while not os.waitpid(child, os.WNOHANG)[0]:
        if select.select([leash], [], [], WATCH_SECONDS)[0]:
            return ""
        if _memory() > 1.5 * limits["memory_gb"] * 2**30:
            return "it used too much memory"
    return ""


def _memory():
    total = 0
    for pid in sandbox.descendants():
        with (
            contextlib.suppress(OSError, IndexError, ValueError),
            open(f"/proc/{pid}/statm") as file,
        ):
            total += int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return total


def _first(shell, pipe, folder, limits, apart):
    """The first process of a sandbox: it narrows what can be seen, and waits for the learner's."""
    have = ["processes"] if apart else []
    if apart:
        with contextlib.suppress(OSError):
            sandbox.narrow_files(folder, limits["readable"], limits["disk_mb"])
            have += ["files", "network"]
    if "files" not in have:
        os.chdir(folder)
    if os.getuid() == 0 and ("files" in have or sandbox.all_may_read(limits["readable"])):
        os.chown(".", sandbox.NOBODY, sandbox.NOBODY)
        have.append("user")
    if os.getuid() == 0 and "user" not in have:
        Runner(shell, pipe).refuse(REFUSED)
        return
    if os.fork() == 0:
        home = os.getcwd()
        os.environ.update(HOME=home, TMPDIR="/tmp" if "files" in have else home)
        tempfile.tempdir = None
        if "user" in have or os.getuid():
            sandbox.become_nobody()
        most = limits["processes"] if {"processes", "user"} & set(have) else None
        sandbox.limit(limits["memory_gb"], limits["file_mb"], most)
        _silent(pipe)
        Runner(shell, pipe).serve(have)
        os._exit(0)
    pipe.close()
    with contextlib.suppress(ChildProcessError):
        os.wait()


def _silent(pipe):
    """No input, no output, and of the nursery's files only the pipe."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    held = pipe.detach()
    os.closerange(3, held)
    os.closerange(held + 1, 1024)
    pipe.__init__(fileno=held)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
