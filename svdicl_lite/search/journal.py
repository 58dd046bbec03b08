"""A journal of finished work: one line of JSON for each, added as soon as it is done, so that no
crash costs more than one cell.

The first line says what the search is of (`Experiment.identity`); a journal of another search is
refused, and so are a second process and a line that was changed after it was written. A last line
that a crash tore is dropped. Taught in chapter 15.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from io import FileIO
from operator import index
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]  # (N, C)
Key = dict[str, Any]
NO_JOURNAL = (ValueError, KeyError, TypeError, RecursionError, OverflowError)
"""What reading a line may end in that no journal has written."""


class Journal:
    """The scores of finished cells in a file, by key. Use it in a `with`; nobody else can open it
    meanwhile.

    `identity` names the search (a dict that JSON can hold). Without a `path` nothing is written,
    only remembered. Raises ValueError if the file tells of another search, is no journal, is no
    file at all but a device or a pipe, or is damaged before its last line; BlockingIOError if
    another process has it open; OSError, with its name, if it cannot be read or written.
    """

    def __init__(self, path: str | Path | None, identity: dict[str, Any]):
        self.scores: dict[str, Scores] = {}
        self.file: FileIO | None = None
        if path is None:
            return
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and not (self.path.is_file() or self.path.is_dir()):
            # A device may have no end, and a pipe no beginning.
            raise ValueError(f"the journal {self.path} is a device or a pipe; name a file")
        # Unbuffered: what did not fit on the disk is not tried again when the file is closed.
        self.file = open(self.path, "a+b", buffering=0)  # noqa: SIM115  locked until close
        try:
            _lock(self.file, self.path)
            self.scores = self._read(self.file, identity)
        except BaseException:
            self.file.close()
            raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file, which another process may open then."""
        if self.file is not None:
            self.file.close()

    def entries(self) -> Iterator[tuple[Key, Scores]]:
        """(key, scores) of all that is finished, in the order in which it was."""
        return ((json.loads(text), scores) for text, scores in self.scores.items())

    def get(self, key: Key) -> Scores | None:
        """The scores (N, C) of this key, if they are there, bit for bit."""
        return self.scores.get(_text(key))

    def add(self, key: Key, scores: NDArray[Any]) -> None:
        """Writes the scores (N, C, float32) of a finished key through to the disk."""
        scores = np.asarray(scores, dtype=np.float32)
        self.scores[_text(key)] = scores
        if self.file is not None:
            # str has the shortest digits that are exact
            rows = [[float(str(value)) for value in row] for row in scores]
            read_back = np.array(rows, dtype=np.float32)  # a NaN's sign is lost in between
            entry = {"key": key, "scores": rows, "digest": _digest(_text(key), read_back)}
            self._write(self.file, entry)

    def _write(self, file: FileIO, entry: dict[str, Any]) -> None:
        line = json.dumps(entry, default=index).encode() + b"\n"
        try:
            while line:
                line = line[file.write(line) or 0 :]
            os.fsync(file.fileno())
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from None

    def _read(self, file: FileIO, identity: dict[str, Any]) -> dict[str, Scores]:
        """The scores that the file holds, after its first line has been found to be `identity`."""
        file.seek(0)
        *lines, torn = file.read().split(b"\n")
        is_new = not lines and json.dumps(identity).encode().startswith(torn)
        if is_new:  # or torn in its first line
            file.truncate(0)
            self._write(file, identity)
            return {}
        try:
            written, *entries = (json.loads(line) for line in lines)
            scores = dict(map(_checked, entries))
        except NO_JOURNAL:  # nothing was written yet: it may be any file
            raise ValueError(
                f"{self.path} is no journal of a search, or is damaged before its last line; name"
                " another file"
            ) from None
        wanted = json.loads(json.dumps(identity))
        if written != wanted:
            raise ValueError(
                f"the journal {self.path} is of another search (it differs in"
                f" {_difference(written, wanted)!r}); name another file"
            )
        if torn:
            file.truncate(sum(len(line) + 1 for line in lines))
        return scores


def _lock(file: FileIO, path: Path) -> None:
    import fcntl  # not on Windows, where all but journals works

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BlockingIOError(
            f"the journal {path} is in use by another process; wait for it, or name another file"
        ) from None


def _checked(entry: dict[str, Any]) -> tuple[str, Scores]:
    """Key and scores of a line. Raises ValueError if they are not what was written."""
    key, scores = _text(entry["key"]), np.array(entry["scores"], dtype=np.float32)
    if entry["digest"] != _digest(key, scores):
        raise ValueError("this line was changed after it was written")
    return key, scores


def _difference(written: Any, wanted: dict[str, Any]) -> str:
    """The first thing in which two identities differ."""
    if not isinstance(written, dict):
        return "content"
    for name in {**wanted, **written}:
        if name not in wanted or name not in written or written[name] != wanted[name]:
            return str(name)
    return "content"


def _digest(key: str, scores: Scores) -> str:
    """Of one line: a column that is gone, or a number that is another, shows."""
    shaped = f"{key} {scores.shape} ".encode() + scores.astype("<f4").tobytes()
    return hashlib.sha256(shaped).hexdigest()[:16]


def _text(key: Key) -> str:
    return json.dumps(key, sort_keys=True, default=index)  # layers may be numpy's numbers
