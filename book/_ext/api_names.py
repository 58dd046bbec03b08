"""What a page of the module begins with: a table of its names, each with the first sentence of what
it says of itself, under the file that it is imported from; and a line below each file's heading
with the way to import it and its source.
"""

import ast
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from docutils.utils import column_width

ROOT = Path(__file__).parents[2]
# The end of a sentence, but not that of e.g., et al. or v1.
SENTENCE = re.compile(r"(?<!e\.g)(?<!i\.e)(?<!\bal)(?<!\bvs)\.(?=\s+[A-Z‖(`]|$)")
BRANCH = "blob/main"


def module_of(path: Path) -> str:
    """The address of a file in Python: svdicl_lite.clipping.svd."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def summary(docstring: str) -> str:
    """The first sentence, in one line."""
    text = " ".join(docstring.partition("\n\n")[0].split())
    end = SENTENCE.search(text)
    return text[: end.start()] if end else text.removesuffix(".")


def names(path: Path) -> dict[str, str]:
    """The public names of a file that say something of themselves → what they say, as ordered."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    found = {}
    for node, after in zip(body, [*body[1:], ast.Pass()]):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            name, told = node.name, ast.get_docstring(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            name, told = ast.unparse(target), _string(after)
        else:
            continue
        if told and name.isidentifier() and not name.startswith("_"):
            found.setdefault(name, told)
    return {name: told for name, told in found.items() if name in _offered(body, found)}


def _offered(body: list[ast.stmt], found: Iterable[str]) -> Iterable[str]:
    """The names in `__all__`, where a file has one."""
    for node in body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return found


def _string(node: ast.stmt) -> str | None:
    """What a string says that stands alone, as one below a constant does."""
    value = node.value if isinstance(node, ast.Expr) else None
    return value.value if isinstance(value, ast.Constant) and type(value.value) is str else None


def names_table(files: dict[Path, dict[str, str]], set_: Callable[[str], str]) -> str:
    """A table in reStructuredText: a row a name, below the file that it comes from.

    `files`: file → name or address → what it says of itself; `set_` makes a sentence fit for it.
    """
    rows: list[tuple[str, str | None]] = []
    above = ""
    for path, told in files.items():
        for name, text in told.items():
            address = name if "." in name else f"{module_of(path)}.{name}"
            source, _, label = address.rpartition(".")
            if source != above:
                rows.append((f"``{source}``", None))
                above = source
            rows.append((f":py:obj:`{label} <{address}>`", set_(summary(text))))
    first = max(column_width(left) for left, right in rows if right)
    second = max(column_width(right) for _, right in rows if right)
    second = max(second, max(column_width(left) for left, _ in rows) - first)
    rule = f"+{'-' * (first + 2)}+{'-' * (second + 2)}+"
    lines = [rule, _row("name", "what it is", first, second), rule.replace("-", "=")]
    for left, right in rows:
        lines += [_row(left, right, first, second), rule]
    return "\n   ".join([".. rst-class:: api-names\n", *lines])


def _row(left: str, right: str | None, first: int, second: int) -> str:
    padded = lambda text, wide: text + " " * (wide - column_width(text))
    if right is None:
        return f"| {padded(left, first + second + 3)} |"
    return f"| {padded(left, first)} | {padded(right, second)} |"


def origin(path: Path, imports: dict[str, list[str]], address: str = "") -> str:
    """A line in reStructuredText: how a file's names are imported (module → names), and where its
    source is: a link if the repository has an address, else the name of the file.
    """
    parts = [f"``from {module} import {', '.join(names)}``" for module, names in imports.items()]
    file = path.relative_to(ROOT).as_posix()
    parts.append(f"`{file} <{address}/{BRANCH}/{file}>`__" if address else f"``{file}``")
    return ".. rst-class:: api-from\n\n   " + " ".join(parts)
