"""Plain data over a pipe: what may cross between the learner's process and the marker.

Numbers, strings, None, lists, tuples, sets, dicts, NumPy arrays: nothing that runs when it is read.
A message is a JSON document followed by the bytes of its arrays. Nothing is pickled, and whatever
does not fit what is expected raises `Broken`, so that a forged message is at worst a wrong answer.
"""

import json
import math
import select
import struct
import time

MOST_BYTES = 64 * 2**20
"""Of one message. A learner's answer that is larger counts as none."""

MOST_DEPTH = 40
_HEAD = struct.Struct("!IIQ")  # blobs, bytes of JSON, bytes in all
_ARRAY_KINDS = "biufcSU"


class Broken(Exception):
    """What came over the pipe is no message, or the other end is gone."""


class Late(Broken):
    """Nothing came over the pipe within its time."""


def send(pipe, document: dict, blobs: list[bytes]) -> None:
    """Sends a document with the bytes that it names by position."""
    text = json.dumps([[len(blob) for blob in blobs], document]).encode()
    size = len(text) + sum(map(len, blobs))
    if size > MOST_BYTES:
        raise Broken(f"a message of {size / 2**20:.0f} MB, at most {MOST_BYTES / 2**20:.0f} pass")
    try:
        pipe.sendall(b"".join([_HEAD.pack(len(blobs), len(text), size), text, *blobs]))
    except OSError as error:
        raise Broken(f"the pipe is closed ({error.strerror})") from None


def receive(pipe, end: float = math.inf) -> tuple[dict, list[bytes]]:
    """The next document and its bytes. Raises `Late` after `end` (monotonic), else `Broken`."""
    count, length, size = _HEAD.unpack(_read(pipe, _HEAD.size, end))
    if length > size or size > MOST_BYTES or count > 100_000:
        raise Broken("a message that is too large")
    data = _read(pipe, size, end)
    try:
        sizes, document = json.loads(data[:length])
        if not isinstance(document, dict) or len(sizes) != count:
            raise Broken("a message of another form")
        blobs, at = [], length
        for step in sizes:
            if not isinstance(step, int) or step < 0 or at + step > size:
                raise Broken("a message whose sizes do not add up")
            blobs.append(data[at : at + step])
            at += step
    except (ValueError, TypeError, RecursionError):
        raise Broken("a message that cannot be read") from None
    return document, blobs


def _read(pipe, size, end):
    parts, left = [], size
    while left:
        if end < math.inf:
            wait = max(0, end - time.monotonic())
            if not select.select([pipe], [], [], wait)[0]:
                raise Late("no answer in time")
        try:
            part = pipe.recv(min(left, 2**20))
        except OSError as error:
            raise Broken(f"the pipe is closed ({error.strerror})") from None
        if not part:
            raise Broken("the other end is gone")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


class Encoder:
    """Turns values into a JSON tree; bytes go to `blobs`.

    `special(value)` may give a tree for what is no plain data, or None.
    """

    def __init__(self, special=lambda value: None):
        self.special, self.blobs = special, []

    def blob(self, data: bytes) -> int:
        """The position at which these bytes travel."""
        self.blobs.append(data)
        return len(self.blobs) - 1

    def tree(self, value, depth: int = 0):
        """The tree of a value. A type that is not known becomes the name of its type."""
        if depth > MOST_DEPTH:
            raise Broken(f"a value with more than {MOST_DEPTH} lists in lists")
        if value is None or type(value) in (bool, str):
            return value.encode("utf-8", "replace").decode() if type(value) is str else value
        if type(value) is float:
            return value
        if type(value) is int:
            return value if abs(value) < 2**63 else {"int": hex(value)}
        if value is ...:  # an answer that was not filled in
            return {"blank": 0}
        if type(value) is complex:
            return {"complex": [value.real, value.imag]}
        if type(value) is bytes:
            return {"bytes": self.blob(value)}
        if (special := self.special(value)) is not None:
            return special
        return self._compound(value, depth)

    def _compound(self, value, depth):
        for kind, name in ((list, "list"), (tuple, "tuple"), (set, "set"), (frozenset, "set")):
            if isinstance(value, kind):
                return {name: [self.tree(part, depth + 1) for part in list(value)]}
        if isinstance(value, dict):
            pairs = []
            for key, part in list(value.items()):
                pairs.append([self.tree(key, depth + 1), self.tree(part, depth + 1)])
            return {"dict": pairs}
        if isinstance(value, range):
            return {"range": [value.start, value.stop, value.step]}
        if (array := self._array(value)) is not None:
            return array
        for kind in (bool, int, float, str):  # of a class of the learner's own: the value alone
            if isinstance(value, kind):
                return self.tree(kind(value), depth)
        return {"thing": type(value).__name__[:60]}

    def _array(self, value):
        import numpy as np

        if isinstance(value, np.generic):
            array = np.array(value)
            if array.dtype.kind in _ARRAY_KINDS:
                return {"scalar": [array.dtype.str, self.blob(array.tobytes())]}
        if isinstance(value, np.ndarray):
            array = np.asarray(value)
            if array.dtype.kind in _ARRAY_KINDS:
                shape = list(array.shape)
                return {"array": [array.dtype.str, shape, self.blob(array.tobytes())]}
            if array.dtype.kind == "O":
                return {"objects": [list(array.shape), self.tree(array.ravel().tolist(), 1)]}
        return None


class Decoder:
    """The way back. `special(tag, content)` gives what is no plain data, or raises `Broken`."""

    def __init__(self, blobs: list[bytes], special=None):
        self.blobs, self.special = blobs, special

    def value(self, tree, depth: int = 0):
        """The value of a tree; raises `Broken` for a tree that no `Encoder` makes."""
        if depth > 2 * MOST_DEPTH:
            raise Broken("a value that is too deep")
        if tree is None or isinstance(tree, (bool, int, float, str)):
            return tree
        if not isinstance(tree, dict) or len(tree) != 1:
            raise Broken("a value of no known form")
        ((tag, content),) = tree.items()
        try:
            return self._tagged(tag, content, depth + 1)
        except (ValueError, TypeError, IndexError, KeyError, OverflowError, MemoryError) as error:
            raise Broken(f"a value that cannot be read ({type(error).__name__})") from None

    def blob(self, position) -> bytes:
        """The bytes at a position."""
        if not isinstance(position, int) or not 0 <= position < len(self.blobs):
            raise Broken("bytes that did not come")
        return self.blobs[position]

    def _tagged(self, tag, content, depth):
        if tag in ("list", "tuple", "set"):
            kind = {"list": list, "tuple": tuple, "set": set}[tag]
            return kind([self.value(part, depth) for part in content])
        if tag == "dict":
            return {self.value(key, depth): self.value(part, depth) for key, part in content}
        if tag == "blank":
            return ...
        if tag == "int":
            return int(content, 16)
        if tag == "complex":
            return complex(*map(float, content))
        if tag == "bytes":
            return self.blob(content)
        if tag == "range":
            return range(*content)
        if tag in ("scalar", "array", "objects"):
            return self._array(tag, content, depth)
        if self.special is None:
            raise Broken("a value of no known form")
        return self.special(tag, content)

    def _array(self, tag, content, depth):
        import numpy as np

        if tag == "objects":
            shape, parts = content
            parts = self.value(parts, depth)
            if math.prod(shape) != len(parts):
                raise Broken("an array of another shape than it says")
            array = np.empty(len(parts), dtype=object)
            array[:] = parts
            return array.reshape(shape)
        dtype = np.dtype(str(content[0]))
        if dtype.kind not in _ARRAY_KINDS or dtype.itemsize == 0 and tag == "scalar":
            raise Broken("an array of no plain numbers")
        data = self.blob(content[-1])
        if tag == "scalar":
            return np.frombuffer(data, dtype=dtype, count=1)[0]
        return np.frombuffer(data, dtype=dtype).reshape(content[1]).copy()
