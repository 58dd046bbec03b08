"""Everything that needs the address of the repository, from one value: `repository_url` in
`_config.yml`. Unset, there are no buttons, and texts name no address.

Set, each page has buttons for the repository, for an edit of its source and for an issue about it,
and each chapter buttons that start it on Binder, on Colab, and on a JupyterHub if `jupyterhub_url`
names one. They start the notebook as it was published, from the branch that the workflow `deploy`
writes, and its first cell installs what it needs. A page's text writes `{{repository}}` where the
address goes.
"""

import json
from pathlib import Path
from urllib.parse import quote

MARK = "{{repository}}"
QUOTED = "{{repository quoted}}"  # as a part of another address
UNKNOWN = "ADDRESS_OF_THE_REPOSITORY"
PUBLISHED = "gh-pages"  # the branch that .github/workflows/deploy.yml writes
FROM_MAIN = {
    "/main?urlpath": f"/{PUBLISHED}?urlpath",  # Binder
    "/blob/main/": f"/blob/{PUBLISHED}/",  # Colab
    "branch=main": f"branch={PUBLISHED}",  # a JupyterHub, by nbgitpuller
}
INSTALL = """\
# What this notebook needs: fetched where it is not there yet, on Colab for example.
try:
    import svdicl_lite
except ImportError:
    %pip install --quiet "svdicl-lite[book] @ git+{address}"
"""
BUTTONS = ("use_repository_button", "use_edit_page_button", "use_issues_button")


def _offer(app, config):
    options = config.html_theme_options
    address = config.repository_url.rstrip("/")
    options.update(dict.fromkeys(BUTTONS, bool(address)))
    if address:
        options["repository_url"] = address
        options["repository_branch"] = "main"  # Jupyter Book would say master
        options["launch_buttons"] = {
            "binderhub_url": "https://mybinder.org",
            "notebook_interface": "jupyterlab",
            "jupyterhub_url": config.jupyterhub_url,
        }
        if "github.com/" in address:  # Colab opens no other
            options["launch_buttons"]["colab_url"] = "https://colab.research.google.com"


def _name(app, docname, source):
    address = app.config.repository_url.rstrip("/")
    source[0] = source[0].replace(QUOTED, quote(address, safe="") or UNKNOWN)
    source[0] = source[0].replace(MARK, address or UNKNOWN)


def _to_sources(app, pagename, templatename, context, doctree):
    """Pages are built from executed notebooks. In the repository lie the texts, for who edits one;
    the notebooks lie in the published branch, for who starts one.
    """
    notebook = f"{pagename}.ipynb"

    def mend(buttons, launch=False):
        for button in buttons:
            mend(button.get("buttons", []), launch or button.get("label") == "launch-buttons")
            url = button.get("url", "")
            if launch:
                published = url.replace(notebook, f"_sources/{notebook}")
                for old, new in FROM_MAIN.items():
                    published = published.replace(old, new)
                button["url"] = published
            elif pagename.startswith("chapters/") and "://" in url:
                button["url"] = url.replace(notebook, f"{pagename}.md")

    mend(context.get("header_buttons", []))


def installing(address: str) -> dict:
    """The cell that comes first in a published notebook."""
    source = INSTALL.format(address=address)
    cell = {"cell_type": "code", "execution_count": None, "id": "install", "outputs": []}
    return cell | {"metadata": {}, "source": source.splitlines(keepends=True)}


def _with_first_cell(app, exception):
    """Into the notebooks of the site, for who downloads or starts one."""
    address = app.config.repository_url.rstrip("/")
    if exception or not address or app.builder.format != "html":
        return
    for path in sorted(Path(app.outdir, "_sources/chapters").glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if notebook["cells"][0].get("id") != "install":
            notebook["cells"].insert(0, installing(address))
            path.write_text(json.dumps(notebook, ensure_ascii=False, indent=1), encoding="utf-8")


def setup(app):
    app.add_config_value("repository_url", "", "env")
    app.add_config_value("jupyterhub_url", "", "env")
    app.connect("config-inited", _offer)
    app.connect("source-read", _name)
    app.connect("html-page-context", _to_sources, priority=900)
    app.connect("build-finished", _with_first_cell)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
