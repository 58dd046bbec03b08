import json
import os
import subprocess
import sys

import journal_cases
import numpy as np
import pytest
from journal_cases import IDENTITY, RATES, same

from svdicl_lite.search.cells import Cell, judged
from svdicl_lite.search.journal import Journal
from svdicl_lite.search.sweeps import sweep

# Fixtures: pytest looks for their names here.
count = journal_cases.count
evaluators = journal_cases.evaluators


def test_scores_come_back_bit_for_bit_however_odd(tmp_path):
    scores = np.array([[1 / 3, -0.0, np.inf], [np.nan, 1e-45, 3.4e38]], dtype=np.float32)
    with Journal(tmp_path / "new" / "j", IDENTITY) as journal:  # the folder is made
        journal.add({"a": 1, "b": None}, scores)
        assert journal.get({"b": None, "a": 1}).tobytes() == scores.tobytes()
    with Journal(tmp_path / "new" / "j", IDENTITY) as journal:
        assert (
            journal.get({"b": None, "a": 1}).tobytes() == scores.tobytes()
            and journal.get({"a": 1}) is None
        )
        assert [key for key, _ in journal.entries()] == [{"a": 1, "b": None}]


def test_without_a_path_a_journal_only_remembers():
    with Journal(None, {}) as journal:
        journal.add({"a": 1}, np.eye(2))
        assert np.array_equal(journal.get({"a": 1}), np.eye(2))


def test_a_line_is_on_the_disk_as_soon_as_it_is_added(tmp_path):
    with Journal(tmp_path / "j", IDENTITY) as journal:
        journal.add({"a": 1}, np.eye(2))
        first, line = map(json.loads, (tmp_path / "j").read_text().splitlines())
        assert first == IDENTITY and len(line.pop("digest")) == 16
        assert line == {"key": {"a": 1}, "scores": [[1, 0], [0, 1]]}


def test_cut_off_at_any_byte_a_journal_holds_the_whole_lines_and_goes_on(tmp_path):
    path = tmp_path / "j"
    with Journal(path, IDENTITY) as journal:
        for number in range(3):
            journal.add({"a": number}, np.full((2, 2), number / 3))
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with Journal(path, IDENTITY) as journal:
            assert len(journal.scores) == max(0, whole[:cut].count(b"\n") - 1)
            for number in range(3):
                if journal.get({"a": number}) is None:
                    journal.add({"a": number}, np.full((2, 2), number / 3))
        assert path.read_bytes() == whole


@pytest.mark.parametrize("change", [{"model": "n"}, {"seeds": [0]}, {"more": 1}])
def test_a_journal_of_another_search_is_refused_and_named_by_what_differs(tmp_path, change):
    Journal(tmp_path / "j", IDENTITY).close()
    with pytest.raises(
        ValueError,
        match=f"j is of another search .it differs in '{[*change][0]}'.; name another file",
    ):
        Journal(tmp_path / "j", IDENTITY | change)
    Journal(tmp_path / "j", IDENTITY).close()  # and is not locked by the refusal


@pytest.mark.parametrize(
    "content",
    [
        b"dear diary",
        b"dear diary\nyesterday",
        b"[1]\n",
        b"\xff\xfe\n\n",
        b'{"model": "m", "seeds": [0, 1]}\nx\n{}\n',
    ],
)
def test_a_file_that_is_no_journal_is_refused_and_left_as_it_is(tmp_path, content):
    (tmp_path / "j").write_bytes(content)
    with pytest.raises(
        ValueError, match="j is (no journal of a search, or is damaged|of another search)"
    ):
        Journal(tmp_path / "j", IDENTITY)
    assert (tmp_path / "j").read_bytes() == content


def test_a_journal_in_use_is_refused_until_it_is_closed(tmp_path):
    with (
        Journal(tmp_path / "j", IDENTITY),
        pytest.raises(BlockingIOError, match="j is in use by another process; wait for it"),
    ):
        Journal(tmp_path / "j", IDENTITY)
    Journal(tmp_path / "j", IDENTITY).close()


def test_a_cell_named_twice_is_judged_once_and_answers_twice(evaluators, count, tmp_path):
    cells = [Cell(1, "mlp", rate) for rate in (0.9, 0.9, 0.5, 0.9)]
    plain = [outcome for _, outcome in judged(evaluators[0], cells)]
    assert len(count) == 2 and same([plain[0]] * 2, plain[1::2]) and not same(plain[:1], plain[2:3])
    with Journal(tmp_path / "j", IDENTITY) as journal:
        assert same(plain, [outcome for _, outcome in judged(evaluators[0], cells, journal)])


def test_layers_may_be_numbers_of_numpy(model, evaluators, count, tmp_path):
    with Journal(tmp_path / "j", IDENTITY) as journal:
        sweep(model, evaluators[0], np.arange(1, 3), ("mlp",), RATES, journal=journal)
    assert len(count) == 5  # two rates of two layers, and the model as it is
    with Journal(tmp_path / "j", IDENTITY) as journal:
        sweep(model, evaluators[0], (1, 2), ("mlp",), RATES, journal=journal)
    assert len(count) == 5


def test_a_line_that_was_changed_is_not_believed(tmp_path):
    """A column less, another number, another key, no digest: none of it is what was written."""
    scores = np.array([[1, -0.0, np.inf], [-np.float32(np.nan), 2, 3]], dtype=np.float32)
    with Journal(tmp_path / "j", IDENTITY) as journal:
        journal.add({"a": 1}, scores)
        journal.add({"a": 2}, scores)
    first, line, last = (tmp_path / "j").read_text().splitlines()

    def without_a_column(entry):
        entry["scores"] = [row[:-1] for row in entry["scores"]]

    def another_number(entry):
        entry["scores"][0][0] = 1.5

    def another_key(entry):
        entry["key"] = {"a": 3}

    def without_its_digest(entry):
        del entry["digest"]

    for change in (without_a_column, another_number, another_key, without_its_digest):
        entry = json.loads(line)
        change(entry)
        (tmp_path / "j").write_text("\n".join([first, json.dumps(entry), last, ""]))
        with pytest.raises(ValueError, match="j is no journal of a search, or is damaged"):
            Journal(tmp_path / "j", IDENTITY)
    (tmp_path / "j").write_text("\n".join([first, line, last, ""]))
    with Journal(tmp_path / "j", IDENTITY) as journal:
        assert len(journal.scores) == 2


@pytest.mark.parametrize("path", ["/dev/full", "/dev/zero"])
def test_a_device_is_no_journal(path):
    with pytest.raises(ValueError, match=f"the journal {path} is a device or a pipe; name a file"):
        Journal(path, IDENTITY)


def test_a_pipe_is_no_journal(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is a device or a pipe; name a file"):
        Journal(tmp_path / "pipe", IDENTITY)


FULL_DISK = """
import resource, signal, sys
import numpy as np
from svdicl_lite.search.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # bytes a file may have
try:
    with Journal(sys.argv[1], {"model": "m"}) as journal:
        for number in range(100):
            journal.add({"a": number}, np.full((8, 2), number / 3))
except OSError as error:
    print(len(journal.scores) - 1, error)
"""


def test_a_full_disk_is_told_with_the_name_of_the_journal_which_goes_on_later(tmp_path):
    path = tmp_path / "j"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, path], capture_output=True, text=True, check=True
    )
    n, _, reason = done.stdout.strip().partition(" ")
    assert done.stderr == "" and str(path) in reason and int(n) > 0
    with Journal(path, {"model": "m"}) as journal:
        assert len(journal.scores) == int(n)
        journal.add({"a": int(n)}, np.eye(2))
    with Journal(path, {"model": "m"}) as journal:
        assert len(journal.scores) == int(n) + 1
