"""What `svdicl doctor` finds, and what it advises."""

import subprocess
import urllib.error
import urllib.request

import pytest
from command_line import answer, run

from svdicl_lite.cli import doctor


@pytest.fixture
def quiet(tmp_path, monkeypatch):
    """A machine with a cache of its own, on which hub and index answer."""
    monkeypatch.setenv("SVDICL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(doctor, "_open", lambda url, timeout: None)
    monkeypatch.setattr(doctor.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 0))
    return tmp_path


def found():
    return {check["check"]: check for check in answer("doctor")["checks"]}


def test_a_machine_in_order_is_fine(quiet, monkeypatch):
    monkeypatch.setattr(doctor, "ROOM", 0)
    told = answer("doctor")
    assert told["fine"] and {"torch", "transformers", "hub", "cache"} <= found().keys()
    assert found()["torch"]["found"] == __import__("torch").__version__
    assert found()["smollm2-135m"]["found"] == "not fetched yet"
    assert not (quiet / "cache").exists()  # it only looks
    assert "all is fine" in run("doctor").stdout


def test_what_does_not_answer_is_told_with_a_way_out(quiet, monkeypatch):
    def nobody(url, timeout):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(doctor, "_open", nobody)
    monkeypatch.setattr(
        doctor.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 1, "", "timeout")
    )
    told = found()
    assert told["hub"]["found"] == "no answer (no route to host)" and not told["hub"]["fine"]
    assert told["package index"]["found"] == "no answer (pip gets no answer)"
    said = run("doctor").stdout
    assert "hub: shipped models, folders and GGUF files need no hub" in said
    assert "package index: it is asked for smollm2-135m" in said


def test_an_index_that_never_answers_is_not_waited_for(quiet, monkeypatch):
    def waits(command, timeout, **how):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(doctor.subprocess, "run", waits)
    assert not found()["package index"]["fine"]


def test_a_hub_that_says_no_is_there_and_one_that_fails_is_not(monkeypatch):
    for code, fine in ((403, True), (503, False)):

        def says(request, timeout, code=code):
            raise urllib.error.HTTPError(request.full_url, code, "no", {}, None)

        monkeypatch.setattr(urllib.request, "urlopen", says)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        assert doctor.hub(1).fine == fine
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE is set" in doctor.hub(1).found


def test_versions_that_do_not_fit_are_named(monkeypatch):
    wanted = ["torch>=99", "numpy", "no-such-package>=1", "pytest; extra == 'test'"]
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: wanted)
    checks = {check.check: check for check in doctor.versions()}
    assert not checks["torch"].fine and checks["torch"].advice == "pip install 'torch>=99'"
    assert checks["numpy"].fine and checks["no-such-package"].found == "missing"
    assert "pytest" not in checks


def test_a_cache_that_cannot_be_written_is_named(quiet, monkeypatch):
    (quiet / "file").write_text("")
    monkeypatch.setenv("SVDICL_CACHE", str(quiet / "file"))
    told = found()["cache"]
    assert not told["fine"] and "cannot be written" in told["found"]
    assert "SVDICL_CACHE" in told["advice"]
    monkeypatch.setenv("SVDICL_CACHE", str(quiet))
    monkeypatch.setattr(doctor, "ROOM", 1e9)
    assert found()["cache"]["advice"].startswith("make room")
