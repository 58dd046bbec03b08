"""Who does the work of a search: this process, several on this machine, or a cluster.

`judged`, `search_clip_rate` and `sweep` take any `map` that gives results in order, as
`concurrent.futures` does; here are two. What is shared out are layers, so a search of one layer
gains nothing. Taught in chapter 15.
"""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

import torch

from svdicl_lite.search.cells import Map

SECONDS_TO_CONNECT = 5


@contextmanager
def workers(spec: int | str | None) -> Iterator[Map | None]:
    """A context that yields the `map=` of a search.

    None: none, the work is done here. A number N: N processes on this machine, each with its own
    model and a share of the processor cores. "dask://HOST:PORT": the workers of a dask scheduler,
    to which the model's name must mean the same. Left early, by an error or by ctrl-C, unfinished
    work is dropped. Raises ValueError for any other `spec`, ConnectionError for a scheduler that
    does not answer, ImportError where `distributed` is not installed, ChildProcessError if a
    process was killed.
    """
    text = str(spec)
    if spec is None:
        yield None
    elif text.isascii() and text.isdecimal() and int(text) > 0:
        most = 4 * (os.cpu_count() or 1)
        if int(text) > most:
            raise ValueError(
                f"workers is {spec!r}, but each takes the memory of a model, and this machine has"
                f" {os.cpu_count()} cores; take {most} or fewer"
            )
        with _processes(int(text)) as map:
            yield map
    elif text.startswith("dask://"):
        with _cluster(text.removeprefix("dask://")) as map:
            yield map
    else:
        raise ValueError(
            f"workers is {spec!r}, but must be a number of processes, 1 or more, or the address of"
            " a scheduler, as in dask://10.0.0.5:8786"
        )


@contextmanager
def _processes(n: int) -> Iterator[Map]:
    context = get_context("spawn")  # a fork would take over locks that threads of torch may hold
    theirs, ours = context.Pipe(duplex=False)
    share = max(1, torch.get_num_threads() // n)
    pool = ProcessPoolExecutor(n, context, _begin, (theirs, share))
    try:
        with _without_ctrl_c():
            for _ in range(n):
                pool.submit(int)  # nothing to do, but a process is started for each
        yield pool.map
    except BrokenProcessPool:
        raise ChildProcessError(
            f"one of {n} worker processes was killed, perhaps for want of memory, which each takes"
            " for a model; try fewer"
        ) from None
    except BaseException:
        ours.close()  # they end at once, rather than after the layer they are at
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        ours.close()


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Processes that are started within never hear a ctrl-C, which a terminal sends to all: it is
    for the parent, which then closes their pipe. (They could ignore it themselves only after they
    have imported what says so.) One that comes within reaches the parent afterwards.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(parent: Connection, n_threads: int) -> None:
    """A worker's first act: to see to it that it ends when its parent does, even by `kill -9`."""
    torch.set_num_threads(n_threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be blocked

    def end() -> None:
        parent.poll(None)  # returns when the other end of the pipe is closed, by whatever cause
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()


@contextmanager
def _cluster(address: str) -> Iterator[Map]:
    try:
        from distributed import Client
    except ImportError:
        raise ImportError(
            "workers of dask need the package distributed: pip install 'svdicl-lite[dask]'"
        ) from None
    host, _, port = address.rpartition(":")
    try:
        # a Client of nobody may wait for ever
        socket.create_connection((host, int(port)), SECONDS_TO_CONNECT).close()
        client = Client(f"tcp://{address}", timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError, OverflowError) as error:
        reason = str(error).splitlines()[0][:120] if port.isdecimal() else "it is no HOST:PORT"
        raise ConnectionError(
            f"no scheduler answers at dask://{address} ({reason}); start one there with `dask"
            " scheduler`, or leave workers out"
        ) from None
    with client:
        yield client.get_executor(pure=False).map
