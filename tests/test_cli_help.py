"""The help, the README and a wrong command line."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import SMALL, answer, run

COMMANDS = ("condition", "sweep", "search", "greedy", "clip")


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "--model", "m"],
        ["search", "--model", "m", "--task", "t", "--clip-rates", "0,half"],
        ["search", "--modle", "m"],
        ["search", "--model", "m", "--task", "t", "--layer", "lowest"],
        ["clip", "--model", "m"],
        ["find"],
    ],
)
def test_a_wrong_command_line_ends_with_2_and_says_why(arguments):
    result = run(*arguments)
    assert result.exit_code == 2 and result.stdout == "" and result.stderr


@pytest.mark.parametrize("command", ["condition", "sweep", "search", "greedy", "clip"])
def test_help_has_an_example_that_the_command_understands_and_the_keys_of_its_json(
    command, monkeypatch
):
    result = run(command, "--help")
    help = " ".join(result.stdout.split()).replace("- ", "-")
    assert result.exit_code == 0 and "JSON: " in help
    example = help.partition("Example: svdicl ")[2].split()
    asked = []
    for name in COMMANDS:
        monkeypatch.setattr(
            f"svdicl_lite.cli.{name}.run", lambda name, *args, **kwargs: asked.append(name)
        )
    assert run(*example).exit_code == 0 and asked == [command]


def test_every_key_of_the_json_is_in_the_help(tiny, tmp_path):
    commands = [
        ["condition"],
        ["sweep", *SMALL],
        ["search", *SMALL],
        ["greedy", *SMALL],
        ["clip", "--layer", 0, "--clip-rate", 0.5, "--out", tmp_path / "o"],
    ]
    for command, *arguments in commands:
        help = " ".join(run(command, "--help").stdout.split())
        said = set(
            help.partition("JSON: ")[2]
            .replace(",", " ")
            .replace(";", " ")
            .replace("(", " ")
            .replace(")", " ")
            .replace(".", " ")
            .replace(":", " ")
            .split()
        )
        if command == "greedy":
            help_of_search = " ".join(run("search", "--help").stdout.split())
            said |= set(
                help_of_search.partition("JSON: ")[2].replace(",", " ").replace(";", " ").split()
            )
        assert set(answer(command, "--model", tiny, *arguments)) - {"command", "version"} <= said, (
            command
        )


def test_the_commands_of_the_readme_are_understood(monkeypatch):
    lines = re.findall(r"^svdicl (.*)", (Path(__file__).parents[1] / "README.md").read_text(), re.M)
    asked = []
    for name in (*COMMANDS, "compare", "experiment", "doctor"):
        monkeypatch.setattr(
            f"svdicl_lite.cli.{name}.run", lambda name, *args, **kwargs: asked.append(name)
        )
    assert all(run(*shlex.split(line, comments=True)).exit_code == 0 for line in lines)
    kinds = ["condition", "search", "search", "sweep", "greedy", "compare", "clip"]
    assert asked == [*kinds, "experiment", "doctor"]


def test_help_comes_without_waiting_for_torch():
    code = (
        "import sys, svdicl_lite.cli.commands; sys.exit(any(name in sys.modules for name in"
        " ('torch', 'transformers', 'numpy', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
