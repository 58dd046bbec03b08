"""What the commands share: work is done between a journal and its workers, an error becomes one
sentence. Taught in chapter 15.
"""

import atexit
import errno
import gc
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:  # takes long to import
    from svdicl_lite.cli.report import Report

Work = Callable[[Any, Any], "Report"]
"""Does what the command is for, with a journal and a map."""

CANNOT_BE_DONE = (
    ValueError,
    IndexError,
    TypeError,
    OSError,
    ImportError,
    MemoryError,
    RuntimeError,
)


OF_FILES = {
    errno.EEXIST: "is there already, and no folder",
    errno.ENOTDIR: "would lie in something that is no folder",
    errno.EISDIR: "is a folder, where a file is wanted",
    errno.ENAMETOOLONG: "is longer than a name may be",
    errno.ELOOP: "is a link that leads to itself",
}
"""What is wrong with a path that was named, by the error's number."""


def run(
    command: str,
    work: Work,
    as_json: bool,
    out: Path | None = None,
    identity: Callable[[], dict[str, Any]] | None = None,
    judges: dict[str, Callable[[], Any]] | None = None,
    journal: Path | None = None,
    workers: str | None = None,
) -> None:
    """Does `work(journal, map)` and delivers its report. Broken off, it shows what is finished of
    what `judges` judge.
    """
    start = time.monotonic()
    # The end would look once more through a million objects of torch's and transformers' for
    # garbage: a second.
    atexit.register(gc.freeze)
    try:
        with _told_once(command):
            report, code = _reported(work, out, identity, judges or {}, journal, workers)
        report.deliver(command, time.monotonic() - start, as_json, out)
    except KeyboardInterrupt:  # while torch was being imported, or a second one
        print(f"svdicl {command}: interrupted", file=sys.stderr)
        code = 130
    except CANNOT_BE_DONE as error:
        print(f"svdicl {command}: {_sentence(error)}", file=sys.stderr)
        code = 1
    raise typer.Exit(code)


@contextmanager
def _told_once(command: str) -> Iterator[None]:
    """Inside, a warning is a sentence on stderr, said once, without the file that gave it."""
    said: set[str] = set()

    def show(message: Warning | str, *where: Any) -> None:
        if str(message) not in said:
            said.add(str(message))
            print(f"svdicl {command}: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show  # type: ignore[assignment]
        yield


def _reported(
    work: Work,
    out: Path | None,
    identity: Callable[[], dict[str, Any]] | None,
    judges: dict[str, Callable[[], Any]],
    journal: Path | None,
    workers: str | None,
) -> tuple["Report", int]:
    """The report, whole or of what was finished by a ctrl-C, and the exit code."""
    from svdicl_lite.cli import report as reporting
    from svdicl_lite.cli.output import check_folder
    from svdicl_lite.search.journal import Journal
    from svdicl_lite.search.workers import workers as working

    if out is not None:
        check_folder(out)
        for name in reporting.FILES:
            if journal is not None and journal.resolve() == (out / name).resolve():
                raise ValueError(
                    f"--journal is {str(journal)!r}, where --out would write its {name}; name"
                    " another file"
                )
    kept = None
    try:
        named = identity() if journal is not None and identity is not None else {}
        with working(workers) as map, Journal(journal, named) as kept:
            return work(kept, map), 0
    except KeyboardInterrupt:
        return reporting.partial(kept, judges), 130


def _sentence(error: BaseException) -> str:
    """What cannot be done, in one line. Raises the error itself if it is a fault of ours."""
    if isinstance(error, RuntimeError) and "memory" not in str(error):
        raise error  # torch says of any device by a RuntimeError that its memory is full
    if isinstance(error, (MemoryError, RuntimeError)):
        reason = str(error).partition(". ")[0][:160]
        return f"out of memory ({reason}); take fewer --shots, another --device, or a smaller model"
    if isinstance(error, OSError) and error.errno in OF_FILES and isinstance(error.filename, str):
        name = repr(error.filename)
        name = name if len(name) <= 80 else f"{name[:77]}…'"
        return f"{name} {OF_FILES[error.errno]} ({error.strerror}); name another"
    return " ".join(str(error).split())
