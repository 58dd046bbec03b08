"""Questions that ask for a function by hand: the library's own is out of reach while they are
marked.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FunctionType
from typing import Any


def _refused(*args, **kwargs):
    raise RuntimeError("this question asks to write it by hand, without the library's own function")


@contextmanager
def without(modules: list[str]) -> Iterator[None]:
    """The functions of these modules raise RuntimeError, by whatever name they were imported; a
    module that was not imported yet cannot be.
    """
    saved, absent = [], [name for name in modules if name not in sys.modules]
    for name in modules:
        for value in list(vars(sys.modules.get(name, object)).values()):
            if isinstance(value, FunctionType) and value.__module__ == name:
                with suppress(ValueError):  # one with a closure stays as it is
                    code, value.__code__ = value.__code__, _refused.__code__
                    saved.append((value, code))
    loaded: dict[str, Any] = sys.modules  # None: an import of it is refused
    loaded |= dict.fromkeys(absent)
    try:
        yield
    finally:
        for function, code in saved:
            function.__code__ = code
        for name in absent:
            del sys.modules[name]
