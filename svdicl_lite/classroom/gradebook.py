"""From results to grades: grades.csv, drafts for Canvas and Moodle, feedback for each learner, and
one sheet of short answers to grade by hand.
"""

from pathlib import Path

from svdicl_lite.classroom import overrides, sheet
from svdicl_lite.classroom.feedback import feedback
from svdicl_lite.classroom.page import page
from svdicl_lite.classroom.similar import write_similar
from svdicl_lite.classroom.statistics import write_statistics
from svdicl_lite.classroom.tables import write_table

FIRST = ["learner", "name", "number", "file", "late", "status", "reason"]
LAST = ["total", "possible", "answers_to_grade", "overrides", "look_at", "stopped", "seconds"]


def check(out: Path, assignment: dict, learners: set[str]) -> None:
    """Raises ValueError if the sheet or the overrides are not understood."""
    sheet.by_hand(out, assignment["questions"], learners)
    overrides.overrides(out, assignment["questions"], learners)


def write(
    out: Path, assignment: dict, graded: list[tuple], reveal: bool = False, hide_names: bool = False
) -> list[dict]:
    """Writes everything for (submission, result) pairs, keeping points given by hand, and returns
    the rows of grades.csv. With `reveal`, feedback says what hidden checks caught; with
    `hide_names`, the sheet of short answers has codes for names.

    Raises ValueError before anything is written if the sheet or the overrides are not understood.
    """
    questions, title = assignment["questions"], assignment["title"]
    learners = {submission.key for submission, _ in graded}
    hand = sheet.by_hand(out, questions, learners)
    decided = overrides.overrides(out, questions, learners)
    (out / "feedback").mkdir(parents=True, exist_ok=True)
    rows, lines, texts = [], [], []
    for submission, result in graded:
        answers = _answers(submission.key, questions, result, hand)
        row = _row(submission, result, questions, answers, decided.get(submission.key, []))
        text = feedback(title, questions, submission, result, answers, row, reveal)
        (out / "feedback" / f"{submission.key}.md").write_text(text, encoding="utf-8")
        (out / "feedback" / f"{submission.key}.html").write_text(page(text), encoding="utf-8")
        rows.append(row)
        texts.append(text)
        lines += answers.values()
    write_table(out / "grades.csv", [*FIRST, *(q["name"] for q in questions), *LAST], rows)
    lines.sort(key=lambda line: line["question"])  # one question after the other, as one grades
    sheet.write(out, lines, hand, hide_names)
    _drafts(out, title, sum(q["points"] for q in questions), rows, texts)
    _looks(out, assignment, graded)
    return rows


def _looks(out, assignment, graded):
    """How the class did, and whose answers look alike."""
    write_statistics(out, assignment, [result for _, result in graded])
    codes = {one.key: result["code"] for one, result in graded if result["code"]}
    cells = assignment.get("cells", [])
    solution = [cell["source"] for cell in cells if cell["kind"] == "answer"]
    write_similar(out, codes, assignment.get("blank", []), solution)


def _answers(key, questions, result, hand):
    """Question → its row in the sheet."""
    rows = {}
    for question in questions:
        if not question["manual"] or result["status"] == "refused":
            continue
        answer = result["answers"].get(question["name"], "")
        old = hand.get((key, question["name"]))
        if sheet.changed(old, answer):
            result["flags"].append(
                f"the answer to {question['name']} changed after it was graded by hand"
            )
        rows[question["name"]] = sheet.line(key, question, answer, old)
    return rows


def _row(submission, result, questions, answers, decisions):
    row = {
        "learner": submission.key,
        "name": submission.learner,
        "number": submission.number,
        "file": result["file"],
        "late": "yes" if submission.late else "",
        "status": result["status"],
        "reason": result["reason"],
        "possible": sum(q["points"] for q in questions),
        "answers_to_grade": sum(line["points"] is None for line in answers.values()),
        "look_at": "; ".join(result["flags"]),
        "stopped": "; ".join(result["stopped"]),
        "seconds": result["seconds"],
    }
    names = [question["name"] for question in questions]
    if result["status"] == "graded":
        for question in questions:
            name = question["name"]
            if question["manual"]:
                row[name] = "" if answers[name]["points"] is None else answers[name]["points"]
            else:
                row[name] = result["questions"].get(name, {}).get("score", 0)
        overrides.apply(row, names, decisions)
    elif decisions:  # nobody could grade it; a person did
        overrides.apply(row, names, decisions)
    return row


def _drafts(out, title, possible, rows, texts):
    """The gradebooks' imports, under a name of their own while short answers wait for points. What
    only a person can say, the grade of what could not be graded, stays empty.
    """
    partial = any(row["answers_to_grade"] for row in rows)
    now, other = (".partial.csv", ".csv") if partial else (".csv", ".partial.csv")
    canvas = [{"Student": "    Points Possible", title: possible}]
    moodle = []
    for row, text in zip(rows, texts, strict=True):
        total = row.get("total", "")
        canvas.append({"Student": row["name"], "ID": row["number"], title: total})
        moodle.append(
            {
                "Identifier": f"Participant {row['number']}" if row["number"] else "",
                "Full name": row["name"],
                "Grade": total,
                "Maximum Grade": possible,
                "Feedback comments": text,
            }
        )
    head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", title]
    write_table(out / f"canvas{now}", head, canvas)
    head = ["Identifier", "Full name", "Grade", "Maximum Grade", "Feedback comments"]
    write_table(out / f"moodle{now}", head, moodle)
    for name in ("canvas", "moodle"):  # an older one would be taken for this
        (out / f"{name}{other}").unlink(missing_ok=True)
