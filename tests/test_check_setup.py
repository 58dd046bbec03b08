"""`make check-setup` runs once a release, outside the suite; what can be known of it sooner."""

import subprocess
import sys

import pytest
import yaml
from test_chapters import ROOT
from transformers import AutoModelForCausalLM, AutoTokenizer
from typer.testing import CliRunner

from svdicl_lite import load_task
from svdicl_lite.cli.commands import app

sys.path.insert(0, str(ROOT / "tests/setup"))
import check_setup
from check_setup import CLONES, STEPS, Failed, SetUp, recipe_of

TASK, RECIPE = recipe_of(ROOT / "chapters/15_your_model.md")


def test_the_recipe_asks_the_harness_for_our_prompt():
    task, ours = yaml.safe_load(TASK), load_task("sentiment", "flipped")
    assert task["doc_to_text"] == ours.template.replace("{text}", "{{text}}").removesuffix(
        " {label}"
    )
    assert sorted(task["doc_to_choice"]) == sorted(ours.words())
    assert (task["target_delimiter"], task["fewshot_delimiter"]) == (" ", "\n")
    assert task["dataset_kwargs"]["data_files"].keys() >= {"train", "test"}


def test_the_clips_of_the_recipe_write_folders_that_transformers_loads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clips = [line.split()[1:] for line in RECIPE.splitlines() if line.startswith("svdicl clip")]
    assert len(clips) == 2
    for words in clips:
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
    whole, clipped = (AutoModelForCausalLM.from_pretrained(name) for name in ("whole", "clipped"))
    differ = [
        name
        for (name, one), other in zip(whole.named_parameters(), clipped.parameters())
        if not one.equal(other)
    ]
    assert differ and all(".2.mlp." in name for name in differ)
    assert AutoTokenizer.from_pretrained("clipped")("text: it was good").input_ids


def test_the_recipe_names_the_folders_that_it_makes_and_the_logs_that_are_compared():
    assert "for model in whole clipped" in RECIPE and "--log_samples --output_path logs" in RECIPE
    assert "svdicl compare logs/whole/samples_*.jsonl logs/clipped/samples_*.jsonl" in RECIPE


def test_clones_lie_where_paths_break():
    assert any(" " in name for name in CLONES) and not all(name.isascii() for name in CLONES)


@pytest.fixture
def setup(tmp_path, monkeypatch):
    setup = SetUp(tmp_path, full=False)
    monkeypatch.setattr(setup, "other_user", False)
    return setup


def test_what_a_command_says_is_heard_and_a_failure_tells_its_end(setup, tmp_path):
    assert setup.run("sh", "-c", "echo $HOME", where=tmp_path) == f"{tmp_path}/home\n"
    with pytest.raises(Failed, match="(?s)ended with 3:.*why"):
        setup.run("sh", "-c", "echo why; exit 3", where=tmp_path)


def test_an_interruption_waits_for_a_file_and_must_not_pass_for_success(setup, tmp_path):
    begun = "touch begun; exec sleep 60"
    assert setup.interrupt("sh", "-c", begun, where=tmp_path, until="begun") == ""
    with pytest.raises(Failed, match="ended before it could be interrupted"):
        setup.interrupt("true", where=tmp_path, until="never")
    well = "trap 'exit 0' INT; touch well; while :; do sleep 0.1; done"
    with pytest.raises(Failed, match="said that all is well"):
        setup.interrupt("sh", "-c", well, where=tmp_path, until="well")


def test_a_command_without_a_network_reaches_none(setup):
    setup.other_user = True
    words = setup.command("curl", "x", offline=True)
    assert words[:2] == ["unshare", "--net"] and words[-2:] == ["curl", "x"]
    assert "--reuid=65534" in words and setup.command("ls")[0] == "setpriv"


def test_steps_are_chosen_by_name_and_each_says_what_it_does(monkeypatch, capsys, tmp_path):
    assert all(step.__doc__ for step in STEPS.values())
    monkeypatch.setitem(check_setup.STEPS, "doctor", lambda setup: "well")
    check_setup.STEPS["doctor"].__doc__ = "As a test."
    monkeypatch.setattr(sys, "argv", ["check_setup", "doctor", "--keep", str(tmp_path / "kept")])
    assert check_setup.main() == 0
    assert "doctor: As a test.\n  well  [0 s]" in capsys.readouterr().out

    def fails(setup):
        """Fails."""
        raise Failed("it rains")

    monkeypatch.setitem(check_setup.STEPS, "doctor", fails)
    assert check_setup.main() == 1 and "FAILED: it rains" in capsys.readouterr().out


def test_make_has_it_outside_the_suite():
    shown = subprocess.run(
        ["make", "-n", "check-setup", "SETUP=wheel"], cwd=ROOT, capture_output=True, text=True
    )
    assert "tests/setup/check_setup.py wheel" in shown.stdout
