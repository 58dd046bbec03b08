"""Which files a chapter depends on, for Make: `python book/_ext/dependencies.py` prints rules.

A chapter depends on the files of the module that its code imports, on what those import in turn, on
the files beside them that are no Python (a widget's script), and on the checkpoints and the kept
experiments that it names. Only the standard library is needed: Make asks before anything is
installed.
"""

import ast
import fnmatch
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "svdicl_lite"
APART = f"{PACKAGE}.classroom"  # the command line grades, the chapters that run it do not
FETCHED = "smollm2-135m"  # no file of ours: Make fetches it beside the chapters that do without
CODE_CELL = re.compile(
    r"^```\{code-cell\}[^\n]*\n(?:---\n.*?^---\n)?(.*?)^```$", re.M | re.S
)  # the second part: its options, as YAML
OPTION_OR_MAGIC = re.compile(r"^(?::[\w-]+:|%|!)")


def file_of(module: str, root: Path = ROOT) -> Path | None:
    """The file of a module of ours by its dotted name; None if there is no such module."""
    path = root / module.replace(".", "/")
    return next(
        (file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None
    )


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Dotted name → file, of all modules of ours."""
    found = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def parsed(text: str) -> ast.Module:
    """One tree for a text: fifteen chapters reach the same files."""
    return ast.parse(text)


def tree_of(path: Path) -> ast.Module:
    """The file as it is now."""
    return parsed(path.read_text(encoding="utf-8"))


def front_door(root: Path = ROOT) -> dict[str, str]:
    """Name → dotted module, from the table of what the package imports when asked for it."""
    return _front_door(tree_of(root / PACKAGE / "__init__.py"))


@cache
def _front_door(tree: ast.Module) -> dict[str, str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_FILES":
            table = ast.literal_eval(node.value)
            return {name: f"{PACKAGE}.{module}" for name, module in table.items()}
    raise ValueError(f"{PACKAGE}/__init__.py has no table _FILES of the names that it gives")


def run(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of code that runs: not those that only a checker of types reads."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def imports(tree: ast.AST, root: Path = ROOT) -> set[str]:
    """The modules of ours that the code imports, at its top or within functions, by dotted name."""
    front, found, aliases = front_door(root), set(), set()

    def member(module: str, name: str) -> str:
        """The module behind `from module import name`."""
        if module == PACKAGE and name in front:
            return front[name]
        inner = f"{module}.{name}"
        return inner if file_of(inner, root) else module

    nodes = list(run(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            ours = [alias for alias in node.names if alias.name.split(".")[0] == PACKAGE]
            found |= {alias.name for alias in ours}
            aliases |= {alias.asname or PACKAGE for alias in ours if alias.name == PACKAGE}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            found |= {member(node.module, alias.name) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) in aliases:
            found.add(member(PACKAGE, node.attr))
    return found


def graph(root: Path = ROOT) -> dict[str, set[str]]:
    """Module → the modules of ours that it imports itself. The front door's own table is left out:
    it imports a name when somebody asks for it, and who asks has the arrow.
    """
    trees = {name: tree_of(path) for name, path in modules(root).items()}
    return {name: imports(tree, root) - {name} for name, tree in trees.items()}


def reached(start: Iterable[str], arrows: dict[str, set[str]]) -> set[str]:
    """All modules that are imported when those of `start` are, packages above them included."""
    found, waiting = set(), list(start)
    while waiting:
        module = waiting.pop()
        if module in found or module.startswith(APART):
            continue
        found.add(module)
        waiting += arrows.get(module, ())
        if "." in module:
            waiting.append(module.rpartition(".")[0])
    return found


def code_of(chapter: Path) -> ast.Module:
    """The code cells of a chapter as one tree, without the options and magics of a notebook."""
    lines = "\n".join(CODE_CELL.findall(chapter.read_text(encoding="utf-8"))).splitlines()
    return parsed("\n".join(line for line in lines if not OPTION_OR_MAGIC.match(line)))


@cache
def texts(tree: ast.AST) -> frozenset[str]:
    """The strings of the code as patterns: what an f-string fills in is a `*`."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "*" for part in node.values]
            found.add("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return frozenset(found)


def checkpoints(trees: Iterable[ast.AST], shipped: list[str]) -> set[str]:
    """The shipped models that the code names, an f-string naming each that it can become."""
    said = {text for tree in trees for text in texts(tree) if re.search(r"\w", text)}
    return {name for name in shipped if any(fnmatch.fnmatchcase(name, text) for text in said)}


@cache
def reads_checkpoints(tree: ast.AST) -> bool:
    """Whether a file of the module opens a shipped model by its name (others only mention one)."""
    return any(
        getattr(node, "attr", "") == "CHECKPOINTS" or getattr(node, "id", "") == "load_model"
        for node in ast.walk(tree)
    )


def kept(tree: ast.AST, root: Path = ROOT) -> set[Path]:
    """The kept experiments that a chapter's code names, with or without their ending."""
    said = {Path(text).name.partition(".")[0] for text in texts(tree)}
    files = (root / "experiments").glob("*")
    return {file for file in files if file.suffix in (".parquet", ".json") and file.stem in said}


def needed(chapter: Path, arrows: dict[str, set[str]], root: Path = ROOT) -> list[Path]:
    """The files that a chapter depends on: of the module, checkpoints, kept experiments."""
    tree, folder = code_of(chapter), root / PACKAGE / "models/checkpoints"
    python = [file_of(name, root) for name in reached(imports(tree, root), arrows)]
    python = [path for path in python if path]
    beside = {
        file
        for path in python
        for file in path.parent.iterdir()
        if file.is_file() and file.suffix in (".js", ".css", ".json", ".csv")
    }
    opened = [tree_of(path) for path in python]
    shipped = [card.parent.name for card in folder.glob("*/card.json")]
    asks_for_all = any(getattr(node, "id", "") == "shipped_models" for node in ast.walk(tree))
    named = checkpoints([tree, *filter(reads_checkpoints, opened)], shipped)
    names = shipped if asks_for_all else named
    weights = {file for name in names for file in (folder / name).iterdir()}
    return sorted({*python, *beside, *weights, *kept(tree, root)})


def rules(root: Path = ROOT) -> str:
    """The text of `_build/dependencies.mk`. Each file has a rule without a recipe as well, so that
    one that was since deleted stops nothing.
    """
    arrows, lines, files = graph(root), [], set()
    for chapter in sorted((root / "chapters").glob("*.md")):
        wanted = [path.relative_to(root).as_posix() for path in needed(chapter, arrows, root)]
        waits = " | .venv/fetched" if FETCHED in texts(code_of(chapter)) else ""
        lines.append(f"$(SITE)/chapters/{chapter.stem}.ipynb: {' '.join(wanted)}{waits}")
        files |= set(wanted)
    return "\n".join([*lines, *(f"{file}:" for file in sorted(files))]) + "\n"


if __name__ == "__main__":
    print(rules(), end="")
