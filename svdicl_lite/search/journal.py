"""A journal of finished work: one line of JSON for each, added as soon as it is done, so that no
crash costs more than one cell.

The first line says what the search is of (`Experiment.identity`); a journal of another search is
refused, and so is a second process. A last line that a crash tore is dropped. Taught in chapter 13.
"""

import json
import os
from collections.abc import Iterator
from operator import index
from pathlib import Path

import numpy as np


class Journal:
    """The scores of finished cells in a file, by key. Use it in a `with`; nobody else can open it
    meanwhile.

    `identity` names the search (a dict that JSON can hold). Without a `path` nothing is written,
    only remembered. Raises ValueError if the file tells of another search, is no journal, or is
    damaged before its last line; BlockingIOError if another process has it open.
    """

    def __init__(self, path: str | Path | None, identity: dict):
        self.file, self.scores = None, {}
        if path is None:
            return
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = open(self.path, "a+b")  # noqa: SIM115  held open, and locked, until close
        try:
            self._lock()
            self.scores = self._read(identity)
        except BaseException:
            self.file.close()
            raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def close(self) -> None:
        if self.file is not None:
            self.file.close()

    def entries(self) -> Iterator[tuple[dict, np.ndarray]]:
        """(key, scores) of all that is finished, in the order in which it was."""
        return ((json.loads(text), scores) for text, scores in self.scores.items())

    def get(self, key: dict) -> np.ndarray | None:
        """The scores (N, C) of this key, if they are there, bit for bit."""
        return self.scores.get(_text(key))

    def add(self, key: dict, scores: np.ndarray) -> None:
        """Writes the scores (N, C, float32) of a finished key through to the disk."""
        rows = [
            [float(str(value)) for value in row] for row in np.asarray(scores, dtype=np.float32)
        ]  # shortest digits that are exact
        self.scores[_text(key)] = np.asarray(scores, dtype=np.float32)
        if self.file is not None:
            self._write({"key": key, "scores": rows})

    def _write(self, entry: dict) -> None:
        self.file.write(json.dumps(entry, default=index).encode() + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())

    def _lock(self) -> None:
        import fcntl  # not on Windows, where all but journals works

        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(
                f"the journal {self.path} is in use by another process; wait for it, or name"
                " another file"
            ) from None

    def _read(self, identity: dict) -> dict[str, np.ndarray]:
        self.file.seek(0)
        *lines, torn = self.file.read().split(b"\n")
        if not lines and json.dumps(identity).encode().startswith(
            torn
        ):  # new, or torn in its first line
            self.file.truncate(0)
            self._write(identity)
            return {}
        try:
            written, *entries = (json.loads(line) for line in lines)
            scores = {
                _text(entry["key"]): np.array(entry["scores"], dtype=np.float32)
                for entry in entries
            }
        except (
            ValueError,
            KeyError,
            TypeError,
        ):  # nothing has been written yet: this may be any file
            raise ValueError(
                f"{self.path} is no journal of a search, or is damaged before its last line; name"
                " another file"
            ) from None
        wanted = json.loads(json.dumps(identity))
        if written != wanted:
            written = written if isinstance(written, dict) else {}
            differ = (
                name
                for name in {**wanted, **written}
                if name not in wanted or name not in written or written[name] != wanted[name]
            )
            other = next(differ, "content")
            raise ValueError(
                f"the journal {self.path} is of another search (it differs in {other!r}); name"
                " another file"
            )
        if torn:
            self.file.truncate(sum(len(line) + 1 for line in lines))
        return scores


def _text(key: dict) -> str:
    return json.dumps(key, sort_keys=True, default=index)  # layers may be numpy's numbers
