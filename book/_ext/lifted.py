"""`{widget} chapters/NN_name ClassName`: shows a widget of an executed chapter on another page,
with its state and what stands in for it.

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
                state = _state(data[VIEW]["model_id"], notebook["metadata"]["widgets"][STATE])
                environment.metadata[environment.docname].setdefault("widget_states", []).append(
                    state
                )
                view = f'<script type="{VIEW}">{_json(data[VIEW])}</script>'
                return [
                    nodes.raw(
                        "",
                        f'<div class="cell_output">{view}{"".join(data["text/html"])}</div>',
                        format="html",
                    )
                ]
        raise self.error(
            f"{chapter} shows no widget {name}; the widgets of svdicl_lite say their name in"
            " text/plain"
        )


def _json(data) -> str:
    return json.dumps(data).replace("<", "\\u003c")


def _state(model: str, all_states: dict) -> str:
    return _json({**all_states, "state": {model: all_states["state"][model]}})


def _load_host(app, pagename, templatename, context, doctree):
    """For this page alone, behind its text as all scripts are: the states of its widgets, and their
    host.
    """
    if states := app.env.metadata[pagename].get("widget_states"):
        for state in states:
            app.add_js_file(None, type=STATE, body=state)
        app.add_js_file("widgets.js", type="text/after-paint")


def setup(app):
    app.add_directive("widget", Widget)
    app.connect("html-page-context", _load_host)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
