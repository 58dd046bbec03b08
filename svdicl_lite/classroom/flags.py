"""What in a cell a person should look at. A flag takes no point and hides no message: marks are
computed where the cells cannot reach.
"""

import ast

REACHING = {
    "builtins",
    "ctypes",
    "gc",
    "posix",
    "psutil",
    "ptrace",
    "requests",
    "signal",
    "socket",
    "subprocess",
    "svdicl_lite.classroom",
    "urllib",
}
"""Modules by which code reaches out of a notebook."""

TRICKS = {
    "__builtins__",
    "__subclasses__",
    "_exit",
    "_getframe",
    "abort",
    "fork",
    "kill",
    "posix_spawn",
    "set_trace",
    "setprofile",
    "settrace",
    "system",
}
"""Names of which no answer has a use."""

LIBRARIES = {"np", "numpy", "torch", "math", "sys", "os", "transformers", "scipy"}


def flags(source: str) -> list[str]:
    """The flags of a cell, in words, each once; none for a cell that cannot be read."""
    plain = [line for line in source.splitlines(True) if not line.lstrip().startswith(("%", "!"))]
    try:
        tree = ast.parse("".join(plain))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found = [word for node in ast.walk(tree) for word in _of_node(node)]
    if any(line.lstrip().startswith("!") for line in source.splitlines()):
        found.append("runs a shell command")
    return list(dict.fromkeys(found))


def _of_node(node):
    if isinstance(node, ast.Import):
        return [f"imports {alias.name}" for alias in node.names if _reaches(alias.name)]
    if isinstance(node, ast.ImportFrom):
        return [f"imports from {node.module}"] if _reaches(node.module or "") else []
    if isinstance(node, ast.Name) and node.id in TRICKS:
        return [f"uses {node.id}"]
    if isinstance(node, ast.Attribute) and node.attr in TRICKS:
        return [f"uses {node.attr}"]
    if isinstance(node, ast.Assign):
        return [f"replaces {ast.unparse(target)}" for target in node.targets if _of_library(target)]
    return []


def _reaches(module):
    return any(module == name or module.startswith(f"{name}.") for name in REACHING)


def _of_library(target):
    root = target
    while isinstance(root, ast.Attribute):
        root = root.value
    named = isinstance(target, ast.Attribute) and isinstance(root, ast.Name)
    return named and root.id in LIBRARIES
