"""From results to grades: grades.csv, drafts for Canvas and Moodle, feedback for each learner, and
one sheet of short answers to grade by hand.
"""

import csv
from pathlib import Path

from svdicl_lite.classroom.feedback import feedback

SHEET = "short_answers.csv"


def by_hand(out: Path, questions: list[dict]) -> dict[tuple[str, str], dict]:
    """(learner, question) → the row of the sheet with points in it. Raises ValueError for points
    that cannot be.
    """
    if not (out / SHEET).exists():
        return {}
    possible, given = {q["name"]: q["points"] for q in questions if q["manual"]}, {}
    with open(out / SHEET, newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            points = (row.get("points") or "").strip().replace(",", ".")
            if not points or row.get("question") not in possible:
                continue
            try:
                row["points"] = float(points)
            except ValueError:
                row["points"] = float("nan")
            if not 0 <= row["points"] <= possible[row["question"]]:
                most = possible[row["question"]]
                raise ValueError(
                    f"{SHEET} gives {row['learner']} {points!r} points for {row['question']}, but"
                    f" it should be a number from 0 to {most:g}"
                )
            given[row["learner"], row["question"]] = row
    return given


def write(out: Path, assignment: dict, graded: list[tuple]) -> list[dict]:
    """Writes everything for (submission, result) pairs, keeping points given by hand, and returns
    the rows of grades.csv.
    """
    questions, title = assignment["questions"], assignment["title"]
    hand, rows, sheet, book = by_hand(out, questions), [], [], []
    (out / "feedback").mkdir(parents=True, exist_ok=True)
    for submission, result in graded:
        row = {
            "learner": submission.key,
            "name": submission.learner,
            "number": submission.number,
            "file": result["file"],
            "status": result["status"],
            "reason": result["reason"],
        }
        given, open_answers = {}, 0
        for question in (q for q in questions if q["manual"] and result["status"] != "refused"):
            answer, old = (
                result["answers"].get(question["name"], ""),
                hand.get((submission.key, question["name"])),
            )
            if old and _plain(old.get("answer") or "") != _plain(answer):
                result["flags"].append(
                    f"the answer to {question['name']} changed after it was graded by hand"
                )
            line = {
                "learner": submission.key,
                "question": question["name"],
                "title": question["title"],
                "possible": question["points"],
                "answer": answer,
            }
            line |= {
                "points": f"{old['points']:g}" if old else "" if answer else "0",
                "comment": (old or {}).get("comment") or ("" if answer else "no answer was given"),
            }
            sheet.append(line | {"rubric": "\n".join(question["rubric"])})
            given[question["name"]] = line
            open_answers += not line["points"]
        if result["status"] == "graded":
            row |= {
                q["name"]: result["questions"].get(q["name"], {}).get("score", 0)
                for q in questions
                if not q["manual"]
            }
            row |= {
                name: float(line["points"]) if line["points"] else ""
                for name, line in given.items()
            }
            row["total"] = sum(row[q["name"]] or 0 for q in questions)
        row |= {
            "possible": sum(q["points"] for q in questions),
            "answers_to_grade": open_answers,
            "look_at": "; ".join(result["flags"]),
            "stopped": "; ".join(result["stopped"]),
        }
        rows.append(row | {"seconds": result["seconds"]})
        text = feedback(title, questions, submission, result, given, row)
        (out / "feedback" / f"{submission.key}.md").write_text(text)
        book.append((row, text))
    present = {(line["learner"], line["question"]) for line in sheet}
    sheet += [
        old for whose, old in hand.items() if whose not in present
    ]  # of learners whose submission is gone: their points stay
    names = [q["name"] for q in questions]
    possible = sum(q["points"] for q in questions)
    head = [
        "learner",
        "name",
        "number",
        "file",
        "status",
        "reason",
        *names,
        "total",
        "possible",
        "answers_to_grade",
        "look_at",
        "stopped",
        "seconds",
    ]
    _csv(out / "grades.csv", head, rows)
    _csv(
        out / SHEET,
        ["learner", "question", "title", "possible", "points", "comment", "answer", "rubric"],
        sheet,
    )
    # What only a person can say, the grade of what could not be graded, stays empty in the drafts.
    points = {"Student": "    Points Possible", title: possible}
    canvas = [
        {"Student": row["name"], "ID": row["number"], title: row.get("total", "")}
        for row, _ in book
    ]
    _csv(
        out / "canvas.csv",
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", title],
        [points, *canvas],
    )
    moodle = [
        {
            "Identifier": f"Participant {row['number']}" if row["number"] else "",
            "Full name": row["name"],
            "Grade": row.get("total", ""),
            "Maximum Grade": possible,
            "Feedback comments": text,
        }
        for row, text in book
    ]
    _csv(
        out / "moodle.csv",
        ["Identifier", "Full name", "Grade", "Maximum Grade", "Feedback comments"],
        moodle,
    )
    return rows


def _csv(path, head, rows):
    part = path.with_suffix(
        ".part"
    )  # a run that is broken off must not take the points given by hand with it
    with open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, head, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(
            [
                {
                    key: _plain(value) if isinstance(value, str) else value
                    for key, value in row.items()
                }
                for row in rows
            ]
        )
    part.replace(path)


def _plain(text: str) -> str:
    """A text that no spreadsheet takes for a formula (a learner may have written one)."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
