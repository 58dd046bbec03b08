"""What learners handed in: whose it is, and the one notebook in it, or in words why there is none.

Understood are folders of notebooks and zips, Canvas' bulk download (`name_LATE_123_456_file.ipynb`)
and Moodle's (`Name_123_assignsubmission_file/`).
"""

import json
import re
import stat
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

MOST_MB = 20
CANVAS = re.compile(r"(?P<learner>[^_]+?)(?P<late>_LATE)?_(?P<number>\d+)_\d+_.+")
MOODLE = re.compile(r"(?P<learner>.+?)_(?P<number>\d+)_assignsubmission_.*")
BLANK = "_Type your answer here, replacing this text._"
KINDS = (".ipynb", ".zip")


@dataclass(frozen=True)
class Submission:
    """One learner's: `number` is Canvas' user or Moodle's participant, "" where the name tells
    none; `paths` are what was found for this learner, the newest last.
    """

    learner: str
    number: str
    paths: tuple[Path, ...]
    late: bool = False  # as Canvas marks it
    apart: str = ""  # tells two apart whose names become one file name

    @property
    def key(self) -> str:
        """The learner's name as a file name, with the number that tells namesakes apart."""
        name = f"{self.learner}_{self.number}" if self.number else self.learner
        plain = re.sub(r"[^\w.@+-]+", "_", name.encode("utf-8", "replace").decode())
        return (plain.strip(".") or "_") + self.apart


def find(folder: Path) -> list[Submission]:
    """One submission per learner, by name. Raises FileNotFoundError if there is no folder or
    nothing in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{str(folder)!r} is not a folder; name the one that holds the submissions, a bulk"
            " download unpacked"
        )
    found: dict[tuple[str, str], list[Path]] = {}
    late = set()
    for entry in sorted(folder.iterdir(), key=lambda path: path.name):
        if entry.name.startswith((".", "__")):
            continue
        inside = entry.is_dir() and not entry.is_symlink()
        match = MOODLE.fullmatch(entry.name) if inside else CANVAS.fullmatch(entry.name)
        plain = (entry.name if inside else entry.stem, "")
        whose = (match["learner"], match["number"]) if match else plain
        if match and match.groupdict().get("late"):
            late.add(whose)
        found.setdefault(whose, []).extend(_notebooks(entry) if inside else [entry])
    if not found:
        raise FileNotFoundError(
            f"{str(folder)!r} is empty; it should hold a notebook, a zip or a folder for each"
            " learner"
        )
    submissions = []
    for whose, paths in found.items():
        submissions.append(Submission(*whose, tuple(sorted(paths, key=_age)), whose in late))
    return _apart(submissions)


def _notebooks(folder):
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in KINDS and not _beside(path.name, path.parts)
    )


def _age(path):
    return path.stat(follow_symlinks=False).st_mtime, path.name


def _apart(submissions):
    """Gives those whose keys are one, on a disk that knows no capitals, a number each."""
    seen: dict[str, int] = {}
    told = []
    for one in submissions:
        times = seen[one.key.lower()] = seen.get(one.key.lower(), 0) + 1
        told.append(one if times == 1 else replace(one, apart=f"~{times}"))
    return told


def read(submission: Submission, name: str, most_mb: int = MOST_MB) -> dict:
    """The notebook of assignment `name` as plain data: `cells` with cell_type, source and tags.

    Raises ValueError with the reason why not.
    """
    if not submission.paths:
        raise ValueError("there is no notebook and no zip in the folder")
    text = _text(submission.paths[-1], most_mb * 2**20)
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the notebook cannot be read ({type(error).__name__})") from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise ValueError("the notebook cannot be read (it has no list of cells)")
    metadata = notebook.get("metadata")
    otter = metadata.get("otter") if isinstance(metadata, dict) else None
    says = otter.get("assignment_name") if isinstance(otter, dict) else None
    if says != name:
        said = (
            f"the notebook is of assignment {str(says)[:60]!r}"
            if says
            else "the notebook does not say which assignment it is of (its metadata are lost)"
        )
        raise ValueError(f"{said}, not of {name!r}")
    return {"cells": [cell for cell in map(_cell, notebook["cells"]) if cell]}


def _cell(cell):
    """Type, source and tags of a cell, whatever else it is or lacks; None if it has no source."""
    if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown"):
        return None
    source = cell.get("source")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        return None
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return {
        "cell_type": cell["cell_type"],
        "source": source.encode("utf-8", "replace").decode(),  # half an emoji is no text
        "tags": [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else [],
    }


def short_answers(notebook: dict, questions: list[str]) -> dict[str, str]:
    """Question → what stands between its statement and its end; "" where nothing was written."""
    sections: list[list[str]] = []
    inside: list[str] | None = None
    for cell in notebook["cells"]:
        if "<!-- END QUESTION -->" in cell["source"]:
            inside = None
        if "<!-- BEGIN QUESTION -->" in cell["source"]:
            inside = []
            sections.append(inside)
        elif inside is not None:
            inside.append(cell["source"])
    if len(sections) != len(questions):  # the marks are gone: the answer cells in their order
        sections = [[cell["source"]] for cell in notebook["cells"] if _is_answer(cell)]
    answers = ["\n\n".join(section).replace(BLANK, "").strip() for section in sections]
    answers += [""] * len(questions)
    return dict(zip(questions, answers, strict=False))


def _is_answer(cell):
    return cell["cell_type"] == "markdown" and "otter_answer_cell" in cell["tags"]


def _text(path, most):
    try:
        info = path.lstat()
        if not stat.S_ISREG(info.st_mode):
            raise ValueError(f"{path.name} is not a file of its own (a link or a device)")
        if path.suffix.lower() not in KINDS:
            raise ValueError(f"{path.name} is neither a notebook nor a zip")
        if info.st_size > most:
            raise ValueError(
                f"{path.name} has {info.st_size / 2**20:,.0f} MB; at most {most / 2**20:.0f} are"
                " read (outputs can be cleared)"
            )
        zipped = path.suffix.lower() == ".zip"
        return (_unzipped(path, most) if zipped else path.read_bytes()).decode("utf-8-sig")
    except zipfile.BadZipFile:
        raise ValueError(f"{path.name} is not a zip that can be read") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} holds no text, so no notebook") from None
    except (OSError, RuntimeError, NotImplementedError, EOFError, zlib.error) as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from None


def _unzipped(path, most):
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            inner = PurePosixPath(info.filename.replace("\\", "/"))
            if inner.is_absolute() or ".." in inner.parts or re.match(r"[A-Za-z]:", info.filename):
                raise ValueError(
                    f"{path.name} holds a path that leads out of it: {info.filename!r}"
                )
        notebooks = [
            i
            for i in archive.infolist()
            if i.filename.lower().endswith(".ipynb")
            and not _beside(PurePosixPath(i.filename).name, PurePosixPath(i.filename).parts)
        ]
        if len(notebooks) != 1:
            raise ValueError(f"{path.name} holds {len(notebooks)} notebooks; it should hold one")
        with archive.open(notebooks[0]) as file:
            data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"the notebook in {path.name} has more than {most / 2**20:.0f} MB")
    return data


def _beside(name, parts):
    return name.startswith(".") or "__MACOSX" in parts or ".ipynb_checkpoints" in parts
