"""Large data of widgets, a model's weights above all, in files of their own beside the pages.

A page's widgets come as one script (`offline.py`); with two megabytes in it none of them could
start before the last byte. So what is large lies in `_static/data`, in parts, each a script, for a
page opened from a folder can load nothing else; `book/assets/widgets.js` asks for all parts as soon
as it runs, starts the widget meanwhile, and hands it the bytes in their order. A part is named by
what is in it, so that pages with the same model share its files.
"""

import hashlib
import json
from pathlib import Path

FOLDER = "_static/data"
LETTERS = 240_000  # of base64 in a part; divisible by four, so that each can be read alone
LARGE = 300_000  # smaller data stay with their widget


def written(data: str, site: Path) -> list[str]:
    """Writes base64 as parts, and returns their files as seen from `_static`."""
    name, files = hashlib.sha256(data.encode()).hexdigest()[:12], []
    for start in range(0, len(data), LETTERS):
        file = f"data/{name}-{start // LETTERS + 1}.js"
        path = site / "_static" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'svdiclPart("{file}", "{data[start : start + LETTERS]}");\n')
        files.append(file)
    return files


def set_aside(state: str, site: Path) -> str:
    """A page's widget state, JSON, with the large data in it replaced by the names of their
    parts.
    """
    told = json.loads(state)
    for widget in told["state"].values():
        for buffer in widget.get("buffers", []):
            if len(buffer["data"]) > LARGE:
                buffer["parts"] = written(buffer.pop("data"), site)
    return json.dumps(told)
