"""Makes the HTML book ask no other host: MathJax comes from `vendor/`, and scripts that point outside are left out."""

from pathlib import Path

from sphinx.util.fileutil import copy_asset

VENDOR = Path(__file__).parent / "vendor"


def _use_local_mathjax(app, config):
    config.mathjax_path = "vendor/mathjax/tex-chtml-full.js"


def _copy_vendor(app):
    if app.builder.format == "html":
        copy_asset(VENDOR, Path(app.outdir, "_static", "vendor"))


def _drop_outside_scripts(app, pagename, templatename, context, doctree):
    """sphinx-thebe, which jupyter-book always loads and this book does not use, fetches its code from a CDN."""
    context["script_files"] = [
        js
        for js in context.get("script_files", [])
        if "sphinx-thebe" not in (js.filename or "") and "THEBE_JS_URL" not in (js.attributes.get("body") or "")
    ]


def setup(app):
    app.connect("config-inited", _use_local_mathjax, priority=900)
    app.connect("builder-inited", _copy_vendor)
    app.connect("html-page-context", _drop_outside_scripts, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
