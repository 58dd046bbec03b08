"""Grades what learners handed in, on this machine, one submission at a time: each in a fresh
directory and processes of its own.

`python -m svdicl_lite.classroom.grade NOTEBOOK AUTOGRADER RESULT` grades one (the process that
`grade_all` starts and, with all it started, ends); otter runs the notebook, under `guard.Guard`.
How to hand out and collect stands in book/assignments/README.md.
"""

import hashlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from svdicl_lite.classroom.submissions import find, read, short_answers

POLL_SECONDS, DISK_MB = 0.2, 1000
ACCIDENT = "the grader itself ended"


def built(folder: Path, number: str) -> Path:
    """The autograder zip of assignment `number` ("01", "1" or its whole name) in the folder that
    `make assignments` filled.
    """
    there = {path.parent.name: path for path in sorted(folder.glob("*/*-autograder.zip"))}
    wanted = [path for name, path in there.items() if number == name or number.zfill(2) == name[:2]]
    if len(wanted) != 1:
        raise FileNotFoundError(
            f"there is no assignment {number!r} in {str(folder)!r}, only:"
            f" {', '.join(there) or 'nothing'}; make assignments builds them"
        )
    return wanted[0]


def manifest(autograder: Path) -> dict:
    """name, title, and per question name, title, points, manual and rubric."""
    try:
        with zipfile.ZipFile(autograder) as archive:
            return json.loads(archive.read("assignment.json"))
    except (zipfile.BadZipFile, KeyError, ValueError):
        raise ValueError(
            f"{str(autograder)!r} is not an autograder that make assignments has built"
        ) from None


def grade_all(
    folder: Path, autograder: Path, out: Path, limits: dict, seconds: float, progress=iter
):
    """Yields (submission, result) for each learner; results are kept in OUT/results and used again
    while neither submission nor grader changed.

    A result holds status (graded, stopped, refused), reason, seconds, file, questions, answers,
    flags, stopped and errors. `limits` are those of `guard.LIMITS`; `seconds` is the most that one
    submission may take.
    """
    try:
        import otter  # noqa: F401
    except ImportError:
        raise ImportError(
            "grading needs otter-grader, which is not installed: pip install -e '.[assignments]' in"
            " the repository"
        ) from None
    assignment, submissions = manifest(autograder), find(folder)
    if out.resolve().is_relative_to(folder.resolve()):
        raise ValueError(
            f"{str(out)!r} lies among the submissions, and would be taken for one; name a folder"
            " beside them"
        )
    kept = out / "results"
    kept.mkdir(parents=True, exist_ok=True)
    manual = [question["name"] for question in assignment["questions"] if question["manual"]]
    for submission in progress(submissions):
        result = {
            "status": "refused",
            "reason": "",
            "seconds": 0,
            "questions": {},
            "answers": {},
            "flags": [],
            "stopped": [],
            "errors": [],
        }
        result["file"] = str(submission.paths[-1].relative_to(folder)) if submission.paths else ""
        if len(submission.paths) > 1:
            result["flags"].append(
                f"{len(submission.paths)} files were found; the newest was graded"
            )
        try:
            notebook = read(submission, assignment["name"])
        except ValueError as error:
            yield submission, result | {"reason": str(error)}
            continue
        key = hashlib.sha256(
            json.dumps([notebook, limits, seconds]).encode() + autograder.read_bytes()
        ).hexdigest()
        file = kept / f"{submission.key}.json"
        found = json.loads(file.read_text()) if file.exists() else {"key": ""}
        if found["key"] != key or found["reason"].startswith(
            ACCIDENT
        ):  # an accident is tried again
            found = {"key": key} | grade_one(
                notebook, assignment["name"], autograder, limits, seconds
            )
            file.write_text(json.dumps(found, ensure_ascii=False, indent=1))
        yield (
            submission,
            result
            | found
            | {
                "flags": result["flags"] + found["flags"],
                "answers": short_answers(notebook, manual),
            },
        )


def grade_one(notebook, name: str, autograder: Path, limits: dict, seconds: float) -> dict:
    """Grades a notebook in a fresh directory; whatever happens in it becomes a status and a reason."""
    import nbformat

    mark, start = secrets.token_hex(16), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="svdicl-grade-", ignore_cleanup_errors=True) as fresh:
        fresh = Path(fresh)
        nbformat.write(notebook, fresh / f"{name}.ipynb")
        for folder in ("tmp", "quick"):
            (fresh / folder).mkdir()
        # Importing otter imports jsonschema, which would compile a grammar of web addresses: most
        # of what grading a small notebook takes.
        (fresh / "quick/rfc3987_syntax.py").write_text(
            "raise ImportError('nobody checks web addresses here')\n"
        )
        env = {
            key: os.environ[key]
            for key in ("PATH", "LANG", "LD_LIBRARY_PATH", "OMP_WAIT_POLICY")
            if key in os.environ
        }
        path = os.pathsep.join([str(fresh / "quick"), str(Path(__file__).parents[1])])
        env |= {
            "HOME": str(fresh),
            "TMPDIR": str(fresh / "tmp"),
            "PYTHONPATH": path,
            "SVDICL_GUARD": json.dumps(limits),
            "SVDICL_RUN": mark,
        }
        command = [
            sys.executable,
            "-m",
            "svdicl_lite.classroom.grade",
            str(fresh / f"{name}.ipynb"),
            str(autograder.resolve()),
            str(fresh / "result.json"),
        ]
        with open(fresh / "log", "w") as log:
            worker = subprocess.Popen(
                command,
                cwd=fresh,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                reason = _wait(worker, fresh, start + seconds, seconds)
            finally:
                _end(worker, mark)
        found = {
            "status": "stopped",
            "reason": reason,
            "questions": {},
            "flags": [],
            "stopped": [],
            "errors": [],
        }
        if not reason:
            try:
                found |= {"status": "graded"} | json.loads((fresh / "result.json").read_text())
            except (OSError, ValueError):
                last = (fresh / "log").read_text(errors="replace").strip().rpartition("\n")[2]
                found["reason"] = f"{ACCIDENT}: {last[-200:]}"
    return found | {"seconds": round(time.monotonic() - start, 1)}


def _wait(worker, fresh, end, seconds):
    """Until the worker is done: "", or why it was not waited for."""
    while worker.poll() is None:
        if time.monotonic() > end:
            return f"it took longer than {seconds:g} s in all"
        if _size(fresh) > DISK_MB * 2**20:
            return f"it wrote more than {DISK_MB} MB"
        time.sleep(POLL_SECONDS)
    return ""


def _size(folder):
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(root, name)).st_blocks * 512
            except OSError:  # gone since
                pass
    return total


def _end(worker, mark):
    """Kills the worker's group and, since kernels are leaders of groups of their own, every process
    that carries its mark.
    """
    import psutil

    try:
        os.killpg(worker.pid, 9)
    except ProcessLookupError:
        pass
    worker.wait()
    for _ in range(5):  # one may have started another meanwhile
        alive = []
        for process in psutil.process_iter():
            try:
                if (
                    process.environ().get("SVDICL_RUN") == mark
                    and process.status() != psutil.STATUS_ZOMBIE
                ):
                    process.kill()
                    alive.append(process)
            except psutil.Error:
                pass
        if not alive:
            return
        psutil.wait_procs(alive, timeout=2)


def _work(notebook: str, autograder: str, result: str) -> None:
    """One submission, in this process: otter runs it under the guard, and what came out is written
    as JSON.
    """
    from otter.run import main as otter_run

    results = otter_run(notebook, autograder=autograder, output_dir=None, no_logo=True)
    seen = results.get_plugin_data("svdicl_lite.classroom.guard", {})
    if results.catastrophic_error is not None:
        document = {
            "status": "stopped",
            "reason": (
                "otter could not read its own results"
                f" ({type(results.catastrophic_error).__name__})"
            ),
        } | seen
    else:
        document = {
            "questions": {name: _question(test) for name, test in sorted(results.results.items())}
        } | seen
    Path(result).write_text(json.dumps(document, ensure_ascii=False))


def _question(test):
    rows = [
        {
            "hidden": r.test_case.hidden,
            "points": r.test_case.points,
            "passed": r.passed,
            "message": r.message,
            "hint": r.test_case.failure_message,
        }
        for r in test.test_case_results
    ]
    return {"score": test.score, "possible": test.possible, "tests": rows}


if __name__ == "__main__":
    _work(*sys.argv[1:])
