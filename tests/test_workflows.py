"""The workflows, as far as they can be run without the service that hosts them: what their steps
name is there, no more may be written than is needed, and the step that publishes publishes.
"""

import os
import re
import subprocess
import tomllib

import pytest
import yaml
from test_chapters import ROOT

WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text())
    for path in sorted((ROOT / ".github/workflows").glob("*.yml"))
}
JOBS = {
    f"{name}/{job}": body for name, flow in WORKFLOWS.items() for job, body in flow["jobs"].items()
}
STEPS = [(job, step) for job, body in JOBS.items() for step in body["steps"]]
RUNS = [(job, step) for job, step in STEPS if "run" in step]
# The first versions that run on Node 24: since September 2026 the runners have no other.
OLDEST = {"checkout": 5, "setup-python": 6, "upload-artifact": 6, "download-artifact": 7}
MADE = {"_build/book/_build/html": "make book", "pages": "download-artifact"}  # by an earlier step


def test_there_is_one_for_tests_one_that_publishes_or_previews_and_one_for_newest_releases():
    assert WORKFLOWS.keys() == {"ci", "deploy", "newest"}
    when = {name: set(flow[True]) for name, flow in WORKFLOWS.items()}  # YAML reads "on" as true
    assert {"push", "pull_request"} <= when["ci"] & when["deploy"]
    assert "schedule" in when["newest"]
    assert "pull_request" in JOBS["deploy/publish"]["if"] and "if" not in JOBS["deploy/book"]


def test_only_the_job_that_publishes_may_write_and_it_runs_nothing_that_was_built():
    for name, flow in WORKFLOWS.items():
        assert flow["permissions"] == {"contents": "read"}, name
    writing = [name for name, job in JOBS.items() if "permissions" in job]
    assert writing == ["deploy/publish"]
    assert not [step for step in JOBS["deploy/publish"]["steps"] if "checkout" in str(step)]
    assert all("timeout-minutes" in job for job in JOBS.values())


@pytest.mark.parametrize("action", sorted({step["uses"] for _, step in STEPS if "uses" in step}))
def test_an_action_runs_where_there_is_no_older_node(action):
    owner, name, major = re.fullmatch(r"(\w+)/([\w-]+)@v(\d+)", action).groups()
    assert owner == "actions" and int(major) >= OLDEST[name]


def test_what_is_uploaded_is_what_is_downloaded():
    up, down = (
        [step["with"] for _, step in STEPS if action in step.get("uses", "")]
        for action in ("upload-artifact", "download-artifact")
    )
    assert [one["name"] for one in up] == [one["name"] for one in down] == ["pages"]
    assert up[0]["path"] == "_build/book/_build/html" and down[0]["path"] == "pages"


@pytest.mark.parametrize("job, step", RUNS, ids=[f"{job}-{i}" for i, (job, _) in enumerate(RUNS)])
def test_what_a_step_names_is_there(job, step):
    shell, here = step["run"], step.get("working-directory", "")
    assert subprocess.run(["bash", "-n", "-c", shell]).returncode == 0
    if here:
        steps = JOBS[job]["steps"]
        assert MADE[here] in str(steps[: steps.index(step)])
    makefiles = "".join(path.read_text() for path in (ROOT / "Makefile", ROOT / "book/publish.mk"))
    for target in re.findall(r"\bmake ([\w-]+)", shell):
        assert re.search(rf"^{target}:", makefiles, re.MULTILINE), target
    for script in re.findall(r"(?<![\w/])\.ci/\w+", shell):
        assert os.access(ROOT / script, os.X_OK), script
    for path in re.findall(r"(?:\.\./)+\S+", shell):
        assert (ROOT / os.path.normpath(f"{here}/{path}")).is_file(), path
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extras in re.findall(r"\.\[([\w,]+)\]", shell):
        assert set(extras.split(",")) <= told["optional-dependencies"].keys()


def run(step, folder, url):
    """A step's shell as the service would run it, with another repository in the place of its
    own.
    """
    said = {"actor": "us", "sha": "abc", "token": "secret", "repository": "us/book"}
    shell = re.sub(r"\$\{\{ github\.(\w+) \}\}", lambda found: said[found[1]], step["run"])
    assert "${{" not in shell
    theirs = "https://x-access-token:secret@github.com/us/book.git"
    env = os.environ | {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    env |= {"GIT_CONFIG_KEY_0": f"url.{url}.insteadOf", "GIT_CONFIG_VALUE_0": theirs}
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", shell],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_pages_are_pushed_to_their_branch_and_take_the_place_of_older_ones(tmp_path):
    (step,) = [step for step in JOBS["deploy/publish"]["steps"] if "run" in step]
    git = lambda *words: subprocess.run(
        ["git", "-C", tmp_path / "theirs", *words], capture_output=True, text=True, check=True
    ).stdout
    (tmp_path / "theirs").mkdir()
    git("init", "--quiet", "--bare")
    for page in ("old.html", "new.html"):
        folder = tmp_path / page.removesuffix(".html")
        (folder / "_static").mkdir(parents=True)
        (folder / page).write_text("a page")
        (folder / "_static/a.js").write_text("a script")
        run(step, folder, tmp_path / "theirs")
        listed = git("ls-tree", "-r", "--name-only", "gh-pages").split()
        assert listed == [".nojekyll", "_static/a.js", page]
    assert git("log", "--format=%s %an", "gh-pages") == "The book at abc us\n"
