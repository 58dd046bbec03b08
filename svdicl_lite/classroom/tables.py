"""Tables that people edit: read in whatever form a spreadsheet saved them, written whole or not."""

import csv
import io
from datetime import datetime
from pathlib import Path

SEPARATORS = ",;\t"


def read_table(path: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of a CSV, with any of three separators, in any order of columns; other columns stay.

    Raises ValueError if a needed column is not there, or a row has more cells than the head.
    """
    text = _text(path)
    head_line = text.lstrip("\r\n").partition("\n")[0]
    separator = max(SEPARATORS, key=head_line.count)
    if head_line.lower().startswith("sep="):  # Excel's own way to say it
        separator, text = head_line[4:5], text.lstrip("\r\n").partition("\n")[2]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows = [row for row in reader if any(cell.strip() for cell in row)]
    head = [name.strip().lower() for name in rows[0]] if rows else []
    missing = [name for name in needed if name not in head]
    if missing or len(set(head)) != len(head):
        raise ValueError(
            f"{path.name} has the columns {', '.join(head) or 'of nothing'}, but needs"
            f" {', '.join(needed)}, each once; give {', '.join(missing) or 'them'} back its name"
        )
    found = []
    for number, row in enumerate(rows[1:], 2):
        if len(row) > len(head) and any(cell.strip() for cell in row[len(head) :]):
            raise ValueError(
                f"row {number} of {path.name} has {len(row)} cells under {len(head)} names; a text"
                " with the separator in it needs quotes"
            )
        row += [""] * (len(head) - len(row))
        found.append(dict(zip(head, row, strict=False)))
    return found


def _text(path):
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:  # an older Excel
        return data.decode("cp1252", errors="replace")


def write_table(path: Path, head: list[str], rows: list[dict]) -> None:
    """Writes a CSV in one step: a run that is interrupted leaves the old one."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, head, extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _cell(value) for key, value in row.items()})
    part = path.with_suffix(".part")
    part.write_bytes(text.getvalue().encode("utf-8", "replace"))
    part.replace(path)


def keep_backup(path: Path) -> None:
    """A dated copy of a file that people edit, in the folder `backups` beside it, if it is new."""
    folder = path.parent / "backups"
    if not path.exists():
        return
    data = path.read_bytes()
    kept = sorted(folder.glob(f"{path.stem}.*{path.suffix}")) if folder.exists() else []
    if kept and kept[-1].read_bytes() == data:
        return
    folder.mkdir(exist_ok=True)
    stamp = datetime.now().strftime("%Y-%m-%dT%H-%M-%S-%f")
    (folder / f"{path.stem}.{stamp}{path.suffix}").write_bytes(data)


def _cell(value):
    return plain(value) if isinstance(value, str) else value


def plain(text: str) -> str:
    """A text that no spreadsheet takes for a formula (a learner may have written one)."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def number(text: str) -> float:
    """A number as people write it, with a point or a comma; not a number where there is none."""
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return float("nan")
