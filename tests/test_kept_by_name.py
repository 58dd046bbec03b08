"""A kept experiment is found by its name alone; a chapter that names one depends on its file."""

import sys

import pytest
from test_chapters import ROOT

from svdicl_lite.search.committed import kept_file, outcomes
from svdicl_lite.search.committed_spectra import spectra

sys.path.insert(0, str(ROOT / "book/_ext"))
import dependencies


@pytest.mark.parametrize("folder", [".", "chapters", "tests"])
def test_an_experiment_is_found_by_name_from_any_folder_of_the_project(folder, monkeypatch):
    monkeypatch.chdir(ROOT / folder)
    assert kept_file("quantised.json").samefile(ROOT / "experiments/quantised.json")
    assert len(outcomes("baselines", task="movies")) == 1
    assert {"q", "o"} <= set(spectra("smollm2_spectra")["role"])


def test_a_file_of_ones_own_comes_before_a_kept_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quantised.json").write_text("{}")
    assert kept_file("quantised.json").samefile(tmp_path / "quantised.json")


def test_a_name_that_is_nowhere_says_how_to_compute_it():
    with pytest.raises(FileNotFoundError, match=r"'nowhere' has no outcomes yet; `make exp"):
        outcomes("nowhere")


@pytest.mark.parametrize(
    "code, wanted",
    [
        ('outcomes("baselines")', {"baselines.parquet"}),
        ('outcomes("../experiments/baselines.parquet")', {"baselines.parquet"}),
        ('json.loads(kept_file("quantised.json").read_text())', {"quantised.json"}),
        ('print("no experiment at all")', set()),
    ],
)
def test_a_chapter_depends_on_the_experiments_that_it_names(code, wanted):
    tree = dependencies.ast.parse(code)
    assert {file.name for file in dependencies.kept(tree)} == wanted
