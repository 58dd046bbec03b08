"""A widget in JupyterLab: a drag in the page reaches Python, and Python's change the page."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nbformat
import pytest

CODE = (
    (
        "import torch\nfrom svdicl_lite.widgets import RankSlider\nwidget ="
        " RankSlider(torch.eye(20), torch.eye(20))\nwidget"
    ),
    "print('python has', widget.clip_rate)",
    "widget.clip_rate = 0.25\nprint('python set', widget.clip_rate)",
)
UNUSED = (
    "jupyter_lsp",
    "jupyter_server_terminals",
    "jupyterlab_jupytext",
    "notebook_shim",
)  # parts of the server that would only take time to start


def start_kernel(url):
    """Begins the notebook's kernel once the server at `url` answers."""
    session = json.dumps(
        {
            "path": "live.ipynb",
            "name": "live.ipynb",
            "type": "notebook",
            "kernel": {"name": "python3"},
        }
    ).encode()
    for _ in range(240):
        try:
            urllib.request.urlopen(
                urllib.request.Request(
                    f"{url}/api/sessions", session, {"Content-Type": "application/json"}
                ),
                timeout=60,
            )
            break
        except urllib.error.HTTPError:
            raise
        except OSError:  # not there yet
            time.sleep(0.25)


@pytest.fixture
def lab(tmp_path):
    """The url of a notebook with these cells in a JupyterLab of its own. Its kernel imports the
    module while the page is still loading.
    """
    cells = [nbformat.v4.new_code_cell(source) for source in CODE]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), tmp_path / "live.ipynb")
    for path, text in {
        "config/jupyter_server_config.json": json.dumps(
            {"ServerApp": {"jpserver_extensions": dict.fromkeys(UNUSED, False)}}
        ),
        "ipython/profile_default/startup/early.py": "import svdicl_lite.widgets",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [
        "--no-browser",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=",
        f"--ServerApp.root_dir={tmp_path}",
        "--allow-root",
    ]
    arguments += [
        "--ServerApp.disable_check_xsrf=True"
    ]  # or it would not start the kernel for us below
    homes = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    env = os.environ | {name: str(tmp_path / folder) for name, folder in homes.items()}
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *arguments],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    start_kernel(url)
    yield f"{url}/lab/tree/live.ipynb"
    server.terminate()
    server.wait(20)


def test_a_drag_reaches_python_and_pythons_change_reaches_the_page(browser, lab):
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    page.set_default_timeout(60_000)
    page.goto(lab)
    page.locator(".jp-Notebook .jp-CodeCell .cm-content").first.click()
    page.wait_for_selector(
        ".jp-NotebookPanel-toolbar [data-status=idle],"
        " .jp-Notebook-ExecutionIndicator[data-status=idle]"
    )
    page.keyboard.press("Shift+Enter")
    slider = page.locator(".svdicl input[type=range]")
    slider.wait_for()
    box = slider.bounding_box()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    dragged = float(slider.input_value())
    assert 0.4 < dragged < 0.6
    slider.focus()
    page.keyboard.press("ArrowRight")  # which JupyterLab must not take for its own
    moved = float(slider.input_value())
    assert moved == pytest.approx(dragged + 0.005) and slider.evaluate(
        "node => node === document.activeElement"
    )
    for cell, wanted in ((1, f"python has {moved}"), (2, "python set 0.25")):
        page.locator(".jp-CodeCell .cm-content").nth(cell).click()
        page.keyboard.press("Shift+Enter")
        page.locator(".jp-OutputArea-output", has_text=wanted).wait_for()
    page.wait_for_function("document.querySelector('.svdicl input[type=range]').value === '0.25'")
    assert "ξ = 0.250" in page.locator(".svdicl .says").inner_text()
