"""Lifts figures that chapters glued as `cover_*` out of their executed notebooks, so that the intro
can show them.

`glue:figure` cannot take an alt text from another page; an ordinary figure can.
"""

import base64
import json
from pathlib import Path


def _lift(app):
    for notebook in sorted(Path(app.srcdir, "chapters").glob("*.ipynb")):
        for cell in json.loads(notebook.read_text())["cells"]:
            for output in cell.get("outputs", []):
                name = output.get("metadata", {}).get("scrapbook", {}).get("name", "")
                if name.startswith("cover_"):
                    data = next(
                        value
                        for mime, value in output["data"].items()
                        if mime.endswith("image/png")
                    )
                    Path(app.srcdir, f"{name}.png").write_bytes(base64.b64decode(data))


def setup(app):
    app.connect("builder-inited", _lift)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
