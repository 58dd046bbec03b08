"""Notebooks that are damaged or that a tool has touched, and a learner marked anew."""

import json
import random

import honest_work
import pytest
from honest_work import LIMITS, notebook, points

from svdicl_lite.classroom import grade
from svdicl_lite.classroom.submissions import find, read

# Fixtures: pytest looks for their names here.
autograder = honest_work.autograder


def mutated(text, seed):
    """A notebook's bytes with damage: a value of another kind, a piece lost, a byte changed."""
    rng = random.Random(seed)
    if seed % 2:
        data = bytearray(text.encode())
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data))
            data[at : at + rng.choice([0, 1, 1, 30])] = rng.choice([b"", b"\xff", b'"', b"{", b"0"])
        return bytes(data)
    tree = json.loads(text)
    for _ in range(rng.randint(1, 3)):
        node, steps = tree, rng.randint(0, 3)
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = rng.choice(keys)
            if steps == 0 or not isinstance(node[key], (dict, list)):
                node[key] = rng.choice([None, 7, "x", [], {}, [None], "\ud83d", -1e400, True])
                break
            node, steps = node[key], steps - 1
    return json.dumps(tree).encode()


class Answers:
    """A marker that takes everything, so that only what comes before it is tried."""

    def __init__(self, autograder):
        pass

    def mark(self, notebook, limits, seconds):
        json.dumps(notebook).encode()
        empty = {name: [] for name in ("flags", "stopped", "errors", "have")}
        return {"status": "graded", "reason": "", "questions": {}, "seconds": 0, **empty}

    def close(self):
        pass


def hand_in(folder, count, start=0):
    for seed in range(start, start + count):
        (folder / f"learner{seed:03d}.ipynb").write_bytes(mutated(json.dumps(notebook()), seed))
    (folder / "zz.ipynb").write_text(json.dumps(notebook()))


def test_grading_without_what_it_needs_names_the_extra(autograder, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    monkeypatch.setattr(grade, "find_spec", lambda name: None)
    with pytest.raises(
        ImportError, match=r"IPython and psutil, .+ pip install -e '\.\[assignments"
    ):
        next(grade.grade_all(tmp_path / "in", autograder, tmp_path / "out", {}, 60))


def test_one_learner_is_marked_anew_and_others_are_not(autograder, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("ada", "bob"):
        (folder / f"{name}.ipynb").write_text(json.dumps(notebook()))
    list(grade.grade_all(folder, autograder, tmp_path / "out", LIMITS, 60, jobs=2))
    kept = {path.stem: path.stat().st_mtime_ns for path in (tmp_path / "out/results").iterdir()}
    again = grade.grade_all(folder, autograder, tmp_path / "out", LIMITS, 60, again=("bob",))
    assert [points(result) for _, result in again] == [[2, 2, 2], [2, 2, 2]]
    now = {path.stem: path.stat().st_mtime_ns for path in (tmp_path / "out/results").iterdir()}
    assert now["ada"] == kept["ada"] and now["bob"] > kept["bob"]
    with pytest.raises(ValueError, match="nobody among the submissions is called 'eve'"):
        next(grade.grade_all(folder, autograder, tmp_path / "out", LIMITS, 60, again=("eve",)))


def test_no_damaged_file_stops_a_batch(autograder, tmp_path, monkeypatch):
    monkeypatch.setattr(grade, "Marker", Answers)
    folder = tmp_path / "in"
    folder.mkdir()
    hand_in(folder, 200)
    found = list(grade.grade_all(folder, autograder, tmp_path / "out", {}, 60))
    assert len(found) == 201 and found[-1][1]["status"] == "graded"
    refused = [result for _, result in found if result["status"] == "refused"]
    assert 20 < len(refused) < 180 and all(result["reason"] for result in refused)


def test_damaged_notebooks_leave_the_next_ones_mark_alone(autograder, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    hand_in(folder, 8, start=300)
    found = list(grade.grade_all(folder, autograder, tmp_path / "out", LIMITS, 60, jobs=2))
    assert points(found[-1][1]) == [2, 2, 2]
    assert {result["status"] for _, result in found} <= {"graded", "refused"}


@pytest.mark.parametrize(
    "name, change",
    [
        ("capitals.IPYNB", lambda data: data),
        ("bom.ipynb", lambda data: b"\xef\xbb\xbf" + data),
        ("tags.ipynb", lambda data: data.replace(b'"tags": []', b'"tags": null')),
        ("b\udcfchler.ipynb", lambda data: data),  # a name in Latin-1
        ("emoji.ipynb", lambda data: data.replace(b'"def', b'"# \\ud83d\\ndef')),
    ],
)
def test_file_that_a_tool_has_touched_is_read(tmp_path, name, change):
    (tmp_path / name).write_bytes(change(json.dumps(notebook()).encode()))
    (submission,) = find(tmp_path)
    sources = [cell["source"] for cell in read(submission, "01_tiny")["cells"]]
    assert len(sources) == 7 and "def area" in sources[1]
    submission.key.encode()
