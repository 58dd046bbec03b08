"""The cache and pip's files: made once, whole or not at all, and each fault in one sentence."""

import errno
import hashlib
import json
import signal
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

from svdicl_lite.models import cache, packages, smollm2
from svdicl_lite.models.cache import cache_folder, cached, in_cache
from svdicl_lite.models.packages import Package, fetch


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("SVDICL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(text):
    return lambda folder: (folder / "text").write_text(text)


def test_the_cache_lies_in_the_home_folder_unless_the_environment_names_another(monkeypatch):
    monkeypatch.delenv("SVDICL_CACHE", raising=False)
    assert cache_folder() == Path.home() / ".cache" / "svdicl_lite"
    monkeypatch.setenv("SVDICL_CACHE", "~/elsewhere")
    assert cache_folder() == Path.home() / "elsewhere"


def test_what_is_there_is_not_made_again(root):
    assert cached("thing", write("first"), 1) == root / "thing"
    assert (cached("thing", write("second"), 1) / "text").read_text() == "first"


def test_what_was_cut_short_on_disk_is_made_again(root):
    folder = cached("thing", write("first"), 1)
    (folder / "text").write_text("fir")
    assert in_cache("thing") is None
    assert (cached("thing", write("second"), 1) / "text").read_text() == "second"


def test_an_error_while_making_leaves_nothing_behind(root):
    def broken(folder):
        (folder / "half").write_text("half")
        raise ValueError("the file is altered")

    with pytest.raises(ValueError, match="the file is altered"):
        cached("thing", broken, 1)
    assert in_cache("thing") is None
    assert [path.name for path in root.iterdir() if path.is_dir()] == []


SLOW = textwrap.dedent("""
    import sys, time
    from svdicl_lite.models.cache import cached
    def make(folder):
        print("making", flush=True)
        (folder / "text").write_text(sys.argv[1])
        time.sleep(float(sys.argv[2]))
    print((cached("thing", make, 1) / "text").read_text())
""")


def start(text, seconds):
    return subprocess.Popen(
        [sys.executable, "-c", SLOW, text, str(seconds)], stdout=subprocess.PIPE, text=True
    )


def test_two_processes_make_it_once(root):
    processes = [start("one", 1), start("two", 1)]
    said = [process.communicate(timeout=60)[0].splitlines() for process in processes]
    assert sorted(map(len, said)) == [1, 2]  # one made it, the other waited
    assert said[0][-1] == said[1][-1]


def test_what_a_killed_process_left_is_not_taken_for_the_whole(root):
    process = start("half", 60)
    assert process.stdout.readline() == "making\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert in_cache("thing") is None
    assert (cached("thing", write("whole"), 1) / "text").read_text() == "whole"
    assert [path.name for path in root.iterdir() if path.is_dir()] == ["thing"]


def test_a_full_disk_is_told_with_the_room_that_is_needed(root):
    with pytest.raises(OSError, match=r"has no room for 1,000,000,000 MB; make room, or name"):
        cached("thing", write("text"), 1e9)


def test_a_disk_that_fills_while_writing_leaves_nothing_behind(root):
    def full(folder):
        (folder / "half").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="no room for 7 MB; make room, or name a folder on another"):
        cached("thing", full, 7)
    assert [path.name for path in root.iterdir() if path.is_dir()] == []


def test_a_cache_that_cannot_be_written_is_told_and_can_still_be_read(root, monkeypatch):
    cached("there", write("text"), 1)

    def forbidden(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", forbidden)
    assert cached("there", write("other"), 1) == root / "there"
    with pytest.raises(OSError, match="cannot be written .Permission denied.; name one that can"):
        cached("thing", write("text"), 1)


def test_a_cache_that_is_a_file_is_told(root):
    root.write_text("not a folder")
    with pytest.raises(OSError, match="the cache folder .* cannot be written"):
        cached("thing", write("text"), 1)


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder of packages that stands in for the index, by pip's own settings; its one package."""
    wheel = tmp_path / "index" / "tinything-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as written:
        written.writestr("tinything/data.txt", "some data")
        written.writestr(
            "tinything-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: tinything\nVersion: 1.0\n",
        )
        written.writestr("tinything-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        written.writestr("tinything-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return Package("tinything", "1.0", digest, 0.1, source=False, licence="MIT", citation="")


def test_a_package_is_fetched_by_pip_with_the_users_own_settings(index, tmp_path):
    (tmp_path / "work").mkdir()
    file = fetch(index, tmp_path / "work")
    with zipfile.ZipFile(file) as wheel:
        assert wheel.read("tinything/data.txt") == b"some data"


@pytest.mark.parametrize("damage", ["cut", "altered"])
def test_a_wheel_that_was_cut_or_altered_is_refused(index, tmp_path, damage):
    wheel = next((tmp_path / "index").iterdir())
    data = wheel.read_bytes()
    wheel.write_bytes(data[: len(data) // 2] if damage == "cut" else data + b"\0")
    (tmp_path / "work").mkdir()
    with pytest.raises(ValueError, match="not the one that it should be .*cut or the file altered"):
        fetch(index, tmp_path / "work")


def test_without_an_index_the_sentence_says_so(index, tmp_path):
    next((tmp_path / "index").iterdir()).unlink()
    (tmp_path / "work").mkdir()
    with pytest.raises(OSError, match="tinything 1.0 .* cannot be fetched from the package index"):
        fetch(index, tmp_path / "work")


def test_without_pip_the_sentence_says_how_to_get_it(index, tmp_path, monkeypatch):
    (tmp_path / "bare" / "pip").mkdir(parents=True)
    (tmp_path / "bare" / "pip" / "__main__.py").write_text(
        "import sys; sys.exit('python: No module named pip')"
    )
    (tmp_path / "bare" / "pip" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "bare"))
    (tmp_path / "work").mkdir()
    with pytest.raises(OSError, match="has no pip; `python -m ensurepip` brings it"):
        fetch(index, tmp_path / "work")


def test_an_interrupted_fetch_stops_pip(index, tmp_path, monkeypatch):
    started = []

    class Slow(subprocess.Popen):
        def __init__(self, command, **how):
            super().__init__([sys.executable, "-c", "import time; time.sleep(60)"], **how)
            started.append(self)

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(packages.subprocess, "Popen", Slow)
    monkeypatch.setattr(packages.time, "sleep", interrupt)
    (tmp_path / "work").mkdir()
    with pytest.raises(KeyboardInterrupt):
        fetch(index, tmp_path / "work")
    assert started[0].poll() is not None


def test_the_model_without_an_index_is_refused_with_the_way_to_get_it(root, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(OSError, match="cannot load 'smollm2-135m': .*python -m svdicl_lite.models"):
        smollm2.folder()
    assert not smollm2.is_here()
    assert [path for path in root.iterdir() if path.is_dir()] == []


def test_sizes_are_written_last_and_say_what_is_there(root):
    folder = cached("thing", write("text"), 1)
    assert json.loads((folder / cache.SIZES).read_text()) == {"text": 4}
