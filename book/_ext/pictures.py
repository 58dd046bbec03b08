"""Pictures of a page come when they are needed, and have their places before: `loading="lazy"`,
with the width and height of the file.

A picture that a notebook holds in its own HTML, as what stands in for a widget does, becomes a file
like the others.
"""

import base64
import hashlib
import re
from pathlib import Path
from urllib.parse import unquote

from PIL import Image


def _place(app, pagename, templatename, context, doctree):
    sources = {name: Path(app.srcdir, source) for source, name in app.builder.images.items()}

    def placed(tag):
        name = re.search(r'src="[^"]*_images/([^"/]+)"', tag[0])
        source = sources.get(unquote(name[1])) if name else None
        if (
            source is None
            or source.suffix == ".svg"
            or re.search(r" (?:width|height|style)=", tag[0])
        ):
            return tag[0]
        with Image.open(source) as picture:
            width, height = picture.size
        return (
            f'<img loading="lazy" width="{width}" height="{height}" {tag[0].removeprefix("<img ")}'
        )

    def filed(source):
        picture = base64.b64decode(source[2])
        file = Path(
            app.outdir,
            app.builder.imagedir,
            f"{hashlib.sha256(picture).hexdigest()[:40]}.{source[1]}",
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture)
        sources[file.name] = file
        return f'src="{app.builder.imgpath}/{file.name}"'

    if "body" in context:
        context["body"] = re.sub(
            r'src="data:image/(webp|png);base64,([^"]+)"', filed, context["body"]
        )
        context["body"] = re.sub(r"<img [^>]*>", placed, context["body"])


def setup(app):
    app.connect("html-page-context", _place)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
