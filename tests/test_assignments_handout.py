"""A notebook as handed out runs where little is installed: its first cell unpacks and installs."""

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("otter")
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book/_ext"))
import assignments  # noqa: E402
from handout import wheel_name  # noqa: E402
from masters import masters  # noqa: E402

NAME = "03_prompts"


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory):
    master = next(master for master in masters() if master.name == NAME)
    return assignments.build(master, tmp_path_factory.mktemp("built")) / f"{NAME}-student.zip"


@pytest.fixture
def here(handed_out, tmp_path, monkeypatch):
    """A folder with the zip and nothing else, as an upload leaves it; the first cell's source."""
    monkeypatch.chdir(tmp_path)
    Path(handed_out.name).write_bytes(handed_out.read_bytes())
    with zipfile.ZipFile(handed_out) as archive:
        notebook = nbformat.reads(archive.read(f"{NAME}/{NAME}.ipynb").decode(), as_version=4)
    return next(cell.source for cell in notebook.cells if cell.cell_type == "code")


def test_first_cell_unpacks_and_installs_nothing_where_all_is_there(here, monkeypatch):
    def never(*_, **__):
        raise AssertionError("something was installed")

    monkeypatch.setattr(subprocess, "run", never)
    exec(compile(here, "cell", "exec"), {})
    assert {path.name for path in Path("tests").iterdir()} == {f"q{n}.py" for n in range(1, 7)}
    assert Path(wheel_name()).exists() and not Path(NAME).exists()


def test_first_cell_says_so_when_nothing_can_be_installed(here, monkeypatch, capsys):
    asked = []

    def offline(command, **_):
        asked.append(command)
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(subprocess, "run", offline)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    exec(compile(here, "cell", "exec"), {})
    assert asked[0][1:4] == ["-m", "pip", "install"] and asked[0][-1] == wheel_name()
    assert "Is this machine offline" in capsys.readouterr().out


def test_wheel_installs_without_a_network_and_brings_the_model_along(here, tmp_path):
    exec(compile(here, "cell", "exec"), {})
    target = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", target]
    subprocess.run([*pip, wheel_name()], check=True, capture_output=True)
    code = "import svdicl_lite; svdicl_lite.load_model('icl-gpt2'); print(svdicl_lite.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(target), "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        cwd="/",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stdout.startswith(str(target)), done.stderr[-2000:]
