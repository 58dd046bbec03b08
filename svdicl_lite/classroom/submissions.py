"""What learners handed in: whose it is, and the one notebook in it, or in words why there is none.

Understood are folders of notebooks and zips, Canvas' bulk download (`name_LATE_123_456_file.ipynb`)
and Moodle's (`Name_123_assignsubmission_file/`).
"""

import re
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MOST_MB = 20
CANVAS = re.compile(r"(?P<learner>[^_]+?)(_LATE)?_(?P<number>\d+)_\d+_.+")
MOODLE = re.compile(r"(?P<learner>.+?)_(?P<number>\d+)_assignsubmission_.*")
BLANK = "_Type your answer here, replacing this text._"


@dataclass(frozen=True)
class Submission:
    learner: str
    number: str  # Canvas' user, Moodle's participant; "" where the name tells none
    paths: tuple[Path, ...]  # what was found for this learner, the newest last

    @property
    def key(self) -> str:
        """The learner's name as a file name, with the number that tells namesakes apart."""
        return (
            re.sub(
                r"[^\w.@+-]+", "_", f"{self.learner}_{self.number}" if self.number else self.learner
            ).strip(".")
            or "_"
        )


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
    for entry in sorted(folder.iterdir(), key=lambda path: path.name):
        if entry.name.startswith((".", "__")):
            continue
        inside = entry.is_dir() and not entry.is_symlink()
        match = MOODLE.fullmatch(entry.name) if inside else CANVAS.fullmatch(entry.name)
        whose = (
            (match["learner"], match["number"])
            if match
            else (entry.name if inside else entry.stem, "")
        )
        paths = (
            sorted(
                path
                for path in entry.rglob("*")
                if path.suffix in (".ipynb", ".zip") and not _beside(path.name, path.parts)
            )
            if inside
            else [entry]
        )
        found.setdefault(whose, []).extend(paths)
    if not found:
        raise FileNotFoundError(
            f"{str(folder)!r} is empty; it should hold a notebook, a zip or a folder for each"
            " learner"
        )
    return [
        Submission(
            *whose,
            tuple(
                sorted(
                    paths, key=lambda path: (path.stat(follow_symlinks=False).st_mtime, path.name)
                )
            ),
        )
        for whose, paths in found.items()
    ]


def read(submission: Submission, name: str, most_mb: int = MOST_MB):
    """The notebook (nbformat 4) of assignment `name`, fit to be run: no outputs, plain Python
    kernel. Raises ValueError with the reason why not.
    """
    import nbformat

    if not submission.paths:
        raise ValueError("there is no notebook and no zip in the folder")
    text = _text(submission.paths[-1], most_mb * 2**20)
    try:
        notebook = nbformat.reads(text, as_version=4)
        cells = [
            (cell.cell_type, "".join(cell.source), dict(cell.metadata)) for cell in notebook.cells
        ]
    except Exception as error:  # nbformat raises whatever the broken parts make it raise
        raise ValueError(f"the notebook cannot be read ({type(error).__name__})") from None
    says = (
        notebook.metadata.get("otter", {}).get("assignment_name")
        if isinstance(notebook.metadata.get("otter", {}), dict)
        else None
    )
    if says != name:
        said = (
            f"the notebook is of assignment {says!r}"
            if says
            else "the notebook does not say which assignment it is of (its metadata are lost)"
        )
        raise ValueError(f"{said}, not of {name!r}")
    clean = nbformat.v4.new_notebook(
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3"},
            "otter": {"assignment_name": name},
        }
    )
    for number, (kind, source, metadata) in enumerate(cells):
        if kind in (
            "code",
            "markdown",
        ):  # ids and outputs as the learner's are left behind: some are doubled, some are large
            cell = getattr(nbformat.v4, f"new_{kind}_cell")(
                source,
                id=f"cell-{number}",
                metadata={"tags": [t for t in metadata.get("tags", []) if isinstance(t, str)]},
            )
            clean.cells.append(cell)
    return clean


def short_answers(notebook, questions: list[str]) -> dict[str, str]:
    """Question → what stands between its statement and its end; "" where nothing was written."""
    sections, inside = [], None
    for cell in notebook.cells:
        if "<!-- END QUESTION -->" in cell.source:
            inside = None
        if "<!-- BEGIN QUESTION -->" in cell.source:
            inside = []
            sections.append(inside)
        elif inside is not None:
            inside.append(cell.source)
    if len(sections) != len(questions):  # the marks are gone: the answer cells in their order
        sections = [
            [cell.source]
            for cell in notebook.cells
            if cell.cell_type == "markdown" and "otter_answer_cell" in cell.metadata.get("tags", [])
        ]
    answers = ["\n\n".join(section).replace(BLANK, "").strip() for section in sections]
    return {
        question: answers[i] if i < len(answers) else "" for i, question in enumerate(questions)
    }


def _text(path, most):
    try:
        info = path.lstat()
        if not stat.S_ISREG(info.st_mode):
            raise ValueError(f"{path.name} is not a file of its own (a link or a device)")
        if path.suffix not in (".ipynb", ".zip"):
            raise ValueError(f"{path.name} is neither a notebook nor a zip")
        if info.st_size > most:
            raise ValueError(
                f"{path.name} has {info.st_size / 2**20:,.0f} MB; at most {most / 2**20:.0f} are"
                " read (outputs can be cleared)"
            )
        return (_unzipped(path, most) if path.suffix == ".zip" else path.read_bytes()).decode()
    except zipfile.BadZipFile:
        raise ValueError(f"{path.name} is not a zip that can be read") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} holds no text, so no notebook") from None
    except (OSError, RuntimeError, NotImplementedError) as error:
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
            if i.filename.endswith(".ipynb")
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
