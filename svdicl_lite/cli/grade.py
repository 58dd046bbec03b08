"""`svdicl grade`: from a folder of submissions to a folder of grades."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

SHEET = "short_answers.csv"
LIMITS = ("cell_seconds", "test_seconds", "memory_gb", "file_mb")
SANDBOX = ("processes", "files", "network")
SHORT_HELP = "Grade what learners handed in."
EPILOG = (
    "Exit codes: 0 every submission was graded, 1 nothing can be graded (one sentence says why), 2"
    " wrong usage, 3 done, but a person must look at rows that could not be graded, 130 interrupted"
    " by ctrl-C (the same command resumes). Example: svdicl grade submissions --assignment 01 --out"
    " grades"
)


Submissions = Annotated[
    Path,
    Argument(
        help="Folder of notebooks, zips, or a Canvas or Moodle bulk download, unpacked.",
        show_default=False,
    ),
]


def grade(
    submissions: Submissions,
    assignment: Annotated[str, Option(help="Its number, as 01.")],
    out: Annotated[
        Path,
        Option(
            help="Folder for grades.csv, canvas.csv, moodle.csv, short_answers.csv and feedback/."
        ),
    ],
    built: Annotated[Path, Option(help="Folder that make assignments filled.")] = Path(
        "_build/assignments"
    ),
    seconds: Annotated[float, Option(min=1, help="The most that one submission may take.")] = 600,
    cell_seconds: Annotated[
        int, Option(min=1, help="The most that one cell of the learner may take.")
    ] = 60,
    test_seconds: Annotated[int, Option(min=1, help="The most that one test may take.")] = 10,
    memory_gb: Annotated[float, Option(min=0.5, help="Of its own that one process may have.")] = 4,
    file_mb: Annotated[int, Option(min=1, help="The size of one file that may be written.")] = 100,
    jobs: Annotated[int, Option(min=1, help="How many submissions are marked at a time.")] = 1,
    again: Annotated[
        list[str] | None, Option(help="A learner to mark anew, though nothing changed; repeatable.")
    ] = None,
    reveal: Annotated[
        bool, Option("--reveal", help="Tell learners what the hidden checks they failed catch.")
    ] = False,
    hide_names: Annotated[
        bool, Option("--hide-names", help="Write codes for names into short_answers.csv.")
    ] = False,
) -> None:
    """Grades submissions on this machine, each in a sandbox of its own; marks are made outside it.

    Writes grades.csv (a row for each learner, with a reason where nothing could be graded), drafts
    for Canvas and Moodle, feedback for each learner, and short_answers.csv: fill in its points and
    run the same command again, and they are merged. What has not changed is not run again.
    """
    limits = dict(zip(LIMITS, (cell_seconds, test_seconds, memory_gb, file_mb)))
    try:
        options = {"seconds": seconds, "jobs": jobs, "again": tuple(again or ())}
        told = {"reveal": reveal, "hide_names": hide_names}
        rows = _graded(submissions, built, assignment, out, limits, options, told)
    except (ValueError, OSError, ImportError) as error:
        print(f"svdicl grade: {' '.join(str(error).split())}", file=sys.stderr)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        print("svdicl grade: interrupted; the same command resumes from here", file=sys.stderr)
        raise typer.Exit(130) from None
    _show(rows, out / SHEET)
    raise typer.Exit(3 * any(row["status"] != "graded" for row in rows))


def _graded(submissions, built, assignment, out, limits, options, told) -> list[dict[str, Any]]:
    """Marks and writes everything. What a person wrote is read first: it may be wrong."""
    from tqdm import tqdm

    from svdicl_lite.classroom import grade as grading
    from svdicl_lite.classroom import gradebook
    from svdicl_lite.classroom.assignment import manifest
    from svdicl_lite.classroom.submissions import find

    autograder = grading.built(built, assignment)
    described = manifest(autograder)
    gradebook.check(out, described, {one.key for one in find(submissions)})
    graded = []
    with tqdm(desc="grading", disable=not sys.stderr.isatty()) as bar:
        results = grading.grade_all(submissions, autograder, out, limits, **options)
        for submission, result in results:
            graded.append((submission, result))
            bar.set_postfix_str(submission.learner)
            bar.update()
    if lacking := set(SANDBOX) - set(graded[-1][1]["have"] or SANDBOX):
        print(
            f"svdicl grade: this system does not keep learners' code from {', '.join(lacking)};"
            " README.md of the assignments says what to do",
            file=sys.stderr,
        )
    return gradebook.write(out, described, graded, **told)


def _show(rows: list[dict[str, Any]], sheet: Path) -> None:
    """A line for each learner, and what is left to do by hand."""
    for row in rows:
        if "total" in row:
            mark = f"{row['total']:g} of {row['possible']:g}"
        else:
            mark = f"{row['status']}: {row['reason']}"
        looked = f"   look at {row['look_at']}" if row["look_at"] else ""
        print(f"{row['learner']:<24} {mark}{looked}")
        if row.get("overrides"):
            print(f"{'':<24} by hand: {row['overrides']}")
    waiting = sum(row["answers_to_grade"] for row in rows)
    if waiting:
        print(f"{waiting} short answers to grade in {sheet}; then run the same command again")
