"""`{widget} chapters/NN_name ClassName`: shows a widget of an executed chapter on another page, with its state and what stands in for it.

A page that is no notebook can thus hold a widget whose data are computed where everything else is.
"""

import json
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive

STATE, VIEW = (f"application/vnd.jupyter.widget-{kind}+json" for kind in ("state", "view"))


class Widget(Directive):
    required_arguments = 2  # the chapter and the name of the widget's class
    has_content = False

    def run(self):
        environment = self.state.document.settings.env
        chapter, name = self.arguments
        notebook = json.loads(Path(environment.app.srcdir, f"{chapter}.ipynb").read_text())
        for output in (output for cell in notebook["cells"] for output in cell.get("outputs", [])):
            data = output.get("data", {})
            if VIEW in data and "".join(data.get("text/plain", "")).startswith(f"{name}:"):
                environment.metadata[environment.docname]["has_widget"] = True
                return [nodes.raw("", _html(data, notebook["metadata"]["widgets"][STATE]), format="html")]
        raise self.error(f"{chapter} shows no widget {name}; the widgets of svdicl_lite say their name in text/plain")


def _html(data: dict, all_states: dict) -> str:
    model = data[VIEW]["model_id"]
    state = {**all_states, "state": {model: all_states["state"][model]}}
    script = '<script type="{}">{}</script>'.format
    view, state = (script(mime, json.dumps(part).replace("<", "\\u003c")) for mime, part in ((VIEW, data[VIEW]), (STATE, state)))
    return f'<div class="cell_output">{view}{"".join(data["text/html"])}</div>{state}'


def _load_host(app, pagename, templatename, context, doctree):
    if app.env.metadata[pagename].get("has_widget"):
        app.add_js_file("widgets.js", defer="defer")  # for this page alone


def setup(app):
    app.add_directive("widget", Widget)
    app.connect("html-page-context", _load_host)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
