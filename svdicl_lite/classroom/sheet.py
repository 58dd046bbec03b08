"""The sheet of short answers: one row for each learner and question, graded by a person.

What a person typed is never lost: it is kept when rows come and go, when a spreadsheet saves the
sheet in its own way, and in a dated copy before each change.
"""

import hashlib
from pathlib import Path
from typing import Any

from svdicl_lite.classroom.tables import keep_backup, number, plain, read_table, write_table

SHEET = "short_answers.csv"
HEAD = ["learner", "question", "title", "possible", "points", "comment", "answer", "rubric"]
OURS = ("title", "possible", "answer", "rubric")  # the columns that a run writes anew


def code(key: str) -> str:
    """What stands for a learner in a sheet whose names are hidden."""
    return f"#{hashlib.blake2b(key.encode(), digest_size=4).hexdigest()}"


def by_hand(out: Path, questions: list[dict], learners=()) -> dict[tuple[str, str], dict]:
    """(learner, question) → the row of the sheet, with points as a number or None. Of `learners`
    the codes are known.

    Raises ValueError for a sheet that is not understood and for points that cannot be.
    """
    if not (out / SHEET).exists():
        return {}
    possible = {q["name"]: q["points"] for q in questions if q["manual"]}
    given, names = {}, {code(key): key for key in learners}
    for read in read_table(out / SHEET, ("learner", "question", "points")):
        row: dict[str, Any] = dict(read)
        row["learner"] = names.get(row["learner"], row["learner"])
        whose = row["learner"], row["question"]
        if whose in given:
            raise ValueError(
                f"{SHEET} has two rows for {whose[0]} and {whose[1]}; keep the one that holds"
            )
        points = row["points"].strip()
        most = possible.get(row["question"])
        if most is None:  # of a question that is gone: as it was typed
            given[whose] = row
            continue
        row["points"] = number(points) if points else None
        if points and not 0 <= row["points"] <= most:
            raise ValueError(
                f"{SHEET} gives {row['learner']} {points!r} points for {row['question']}, but it"
                f" should be a number from 0 to {most:g}"
            )
        given[whose] = row
    return given


def line(key: str, question: dict, answer: str, old: dict | None) -> dict:
    """One row: what a person typed, and what the run knows. An empty answer counts 0."""
    row = dict(old or {})
    row |= {"learner": key, "question": question["name"], "answer": answer}
    row |= {"title": question["title"], "possible": question["points"]}
    row["rubric"] = "\n".join(question["rubric"])
    if row.get("points") is None:
        row["points"] = None if answer else 0
    row["comment"] = row.get("comment") or ("" if answer else "no answer was given")
    return row


def changed(old: dict | None, answer: str) -> bool:
    """Whether an answer is another than the one that got its points."""
    if not old or old["points"] is None:
        return False
    return plain(old.get("answer", "")) != plain(answer)


def write(out: Path, rows: list[dict], hand: dict, hide_names: bool = False) -> None:
    """Writes the sheet; rows of learners or questions that are gone stay, and so do columns that
    a person added.
    """
    present = {(row["learner"], row["question"]) for row in rows}
    rows = rows + [old for whose, old in hand.items() if whose not in present]
    extra = dict.fromkeys(name for row in rows for name in row if name not in HEAD)
    keep_backup(out / SHEET)
    told = [{**row, "points": _points(row["points"])} for row in rows]
    if hide_names:
        told = [{**row, "learner": code(row["learner"])} for row in told]
        told.sort(key=lambda row: (row["question"], row["learner"]))
    write_table(out / SHEET, [*HEAD, *extra], told)


def _points(points):
    if points is None:
        return ""
    return points if isinstance(points, str) else f"{points:g}"
