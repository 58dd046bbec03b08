"""Writes ONNX files: a few kilobytes of protobuf around the weights, so that no package is needed.

A message is a sequence of fields, each with the number that onnx.proto gives it. Of a graph we need
nodes, the weights (initializers), inputs and outputs; that is all that there is here.
"""

import numpy as np

FLOAT, INT64 = 1, 7  # onnx.proto, TensorProto.DataType
OPERATORS = 23  # the first version that has rotary positions, grouped queries and RMS norms
FORMAT = 10  # of the file, as far as this version of the operators goes

Shape = tuple[int | str, ...]  # a length that only an input tells has a name


def number(n: int) -> bytes:
    """A whole number as protobuf has it: seven bits a byte, the lowest first."""
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])


def field(place: int, value: int | float | str | bytes) -> bytes:
    """One field of a message; bytes are a text, raw data or a message of their own."""
    if isinstance(value, int):
        return number(place << 3) + number(value)
    if isinstance(value, float):
        return number(place << 3 | 5) + np.float32(value).tobytes()
    value = value.encode() if isinstance(value, str) else value
    return number(place << 3 | 2) + number(len(value)) + value


class Graph:
    """A graph in the making; what is put in is called by the name that comes back."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def op(self, kind: str, *inputs: str, **attributes: int | float) -> str:
        """Applies the operator `kind` of ONNX."""
        name = self._new_name(kind)
        self._node(kind, inputs, name, attributes)
        return name

    def constant(self, array: np.ndarray) -> str:
        """Weights, in single precision, or whole numbers."""
        name, whole = self._new_name("constant"), array.dtype == np.int64
        array = np.ascontiguousarray(array, "<i8" if whole else "<f4")
        shape = b"".join(field(1, n) for n in array.shape)
        kind = field(2, INT64 if whole else FLOAT)
        self._parts.append(field(5, shape + kind + field(8, name) + field(9, array.tobytes())))
        return name

    def whole(self, n: int) -> str:
        """The whole number n as a list of one."""
        return self.constant(np.array([n], np.int64))

    def input(self, name: str, shape: Shape, kind: int = FLOAT) -> str:
        """What is given when the graph is run."""
        self._parts.append(field(11, _told(name, shape, kind)))
        return name

    def output(self, of: str, name: str, shape: Shape) -> None:
        """What comes back when it is run."""
        self._node("Identity", (of,), name, {})
        self._parts.append(field(12, _told(name, shape, FLOAT)))

    def file(self) -> bytes:
        """The graph as an ONNX file."""
        graph = b"".join(self._parts) + field(2, "graph")
        return field(1, FORMAT) + field(7, graph) + field(8, field(2, OPERATORS))

    def _new_name(self, of: str) -> str:
        return f"{of} {len(self._parts)}"

    def _node(self, kind: str, inputs: tuple[str, ...], name: str, attributes: dict) -> None:
        node = b"".join(field(1, given) for given in inputs) + field(2, name) + field(4, kind)
        for key, value in attributes.items():
            place, type_ = (2, 1) if isinstance(value, float) else (3, 2)
            node += field(5, field(1, key) + field(place, value) + field(20, type_))
        self._parts.append(field(1, node))


def _told(name: str, shape: Shape, kind: int) -> bytes:
    lengths = b"".join(field(1, field(1 if isinstance(n, int) else 2, n)) for n in shape)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, lengths)))
