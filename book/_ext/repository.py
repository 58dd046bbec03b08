"""Everything that needs the address of the repository, from one value: `repository_url` in
`_config.yml`. Unset, there are no buttons, and texts name no address.

Set, each page has buttons for the repository, for an edit of its source and for an issue about it,
and each chapter one that starts it on Binder. A page's text writes `{{repository}}` where the
address goes.
"""

from urllib.parse import quote

MARK = "{{repository}}"
QUOTED = "{{repository quoted}}"  # as a part of another address
UNKNOWN = "ADDRESS_OF_THE_REPOSITORY"
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
        }


def _name(app, docname, source):
    address = app.config.repository_url.rstrip("/")
    source[0] = source[0].replace(QUOTED, quote(address, safe="") or UNKNOWN)
    source[0] = source[0].replace(MARK, address or UNKNOWN)


def _to_sources(app, pagename, templatename, context, doctree):
    """Pages are built from executed notebooks; in the repository lie the texts."""

    def mend(buttons):
        for button in buttons:
            mend(button.get("buttons", []))
            if pagename.startswith("chapters/") and "://" in button.get("url", ""):
                button["url"] = button["url"].replace(f"{pagename}.ipynb", f"{pagename}.md")

    mend(context.get("header_buttons", []))


def setup(app):
    app.add_config_value("repository_url", "", "env")
    app.connect("config-inited", _offer)
    app.connect("source-read", _name)
    app.connect("html-page-context", _to_sources, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
