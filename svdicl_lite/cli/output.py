"""What a command leaves behind: files that are whole or not there, and text that any terminal can
show. Taught in chapter 15.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree

IN_ASCII = str.maketrans(
    {"ξ": "xi", "σ": "sigma", "→": "->", "←": "<-", "−": "-", "×": "x", "…": "...", "–": "-"}
)


def check_folder(folder: Path) -> None:
    """Makes the folder, and raises OSError with its name if nothing can be written into it: better
    now than after the work.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "result.json.try", "\n")
    (folder / "result.json.try").unlink()


def write_whole(path: Path, text: str) -> None:
    """Writes the file as a whole or not at all; raises OSError with its name."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(unfinished, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from None


UNFINISHED = ".unfinished"


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into, whose files stand in `folder` afterwards; if anything fails, none
    does, and `folder` is as empty, or as little there, as it was. Raises FileExistsError if there
    is something in it.
    """
    was_there = folder.exists()
    if was_there and (not folder.is_dir() or any(f.name != UNFINISHED for f in folder.iterdir())):
        raise FileExistsError(
            f"{str(folder)!r} is there already and not an empty folder; name another --out"
        )
    unfinished = folder / UNFINISHED
    rmtree(unfinished, ignore_errors=True)  # of a run that was killed
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        for file in unfinished.iterdir():
            file.rename(folder / file.name)
        unfinished.rmdir()
    except BaseException:
        rmtree(unfinished, ignore_errors=True)
        if not was_there:
            folder.rmdir()
        raise


def encodable(text: str, encoding: str | None) -> str:
    """The text, or, where the encoding has not all of it, the same in other letters."""
    try:
        text.encode(encoding or "utf-8")
        return text
    except UnicodeEncodeError:
        other = text.translate(IN_ASCII)
        return other.encode(encoding or "ascii", "backslashreplace").decode(encoding or "ascii")


def show(text: str) -> None:
    """Writes to stdout. Nothing is said if nobody reads on, as before `| head`; raises OSError if
    what was meant to hold it is full.
    """
    try:
        sys.stdout.write(encodable(text, sys.stdout.encoding) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_what_is_left()
    except OSError as error:
        _drop_what_is_left()
        raise OSError(error.errno, error.strerror, "standard output") from None


def _drop_what_is_left() -> None:
    """Otherwise Python tries it once more at its end, and fails again."""
    with suppress(OSError, ValueError):  # it may be no file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
