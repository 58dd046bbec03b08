"""What runs on Gradescope in the place of otter's own runner: the same marker, in its folders.

Otter runs learner and tests in one process, where a learner's cell can give itself any score; that
part of its package is replaced by this file. Its image, its start script and its form of results
stay.
"""

import json
import os
import sys
from pathlib import Path

from svdicl_lite.classroom.feedback import check_lines
from svdicl_lite.classroom.marker import Marker, stopped
from svdicl_lite.classroom.submissions import Submission, read

SECONDS = 2400  # of one submission; Gradescope's own limit should lie above
PRIVATE = ("tests", "assignment.json", "otter_config.json")


def main(root: str) -> None:
    """Marks what lies in ROOT/submission and writes ROOT/results/results.json."""
    source, submitted = Path(root) / "source", Path(root) / "submission"
    for name in PRIVATE:  # where no namespace hides them, the learner's process is another user
        os.chmod(source / name, 0o700)
    described = json.loads((source / "assignment.json").read_text())
    settings = json.loads((source / "otter_config.json").read_text()).get("svdicl_limits", {})
    settings |= json.loads(os.environ.get("SVDICL_LIMITS", "{}"))
    result = _result(submitted, source, described["name"], settings)
    results = Path(root) / "results/results.json"
    results.parent.mkdir(exist_ok=True)
    results.write_text(json.dumps(_document(described, result), ensure_ascii=True))


def _result(submitted, source, name, settings):
    paths = [
        path
        for path in submitted.rglob("*")
        if path.suffix.lower() in (".ipynb", ".zip") and ".ipynb_checkpoints" not in path.parts
    ]
    if len(paths) != 1:
        return stopped(f"{len(paths)} notebooks were handed in; it should be one")
    try:
        notebook = read(Submission("learner", "", tuple(paths)), name)
    except ValueError as error:
        return stopped(str(error))
    with Marker(source) as marker:
        return marker.mark(notebook, settings, settings.get("seconds", SECONDS))


def _document(described, result):
    if result["status"] != "graded":
        told = {"name": "Public Tests", "visibility": "visible", "status": "failed"}
        return {"score": 0, "tests": [told | {"output": f"Not graded: {result['reason']}."}]}
    lines, tests = [], []
    for question in described["questions"]:
        if question["manual"]:
            continue
        found = result["questions"][question["name"]]
        lines += [question["title"], *check_lines(found), ""]
        tests.append(
            {
                "name": question["name"],
                "score": found["score"],
                "max_score": found["possible"],
                "visibility": "hidden",
                "output": "\n".join(_hidden_lines(found)),
            }
        )
    public = [
        t["passed"] for q in result["questions"].values() for t in q["tests"] if not t["hidden"]
    ]
    told = {
        "name": "Public Tests",
        "visibility": "visible",
        "output": "\n".join([*result["errors"], *lines]),
        "status": "passed" if all(public) else "failed",
    }
    notes = [*(f"STOPPED {what}" for what in result["stopped"])]
    notes += [f"LOOK AT {what}" for what in result["flags"]]
    seen = {"name": "For the teacher", "visibility": "hidden", "output": "\n".join(notes)}
    return {"tests": [told, *tests, seen]}


def _hidden_lines(found):
    for test in found["tests"]:
        yield f"{test['name']}: {'passed' if test['passed'] else test['message']}"


if __name__ == "__main__":
    main(sys.argv[1])
