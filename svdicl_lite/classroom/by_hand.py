"""Questions that ask for a function by hand: the library's own is out of reach while they are
marked.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FunctionType


def _refused(*args, **kwargs):
    raise RuntimeError("this question asks to write it by hand, without the library's own function")


@contextmanager
def without(modules: list[str]) -> Iterator[None]:
    """The functions of these modules raise RuntimeError, by whatever name they were imported."""
    saved = []
    for name in modules:
        for value in list(vars(importlib.import_module(name)).values()):
            if isinstance(value, FunctionType) and value.__module__ == name:
                with suppress(ValueError):  # one with a closure stays as it is
                    code, value.__code__ = value.__code__, _refused.__code__
                    saved.append((value, code))
    try:
        yield
    finally:
        for function, code in saved:
            function.__code__ = code
