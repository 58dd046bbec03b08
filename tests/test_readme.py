"""What README and CONTRIBUTING say of files, commands and names is so."""

import importlib
import re
import subprocess
import sys

import pytest
from test_chapters import ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import readme
from dependencies import graph


def test_the_readme_s_table_is_what_the_docstrings_say():
    text = (ROOT / "README.md").read_text()
    assert readme.written(text) == text, "python book/_ext/readme.py writes it"


def test_the_table_leaves_no_file_out():
    listed = readme.table()
    names = [path for path in readme.MODULE.rglob("*.py") if not path.name.startswith("__")]
    assert names and all(f"{path.name}`" in listed for path in names)


def test_a_file_without_a_docstring_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    (tmp_path / "silent.py").write_text("x = 1\n")
    with pytest.raises(ValueError, match="silent.py has no docstring"):
        readme.summary(tmp_path / "silent.py")


def test_a_summary_is_the_first_sentence_on_one_line(tmp_path):
    (tmp_path / "told.py").write_text('"""What it\nis, e.g. this. And more."""\n')
    assert readme.summary(tmp_path / "told.py") == "What it is, e.g. this"


def paths_in(text):
    """What stands in backquotes and looks like a path of the tree."""
    quoted = re.findall(r"`([\w./-]+/[\w./-]*|\w+\.(?:py|md|toml|yml|lock))`", text)
    return [path for path in quoted if not path.startswith(("_build", ".venv", "~", "/"))]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_path_that_a_page_names_exists(page):
    text = (ROOT / page).read_text()
    text = text.partition(readme.BEGIN)[0] + text.partition(readme.END)[2]
    named = [path for path in paths_in(text) if "NN" not in path and "NAME" not in path]
    assert len(named) >= 4
    missing = [path for path in named if not (ROOT / path).exists()]
    assert missing == []


def test_every_name_that_contributing_points_to_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = re.findall(r"`(\w+)` in `(svdicl_lite/[\w/]+)\.py`", text)
    assert len(named) >= 6
    for name, path in named:
        module = importlib.import_module(path.replace("/", "."))
        assert hasattr(module, name), f"{path}.py has no {name}"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_that_a_page_names_exists(page):
    told = (ROOT / page).read_text()
    targets = set(re.findall(r"(?:^|`)make ([a-z][\w-]*)", told, re.M))
    known = subprocess.run(["make", "-pnq"], cwd=ROOT, capture_output=True, text=True).stdout
    assert targets and targets <= set(re.findall(r"^([a-z][\w-]*):", known, re.M))


def room(module):
    """The room, or single file, in which a module lies; "" for the front door."""
    return module.partition(".")[2].partition(".")[0]


def reached(arrows, start):
    """All that can be reached from `start` by arrows."""
    found, todo = set(), [start]
    while todo:
        new = arrows.get(todo.pop(), set()) - found
        found |= new
        todo += new
    return found


def test_the_picture_of_the_rooms_is_what_the_code_imports():
    drawn = {}
    for low, high in re.findall(
        r"^  (\w+) --> (\w+)$", (ROOT / "CONTRIBUTING.md").read_text(), re.M
    ):
        drawn.setdefault(low, set()).add(high)
    real = {}
    for importing, imported in graph().items():
        for one in imported:
            if room(one) and room(importing) and room(one) != room(importing):
                real.setdefault(room(one), set()).add(room(importing))
    unreal = {low: highs - real.get(low, set()) for low, highs in drawn.items()}
    assert {low: highs for low, highs in unreal.items() if highs} == {}
    undrawn = {low: highs - reached(drawn, low) for low, highs in real.items()}
    assert {low: highs for low, highs in undrawn.items() if highs} == {}
