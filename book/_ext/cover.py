"""Lifts figures that chapters glued as `cover_*` out of their executed notebooks, so that the intro
can show them.

`glue:figure` cannot take an alt text from another page; an ordinary figure can.
"""

import json
from pathlib import Path


def _lift(app):
    for notebook in sorted(Path(app.srcdir, "chapters").glob("*.ipynb")):
        if notebook.suffixes != [".ipynb"]:  # what a chapter leaves that runs now, or failed
            continue
        for cell in json.loads(notebook.read_text())["cells"]:
            for output in cell.get("outputs", []):
                name = output.get("metadata", {}).get("scrapbook", {}).get("name", "")
                if name.startswith("cover_"):
                    svgs = [
                        "".join(value)
                        for mime, value in output["data"].items()
                        if mime.endswith("image/svg+xml")
                    ]
                    if not svgs:  # of a chapter that has another name by now
                        continue
                    (svg,) = svgs
                    Path(app.srcdir, f"{name}.svg").write_text(svg, encoding="utf-8")


def setup(app):
    app.connect("builder-inited", _lift)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
