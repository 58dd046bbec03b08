"""What a reader can start: a published notebook, on three services, that installs what it needs."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_chapters import ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import repository

ADDRESS = "https://github.com/us/book"
PAGE = "chapters/07_a"


def offered(address=ADDRESS, hub=""):
    config = SimpleNamespace(html_theme_options={}, repository_url=address, jupyterhub_url=hub)
    repository._offer(None, config)
    return config.html_theme_options


def buttons(hub="https://hub.example"):
    """Where the theme's launch buttons lead, by their text, after ours has mended them."""
    from sphinx_book_theme.header_buttons.launch import add_launch_buttons

    context = {
        "pagename": PAGE,
        "sourcename": f"{PAGE}.ipynb",
        "page_source_suffix": ".ipynb",
        "header_buttons": [],
        "github_url": "https://github.com",
        "github_user": "us",
        "github_repo": "book",
    }
    app = SimpleNamespace(
        env=SimpleNamespace(doc2path=lambda name: f"{name}.ipynb", metadata={PAGE: {}}),
        config={"html_theme_options": offered(hub=hub)},
        outdir="nowhere",
    )
    add_launch_buttons(app, PAGE, "", context, None)
    repository._to_sources(app, PAGE, "", context, None)
    (group,) = context["header_buttons"]
    return {button["text"]: button["url"] for button in group["buttons"]}


def test_each_service_starts_the_published_notebook():
    found = buttons()
    notebook, branch = f"_sources/{PAGE}.ipynb", repository.PUBLISHED
    assert found.keys() == {"Binder", "JupyterHub", "Colab"}
    assert found["Binder"].endswith(f"/us/book/{branch}?urlpath=lab/tree/{notebook}")
    assert found["Colab"].endswith(f"/github/us/book/blob/{branch}/{notebook}")
    assert f"lab/tree/book/{notebook}" in found["JupyterHub"]
    assert f"branch={branch}" in found["JupyterHub"]


def test_there_is_no_button_for_what_is_not_there():
    assert "JupyterHub" not in buttons(hub="")
    assert "colab_url" not in offered("https://git.example/us/book")["launch_buttons"]
    assert "launch_buttons" not in offered(address="")


@pytest.mark.parametrize("times", [1, 2])
def test_a_published_notebook_installs_first_and_once(tmp_path, times):
    folder = tmp_path / "_sources/chapters"
    folder.mkdir(parents=True)
    (folder / "07_a.ipynb").write_text(json.dumps({"cells": [{"id": "x"}], "nbformat": 4}))
    app = SimpleNamespace(
        config=SimpleNamespace(repository_url=f"{ADDRESS}/"),
        builder=SimpleNamespace(format="html"),
        outdir=tmp_path,
    )
    for _ in range(times):
        repository._with_first_cell(app, None)
    first, second = json.loads((folder / "07_a.ipynb").read_text())["cells"]
    code = "".join(first["source"])
    assert f'"svdicl-lite[book] @ git+{ADDRESS}"' in code and second == {"id": "x"}
    compile(code.replace("%pip", "pip = '''") + "'''", "cell", "exec")


def test_without_an_address_a_notebook_stays_as_it_is(tmp_path):
    folder = tmp_path / "_sources/chapters"
    folder.mkdir(parents=True)
    (folder / "07_a.ipynb").write_text("{}")
    app = SimpleNamespace(
        config=SimpleNamespace(repository_url=""),
        builder=SimpleNamespace(format="html"),
        outdir=tmp_path,
    )
    repository._with_first_cell(app, None)
    assert Path(folder / "07_a.ipynb").read_text() == "{}"
