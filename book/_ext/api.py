"""Makes the module's docstrings, which are plain text with `code` in it, fit for Sphinx, and names
the chapter that teaches each entry.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def chapter_labels() -> dict[str, str]:
    """Number of a chapter → its label."""
    found = {
        path.name[:2]: re.search(r"^\((ch-[\w-]+)\)=", path.read_text(), re.M)
        for path in (ROOT / "chapters").glob("[0-9][0-9]_*.md")
    }
    return {number: label[1] for number, label in found.items() if label}


def _reference(number: str, labels: dict[str, str]) -> str:
    return (
        f":ref:`chapter {number} <{labels[number]}>`" if number in labels else f"chapter {number}"
    )


def _fit(app, what, name, obj, options, lines) -> None:
    text = "\n".join(lines)
    labels = app.svdicl_chapters
    if what == "module":
        number = None
    else:
        of_module = re.search(r"chapter (\d\d)", sys.modules[_module(name)].__doc__ or "")
        number = (
            of_module[1]
            if of_module
            and what in ("class", "function", "data")
            and not re.search(r"chapter \d\d", text)
            else None
        )
    text = text.replace("\\", "\\\\").replace("*", "\\*").replace("|", "\\|")
    text = re.sub(
        r"(?<!`)`([^`]+)`(?!`)",
        lambda code: "``"
        + code[1].replace("\\*", "*").replace("\\|", "|").replace("\\\\", "\\")
        + "``",
        text,
    )
    text = re.sub(r"\b[Cc]hapter (\d\d)", lambda found: _reference(found[1], labels), text)
    if number:
        text += f"\n\nTaught in {_reference(number, labels)}.\n"
    lines[:] = text.split("\n")


def _module(name: str) -> str:
    parts = name.split(".")
    return next(
        ".".join(parts[:i]) for i in range(len(parts), 0, -1) if ".".join(parts[:i]) in sys.modules
    )


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    app.svdicl_chapters = chapter_labels()
    app.connect("autodoc-process-docstring", _fit)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
