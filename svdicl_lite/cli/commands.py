"""The command line, `svdicl`: a file a command.

Results go to stdout, a table or, with --json, one JSON object and nothing else; progress and
complaints go to stderr. Exit codes: 0 done, 1 it cannot be done (one sentence says why), 2 the
command line itself is wrong, 130 interrupted by ctrl-C (after what was finished by then). Whatever
takes long to import is imported by the commands. Taught in chapter 15.
"""

from inspect import cleandoc

import typer

from svdicl_lite.cli import (
    clip,
    compare,
    condition,
    doctor,
    experiment,
    grade,
    greedy,
    search,
    sweep,
)

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help=(
        "SVD clipping of transformers, judged by what it does to in-context learning. Every command"
        " prints a table, or JSON with --json."
    ),
    epilog=(
        "Exit codes: 0 done, 1 it cannot be done (one sentence says why), 2 wrong usage, 130 broken"
        " off by ctrl-C."
    ),
)

for file, command in (
    (condition, condition.condition),
    (sweep, sweep.sweep),
    (search, search.search),
    (greedy, greedy.greedy),
    (clip, clip.clip),
    (compare, compare.compare),
    (doctor, doctor.doctor),
    (experiment, experiment.experiment),
    (grade, grade.grade),
):
    # What is too long for a docstring beside so many parameters stands in JSON.
    said = "\n\n".join((cleandoc(command.__doc__ or ""), getattr(file, "JSON", "")))
    app.command(help=said, short_help=file.SHORT_HELP, epilog=file.EPILOG)(command)
