"""A word that helps with three slips that a failed check does not name."""

import ast

PRINTS = " ({name} prints its result, but only what `return` gives comes back to who called it)"
SINGLE = " (the answer came back in single precision, float32; double precision was handed in)"


def hint(said: str, cells: list[str], single: bool) -> str:
    """What to add to a failed check's words: "" for most."""
    name, nothing, _ = said.partition(" returns nothing yet")
    if nothing and any(_prints(source, name) for source in cells):
        return PRINTS.format(name=name)
    return SINGLE if single else ""


def _prints(source, name):
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            inside = list(ast.walk(node))
            called = (n.func for n in inside if isinstance(n, ast.Call))
            prints = any(isinstance(f, ast.Name) and f.id == "print" for f in called)
            return prints and not any(isinstance(n, ast.Return) for n in inside)
    return False


def is_single(answer: object, given: list) -> bool:
    """Whether an answer has single precision although all floats that were given have double."""
    kinds = {str(getattr(part, "dtype", "")).removeprefix("torch.") for part in given}
    found = str(getattr(answer, "dtype", "")).removeprefix("torch.")
    return found == "float32" and "float64" in kinds and "float32" not in kinds
