"""Writes the README's table of rooms and files from the docstrings: `python book/_ext/readme.py`.

The first sentence of each file's docstring is what the table says of it, so the table cannot say
what the code does not. `--check` writes nothing and fails if the table is not what it should be.
"""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README, MODULE = ROOT / "README.md", ROOT / "svdicl_lite"
BEGIN, END = "<!-- rooms: written by book/_ext/readme.py -->", "<!-- end of rooms -->"


def summary(path: Path) -> str:
    """The first sentence of a file's docstring, on one line. ValueError if there is none."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if not text:
        raise ValueError(f"{path.relative_to(ROOT)} has no docstring to say what is in it")
    paragraph = " ".join(text.split("\n\n")[0].split())
    sentence = re.split(r"(?<=[.?!])\s+(?=[A-Z`])", paragraph)[0]
    return sentence.rstrip(".")


def files(folder: Path) -> list[Path]:
    """The Python files of a room, those of the rooms inside it too, by name."""
    found = (
        path for path in folder.rglob("*.py") if path.name not in ("__init__.py", "__main__.py")
    )
    return sorted(found, key=lambda path: (len(path.parts), path.name))


def table() -> str:
    """One section a room, one line a file."""
    rooms = sorted(path.parent for path in MODULE.glob("*/__init__.py"))
    lines = []
    for room in rooms:
        lines += ["", f"**`svdicl_lite/{room.name}/`** {summary(room / '__init__.py')}.", ""]
        lines += ["| file | holds |", "|---|---|"]
        lines += [f"| `{path.relative_to(room)}` | {summary(path)} |" for path in files(room)]
    single = [path for path in sorted(MODULE.glob("*.py")) if path.name != "__init__.py"]
    lines += ["", "**Single files**", "", "| file | holds |", "|---|---|"]
    lines += [f"| `{path.name}` | {summary(path)} |" for path in single]
    return "\n".join(lines).strip()


def written(text: str) -> str:
    """The README with its table as it should be. ValueError if it has no place for one."""
    if BEGIN not in text or END not in text:
        raise ValueError(f"README.md has no place for the table, between {BEGIN!r} and {END!r}")
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{table()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    old = README.read_text(encoding="utf-8")
    new = written(old)
    if "--check" in sys.argv and new != old:
        sys.exit(
            "README.md's table of files is not what the docstrings say: python book/_ext/readme.py"
        )
    README.write_text(new, encoding="utf-8")
