"""How a class did: by question and by check, with the misconception each hidden check is for."""

from pathlib import Path

from svdicl_lite.classroom.tables import write_table

HEAD = ["question", "title", "check", "hidden", "passed", "of", "share", "catches"]
SHOWN, HIDDEN = "#0c571a", "#b41b87"  # ONE and TWO of plots.py; the classroom stands apart


def statistics(assignment: dict, results: list[dict]) -> list[dict]:
    """A row for each question that tests mark (check "": the mean share of its points), followed by
    one for each of its checks: how many of those who were graded passed.
    """
    graded = [result["questions"] for result in results if result["status"] == "graded"]
    rows = []
    for question in assignment["questions"]:
        name = question["name"]
        found = [marks[name] for marks in graded if name in marks]
        if question["manual"] or not found:
            continue
        row = {"question": name, "title": question["title"], "of": len(found)}
        share = sum(one["score"] / one["possible"] for one in found) / len(found)
        rows.append(row | {"check": "", "share": round(share, 3)})
        for at, check in enumerate(found[0]["tests"]):
            passed = sum(one["tests"][at]["passed"] for one in found)
            told = {"check": check["name"], "hidden": "yes" if check["hidden"] else ""}
            told |= {"passed": passed, "share": round(passed / len(found), 3)}
            rows.append(row | told | {"catches": check["catches"] or check["hint"]})
    return rows


def write_statistics(out: Path, assignment: dict, results: list[dict]) -> None:
    """statistics.csv and statistics.svg in the folder OUT; nothing where nobody was graded."""
    rows = statistics(assignment, results)
    if not rows:
        return
    write_table(out / "statistics.csv", HEAD, rows)
    _picture(out / "statistics.svg", assignment["title"], rows)


def _picture(path, title, rows):
    """One bar a check, the share of the class that passed it, in the order of the questions."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    checks = [row for row in rows if row["check"]][::-1]
    names = [f"{row['question']}  {_short(row)}" for row in checks]
    figure = Figure(figsize=(9, 0.32 * len(checks) + 1.2), layout="constrained")
    axes = figure.subplots()
    looks = [(HIDDEN, "//") if row["hidden"] else (SHOWN, "") for row in checks]
    bars = axes.barh(names, [row["share"] for row in checks], edgecolor="white")
    for bar, (colour, hatch) in zip(bars, looks):
        bar.set(facecolor=colour, hatch=hatch)
    axes.bar_label(bars, [f"{row['passed']} of {row['of']}" for row in checks], padding=3, size=8)
    axes.set(xlim=(0, 1.15), xlabel="share of the class that passed", title=title)
    axes.tick_params(axis="y", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    with rc_context({"svg.hashsalt": "svdicl", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})


def _short(row):
    text = row["catches"] or row["check"]
    return (text if len(text) <= 70 else f"{text[:69]}…").replace("$", r"\$")
