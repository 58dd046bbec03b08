"""What the tests of the command line share: its commands, small sizes, and how one is run."""

import json

import pytest
from typer.testing import CliRunner

from svdicl_lite.cli import commands
from svdicl_lite.models.loading import load_model
from svdicl_lite.search.experiment import Experiment

SMALL = [
    "--task",
    "sentiment",
    "--shots",
    "2",
    "--n-validation",
    "20",
    "--n-test",
    "24",
    "--clip-rates",
    "0,0.5,0.9",
    "--sets",
    "1",
]


def run(*arguments):
    return CliRunner().invoke(commands.app, list(map(str, arguments)))


def answer(*arguments):
    """The JSON of a command that succeeds, and that says nothing else on stdout."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def refused(*arguments):
    """The one sentence of a command that cannot be done."""
    result = run(*arguments)
    assert result.exit_code == 1 and result.stdout == "", result.output
    assert result.stderr.count("\n") == 1 and "Traceback" not in result.stderr, result.stderr
    return result.stderr


@pytest.fixture
def small(tiny):
    return Experiment(tiny, "sentiment", n_shots=2, n_validation=20, n_test=24)


def damaged(tiny, tokenizer, folder, change):
    """The folder of a model to which `change` has been done."""
    model, _ = load_model(tiny)
    change(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
