"""Makes the HTML book ask no other host, and its widgets run without a kernel.

MathJax comes from `vendor/`, scripts that point outside are left out, and pages with widgets get
`book/assets/widgets.js`. Both are begun behind the first picture of a page:
`book/_templates/layout.html`.
"""

import json
from pathlib import Path

import parts
from myst_nb.core.render import WIDGET_STATE_MIMETYPE, WIDGET_VIEW_MIMETYPE
from sphinx.util.fileutil import copy_asset

VENDOR = Path(__file__).parent / "vendor"


def _use_local_scripts(app, config):
    config.mathjax_path = "vendor/mathjax/tex-chtml.js"
    config.mathjax_options = {"type": "text/after-paint"}
    config.nb_ipywidgets_js = {
        "widgets.js": {"type": "text/after-paint"}
    }  # instead of require.js and html-manager from a CDN
    # a place for each widget, before it comes; Sphinx has made pairs of the list by now
    config.html_css_files += [("widgets.css", {}), ("questions.css", {})]


def _show_widget_and_stand_in(app, doctree):
    """Of an output in several formats myst-nb shows one; of a widget both it and the figure and
    table that stand in for it.
    """
    for bundle in doctree.findall(
        lambda node: getattr(node, "attributes", {}).get("nb_element") == "mime_bundle"
    ):
        formats = {node["mime_type"]: node for node in bundle}
        if WIDGET_VIEW_MIMETYPE in formats and "text/html" in formats:
            formats[WIDGET_VIEW_MIMETYPE].extend(formats["text/html"].children)
            bundle.remove(formats["text/html"])


def _set_widget_state_aside(app, pagename, templatename, context, doctree):
    """The data of a page's widgets, some MB at most, as a script beside the page, begun behind its
    first picture. It puts them back where myst-nb had them, for a page opened from a folder cannot
    fetch a file in any other way. What is large in them goes into files of its own (`parts.py`)."""
    scripts = context.get("script_files", [])
    states = [
        i for i, js in enumerate(scripts) if js.attributes.get("type") == WIDGET_STATE_MIMETYPE
    ]
    for number, i in enumerate(states, start=1):
        file = Path(app.outdir, f"{pagename}.state-{number}.js")
        file.parent.mkdir(parents=True, exist_ok=True)
        state = parts.set_aside(scripts[i].attributes["body"], Path(app.outdir))
        element = {"type": WIDGET_STATE_MIMETYPE, "textContent": state}
        file.write_text(
            'document.currentScript.before(Object.assign(document.createElement("script"),'
            f" {json.dumps(element)}));\n"
        )
        scripts[i] = type(scripts[i])(
            f"{pagename}.state-{number}.js", priority=scripts[i].priority, type="text/after-paint"
        )


def _copy_vendor(app):
    if app.builder.format == "html":
        copy_asset(VENDOR, Path(app.outdir, "_static", "vendor"))


def _drop_unused_scripts(app, pagename, templatename, context, doctree):
    """sphinx-thebe, which jupyter-book always loads and this book does not use, fetches its code
    from a CDN; tabs there are none.
    """
    context["script_files"] = [
        js
        for js in context.get("script_files", [])
        if not any(name in (js.filename or "") for name in ("sphinx-thebe", "design-tabs"))
        and "THEBE_JS_URL" not in (js.attributes.get("body") or "")
    ]


def _mend_roles_and_names(app, pagename, templatename, context, doctree):
    """myst-nb calls every folded cell "Toggle hidden content", which hides from a screen reader
    what is in it; docutils calls the references a list, but what is in it no items."""
    if "body" in context:
        body = context["body"].replace('<summary aria-label="Toggle hidden content">', "<summary>")
        context["body"] = body.replace(
            '<div role="list" class="citation-list">', '<div class="citation-list">'
        )


def setup(app):
    app.connect("config-inited", _use_local_scripts, priority=900)
    app.connect("builder-inited", _copy_vendor)
    app.connect("doctree-read", _show_widget_and_stand_in)
    app.connect("html-page-context", _set_widget_state_aside, priority=900)
    app.connect("html-page-context", _mend_roles_and_names)
    app.connect("html-page-context", _drop_unused_scripts, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
