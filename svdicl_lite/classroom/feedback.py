"""What a learner is told: points, public checks in words, and how many hidden checks passed."""


def check_lines(found: dict, reveal: bool = False) -> list[str]:
    """The checks of one question in words. With `reveal`, what a failed hidden check catches."""
    public = [test for test in found["tests"] if not test["hidden"]]
    hidden = [test for test in found["tests"] if test["hidden"]]
    lines = []
    for test in public:
        if test["passed"]:
            lines.append("- A check you have passed.")
        else:
            lines.append(f"- A check you have failed: {test['hint']} ({test['message']})")
    passed = sum(test["passed"] for test in hidden)
    lines.append(f"- Checks you do not have: {passed} of {len(hidden)} passed.")
    if reveal:
        lines += [f"  - Not passed: {t['catches']}." for t in hidden if not t["passed"]]
    return lines


def feedback(title, questions, submission, result, given, row, reveal=False) -> str:
    """A learner's feedback as Markdown."""
    lines = [f"# {title}: {submission.learner}", ""]
    if result["status"] != "graded":
        return "\n".join([*lines, f"This could not be graded: {result['reason']}."]) + "\n"
    waiting = ", short answers still to be graded" if row["answers_to_grade"] else ""
    lines += [f"**{row['total']:g} of {row['possible']:g} points**{waiting}", ""]
    cells = [what for what in (*result["errors"], *result["stopped"]) if what.startswith("cell")]
    lines += [f"- {what[0].upper()}{what[1:]}." for what in cells]
    for question in questions:
        lines += ["", *_of_question(question, result, given, reveal)]
    return "\n".join(lines) + "\n"


def _of_question(question, result, given, reveal):
    name, possible = question["name"], question["points"]
    if question["manual"]:
        points, comment = given[name]["points"], given[name]["comment"]
        points = "?" if points is None else f"{points:g}"
        return [
            f"## {question['title']}: {points} of {possible:g}",
            *(["", comment] * bool(comment)),
        ]
    found = result["questions"].get(name, {"score": 0, "tests": []})
    head = f"## {question['title']}: {found['score']:g} of {possible:g}"
    return [head, "", *check_lines(found, reveal)]
