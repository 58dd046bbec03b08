"""Masters that cannot be built: each is refused in a sentence that says why."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("otter")
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book/_ext"))
import assignments  # noqa: E402
from masters import Master  # noqa: E402

FIRST = Master(ROOT / "book/assignments/01_svd")
BUILD = [sys.executable, "book/_ext/assignments.py"]


def planted_copy(master, tmp_path, old, new):
    folder = tmp_path / master.name
    folder.mkdir()
    (tmp_path / "otter.yml").write_text((master.folder.parent / "otter.yml").read_text())
    text = (master.folder / "master.md").read_text()
    assert old in text
    (folder / "master.md").write_text(text.replace(old, new, 1))
    return folder


def test_build_refuses_a_solution_in_the_text(tmp_path):
    folder = planted_copy(
        FIRST,
        tmp_path,
        "## Question 2. Cut it\n",
        "## Question 2. Cut it\n\n    U, S, Vh = np.linalg.svd(W, full_matrices=False)\n",
    )
    with pytest.raises(ValueError, match="would hand out 'U,S,Vh="):
        assignments.build(Master(folder), tmp_path / "out")
    assert not (tmp_path / "out/01_svd").exists()


def test_master_whose_solution_is_not_marked_is_refused(tmp_path):
    folder = planted_copy(
        FIRST,
        tmp_path,
        "    # BEGIN SOLUTION\n    return (U * S) @ Vh\n    # END SOLUTION\n",
        "    return (U * S) @ Vh\n",
    )
    with pytest.raises(ValueError, match="01_svd, q1: a solution cell marks nothing"):
        Master(folder)


def test_master_with_two_tests_of_one_name_is_refused(tmp_path):
    folder = planted_copy(FIRST, tmp_path, "def test_wide_and_ends(", "def test_best(")
    with pytest.raises(ValueError, match="q2: two tests have one name"):
        Master(folder)


@pytest.mark.parametrize(
    "there, arguments, sentence",
    [
        ((), [], "holds no master, only: nothing"),
        (("07_x/master.md",), ["07"], "otter.yml"),
        (("07_x/master.md", "otter.yml"), ["08"], "holds no master 08, only: 07_x"),
    ],
)
def test_a_private_folder_that_cannot_be_built_says_why(tmp_path, there, arguments, sentence):
    for name in there:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(
            (FIRST.folder / "master.md").read_text().replace("name: 01_svd", "name: 07_x")
        )
    done = subprocess.run(
        [*BUILD, str(tmp_path / "out"), *arguments, "--masters", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and sentence in done.stderr and "Traceback" not in done.stderr, (
        done.stderr
    )
