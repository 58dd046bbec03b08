import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text):
    return {
        normal(name): version
        for name, version in re.findall(r"^[ -]*([\w.-]+)==(\S+)$", text, re.MULTILINE)
    }


LOCK = pins((ROOT / "requirements.lock").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DECLARED = [
    normal(re.match(r"[\w.-]+", requirement)[0])
    for requirement in (
        *PROJECT["dependencies"],
        *sum(PROJECT["optional-dependencies"].values(), []),
    )
]


def test_conda_and_pip_install_the_same_versions():
    assert pins((ROOT / "environment.yml").read_text()) == LOCK and len(LOCK) > len(set(DECLARED))


@pytest.mark.parametrize("name", sorted({*DECLARED} - {PROJECT["name"]}))
def test_every_declared_dependency_is_locked(name):
    assert name in LOCK


def test_the_lock_holds_nothing_but_pins():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert [
        line
        for line in lines
        if line and not line.startswith("#") and not re.fullmatch(r"[\w.-]+==\S+", line)
    ] == []


def test_torch_and_jupyter_book_are_the_ones_the_book_needs():
    assert LOCK["torch"] == "2.13.0"
    assert int(LOCK["jupyter-book"].split(".")[0]) < 2
    assert "jupyter-book<2" in PROJECT["optional-dependencies"]["book"]


def test_no_tracked_file_is_larger_than_8_mb():
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    assert "pyproject.toml" in tracked
    assert [
        name
        for name in tracked
        if name and (ROOT / name).is_file() and (ROOT / name).stat().st_size > 8_000_000
    ] == []


def test_a_commit_is_checked_by_the_versions_that_are_locked():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    (ruff,) = [repo for repo in hooks if repo["repo"].endswith("ruff-pre-commit")]
    assert ruff["rev"] == f"v{LOCK['ruff']}"
    local = [hook["entry"] for repo in hooks if repo["repo"] == "local" for hook in repo["hooks"]]
    assert local == [".venv/bin/python book/_ext/cells.py", ".venv/bin/mypy"]


def test_continuous_integration_runs_the_test_command_and_hides_no_step():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert job["env"] == {"CI": "true"}  # without a browser the tests of pages then fail
    commands = [
        line
        for line in (ROOT / ".ci/run").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert commands == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "make test"]
