"""The pages of the module: one a room with every public file in it, so that none can be forgotten;
and docstrings, which are plain text with `code` in it, made fit for Sphinx. How signatures are
written stands in `signatures.py`, what a page begins with in `api_names.py`.

Each file names the chapter that teaches it, and an entry only one that teaches it besides.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import api_names

import svdicl_lite

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "svdicl_lite"
MARK = re.compile(r"<!-- the room (\S+) -->")  # in book/api/NAME.md, where it goes
LIST = "<!-- the list of rooms -->"  # in book/api.md
TAUGHT = re.compile(r"\s*Taught in chapters? \d\d(?:(?:, | and )\d\d)*\.")
ERRORS = re.compile(r"(?<=[.)])\s+(?=Raises `*[A-Z])")  # begin a paragraph of their own
# What stands below or above a letter: W_Q, ΔW_icl, σ_max, ‖W‖_F, reading_i, W_{t−1}, 2^m.
FORMULA = re.compile(
    r"((?<![\w_])(?:[^\W\d_][\u0300-\u036f]?|[ΔŴ∇]\w|BI)|‖|(?<![\w_])[a-z]+(?=_[ig](?!\w))|(?<=[\w)])(?=\^))"
    r"([_^])(\{[^}]+\}|[A-Za-z0-9]{1,3}(?![A-Za-z0-9_])|[a-zα](?!\w))"
)
ROOMS = (
    "clipping scoring search search/rules tasks tasks/worlds models training . widgets classroom"
    " cli"
).split()
NO_MEMBERS = ("classroom", "cli")  # programs: what they offer is a command line


def public_files(room: str) -> list[Path]:
    """The files of a room that a reader may import, those of the front door first."""
    text = (MODULE / "__init__.py").read_text()
    files = sorted(path for path in (MODULE / room).glob("*.py") if path.stem[0] != "_")
    address = lambda path: ".".join(path.relative_to(MODULE).with_suffix("").parts)
    places = {path: text.find(f': "{address(path)}"') for path in files}
    return sorted(files, key=lambda path: places[path] if places[path] >= 0 else len(text))


def page_of(room: str) -> str:
    """The name of the page of a room, below book/api/."""
    return "single_files" if room == "." else room.replace("/", "_")


def room_page(room: str, address: str = "") -> str:
    """Markdown: the room's name, what its docstring says, a table of its names, and its files
    beneath, with links to their source if the repository has an address.
    """
    if room == ".":
        title, told = "Single files", "What belongs to no room."
    else:
        title = room.replace("/", ".")
        told = ast.get_docstring(ast.parse((MODULE / room / "__init__.py").read_text()))
        told = told.partition("\n\n")[0]
    files = {path: _names(path, room) for path in public_files(room)}
    table = api_names.names_table(files, lambda text: " ".join(_paragraphs(text)))
    entries = [_entry(path, room, told, address) for path, told in files.items()]
    return "\n\n".join([f"# {title}\n\n{told}", _rst(table), *entries])


def _names(path: Path, room: str) -> dict[str, str]:
    """What a file's part of a page describes: name or address → what it says of itself."""
    found = api_names.names(path)
    if name := _widget(path):
        return {f"svdicl_lite.widgets.{name}": found[name]}
    if room in NO_MEMBERS:
        return {api_names.module_of(path): ast.get_docstring(ast.parse(path.read_text())) or ""}
    return found


def _widget(path: Path) -> str:
    found = re.search(r"^class (\w+)\(Widget\)", path.read_text(), re.M)
    return found[1] if found else ""


def _rst(text: str) -> str:
    return f"```{{eval-rst}}\n{text}\n```"


def room_list() -> str:
    """Markdown: a line a room, with its files."""
    lines = []
    for room in ROOMS:
        files = ", ".join(f"`{path.stem}`" for path in public_files(room))
        lines.append(f"- {{doc}}`/book/api/{page_of(room)}`: {files}")
    return "\n".join(lines)


def _entry(path: Path, room: str, told: dict[str, str], address: str) -> str:
    module = api_names.module_of(path)
    origin = api_names.origin(path, _imports(path, room, told), address)
    lines = [origin, "", f".. automodule:: {module}"]
    if widget := _widget(path):  # its traits and methods are not for calling
        lines += ["", f".. autoclass:: svdicl_lite.widgets.{widget}"]
    elif room not in NO_MEMBERS:
        lines += ["   :members:", "   :member-order: bysource"]
    return f"## {path.stem}\n\n{_rst(chr(10).join(lines))}"


def _imports(path: Path, room: str, told: dict[str, str]) -> dict[str, list[str]]:
    """From where a file's names are imported, those of the front door and one of the others."""
    if widget := _widget(path):
        return {"svdicl_lite.widgets": [widget]}
    if room in NO_MEMBERS:
        return {}
    module = api_names.module_of(path)
    front = [name for name, file in svdicl_lite._FILES.items() if f"svdicl_lite.{file}" == module]
    others = [name for name in told if name not in front][:1]
    return {source: some for source, some in (("svdicl_lite", front), (module, others)) if some}


def _insert_rooms(app, docname, source) -> None:
    if docname.startswith("book/api"):
        address = app.config.repository_url.rstrip("/")
        source[0] = MARK.sub(lambda found: room_page(found[1], address), source[0])
        source[0] = source[0].replace(LIST, room_list())


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
    if what != "module":
        of_file = TAUGHT.search(sys.modules[_module(name)].__doc__ or "")
        if of_file:  # the file has said so
            same = lambda found: "" if found[0].split() == of_file[0].split() else found[0]
            text = TAUGHT.sub(same, text)
    text = "\n\n".join(_paragraphs(text))
    text = re.sub(r"\b[Cc]hapter (\d\d)", lambda found: _reference(found[1], labels), text)
    lines[:] = text.rstrip().split("\n")


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs as Sphinx reads them; an indented one is an example, and stays as it is."""
    examples = False
    for paragraph in text.split("\n\n"):
        if re.fullmatch(r"(?: {4}.*\n?|\n)+", paragraph):
            yield paragraph if examples else f"::\n\n{paragraph}"
            examples = True
        else:
            parts = re.split(r"(?<!`)`([^`]+)`(?!`)", paragraph)
            parts[::2] = map(_text, parts[::2])
            parts[1::2] = [f"``{code}``" for code in parts[1::2]]
            yield ERRORS.sub("\n\n", "".join(parts))
            examples = False


def _text(text: str) -> str:
    """Text between code: signs that mean something to Sphinx escaped, W_Q and 2^m set."""
    found = re.split(FORMULA, text)
    for at in range(0, len(found), 4):  # text, base, _ or ^, index, text, …
        found[at] = re.sub(r"[\\*|]|_(?=\W|$)", r"\\\g<0>", found[at])
        if at + 3 < len(found):
            role, index = ("sub", "sup")[found[at + 2] == "^"], found[at + 3].strip("{}")
            found[at + 2 : at + 4] = ["", f"\\ :{role}:`{index}`\\ "]
    return "".join(found)


def _module(name: str) -> str:
    parts = name.split(".")
    return next(
        ".".join(parts[:i]) for i in range(len(parts), 0, -1) if ".".join(parts[:i]) in sys.modules
    )


def setup(app):
    app.setup_extension("signatures")
    app.svdicl_chapters = chapter_labels()
    app.connect("source-read", _insert_rooms)
    app.connect("autodoc-process-docstring", _fit)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
