"""The browser of the tests: where none can be had the tests of pages and widgets are skipped for
all to see, and under CI they fail.
"""

import pytest
from browsers import executable
from test_chapters import make


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """The path at which Playwright has put no Chromium, on a machine without any."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "chromium-1/chrome-linux/chrome"


@pytest.mark.parametrize("ci", [None, "", "false"])
def test_without_a_browser_the_tests_skip_and_say_so(nowhere, monkeypatch, ci, request):
    monkeypatch.delenv("CI", raising=False) if ci is None else monkeypatch.setenv("CI", ci)
    with pytest.raises(
        pytest.skip.Exception,
        match="NO BROWSER: the widgets and pages are NOT tested; `make chromium` fetches one",
    ):
        executable(nowhere)
    assert "-ra" in request.config.getini(
        "addopts"
    )  # which lists each test that was skipped, with what it said


def test_without_a_browser_continuous_integration_fails(nowhere, monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises((pytest.fail.Exception, pytest.skip.Exception), match="NO BROWSER") as said:
        executable(nowhere)
    assert (
        said.type is pytest.fail.Exception
    )  # a skip that went through here would only skip this test


def test_the_system_s_browser_comes_before_the_one_that_playwright_brings(nowhere, monkeypatch):
    folder = nowhere.parents[2]
    nowhere.parent.mkdir(parents=True)
    nowhere.touch(0o755)
    assert executable(nowhere) == str(nowhere)
    (folder / "google-chrome").touch(0o755)
    assert executable(nowhere) == str(folder / "google-chrome")


@pytest.mark.parametrize("file", ["linux64/chrome-headless-shell", "linux/headless_shell"])
def test_a_shell_without_a_window_comes_before_a_whole_browser(nowhere, file):
    folder = nowhere.parents[2]
    (folder / "chromium").touch(0o755)
    shell = folder / "chromium_headless_shell-1" / file
    shell.parent.mkdir(parents=True)
    shell.touch(0o755)
    assert executable(nowhere) == str(shell)
    (folder / "chromium-headless-shell").touch(0o755)
    assert executable(nowhere) == str(folder / "chromium-headless-shell")


def test_the_test_command_fetches_a_browser_where_there_is_none():
    asked = make("-n", "test").stdout
    assert asked.index("playwright install chromium") < asked.index("-m pytest")
