"""What `import otter` gives notebooks and the tests' files while they are graded: the names that
they use, and nothing that marks. The checks are run elsewhere, by the marker.
"""

import sys
import types
from importlib.machinery import ModuleSpec
from typing import Any


class Notebook:
    """Takes every call that a notebook makes to otter's."""

    def __init__(self, *_, **__):
        pass

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: None


def test_case(points=None, hidden=False, failure_message=None, success_message=None, name=None):
    """Otter's decorator of a test: it remembers its settings on the function."""

    def decorate(function):
        function.points, function.hidden = points, hidden
        function.failure_message = failure_message or ""
        return function

    return decorate


def install() -> None:
    """Puts these names in the place of otter, in this process."""
    module: Any = types.ModuleType("otter")
    files: Any = types.ModuleType("otter.test_files")
    module.Notebook, module.test_files, files.test_case = Notebook, files, test_case
    for made in (module, files):  # importlib.util.find_spec asks for it
        made.__spec__ = ModuleSpec(made.__name__, None)
    sys.modules |= {"otter": module, "otter.test_files": files}
