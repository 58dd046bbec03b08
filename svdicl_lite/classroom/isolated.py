"""A call in a process of its own, which may loop, crash or fill its memory."""

import json
import os
import select
import signal
import time
from contextlib import suppress

from svdicl_lite.classroom import sandbox
from svdicl_lite.classroom.codec import Broken, Late


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
