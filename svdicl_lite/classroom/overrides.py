"""What a teacher decides by hand: a regrade, a cheat, days that were late.

`overrides.csv` in the folder of grades has a row for each decision: learner (as in grades.csv),
question, points and why. The question is a name (q2: these points stand), `total` (these are all),
or `late` (so many are taken off). Every run honours it and says so.
"""

from dataclasses import dataclass
from pathlib import Path

from svdicl_lite.classroom.tables import number, read_table

FILE = "overrides.csv"
TOTAL, LATE = "total", "late"


@dataclass(frozen=True)
class Override:
    """One decision."""

    learner: str
    question: str
    points: float
    why: str

    def __str__(self) -> str:
        what = {TOTAL: "points in all", LATE: "points taken off"}
        return (
            f"{self.points:g} {what.get(self.question, f'points for {self.question}')}: {self.why}"
        )


def overrides(out: Path, questions: list[dict], learners: set[str]) -> dict[str, list[Override]]:
    """Learner → decisions. Raises ValueError for a row that names nobody, nothing or no reason."""
    if not (out / FILE).exists():
        return {}
    most = {question["name"]: question["points"] for question in questions}
    most |= dict.fromkeys((TOTAL, LATE), sum(most.values()))
    found: dict[str, list[Override]] = {}
    for row in read_table(out / FILE, ("learner", "question", "points", "why")):
        one = Override(
            row["learner"].strip(), row["question"].strip(), number(row["points"]), row["why"]
        )
        if one.learner not in learners:
            raise ValueError(
                f"{FILE} names the learner {one.learner!r}, whom nobody is; names are as in the"
                " column learner of grades.csv"
            )
        if one.question not in most:
            raise ValueError(
                f"{FILE} names the question {one.question!r}; it should be one of {', '.join(most)}"
            )
        if not 0 <= one.points <= most[one.question]:
            raise ValueError(
                f"{FILE} gives {one.learner} {row['points']!r} points for {one.question}, but it"
                f" should be a number from 0 to {most[one.question]:g}"
            )
        if not one.why.strip():
            raise ValueError(f"{FILE} does not say why {one.learner} gets {one}; fill in why")
        found.setdefault(one.learner, []).append(one)
    return found


def apply(row: dict, names: list[str], decisions: list[Override]) -> None:
    """Changes a row of grades: questions first, then the total and what is taken off it."""
    for one in decisions:
        if one.question in names:
            row[one.question] = one.points
    total = sum(row.get(name) or 0 for name in names)
    for one in decisions:
        total = one.points if one.question == TOTAL else total
    taken = sum(one.points for one in decisions if one.question == LATE)
    row["total"] = max(0, total - taken)
    row["overrides"] = "; ".join(map(str, decisions))
