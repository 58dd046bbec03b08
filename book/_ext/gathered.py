"""What the build gathers for two pages: what each chapter took, from its executed notebook, in the
place of `% gathered status` in `book/status.md`; and links for the paper map.

In the paper map, `chapter NN` becomes a link once that chapter exists.
"""

import json
import re
from pathlib import Path

from api import chapter_labels


def markdown_table(rows: list[dict]) -> str:
    """A table in Markdown, a row a dict, the keys of the first one its head."""
    columns = list(rows[0])
    cell = lambda value: (
        "none"
        if value is None
        else ", ".join(map(str, value))
        if isinstance(value, list)
        else str(value)
    ).replace("|", "\\|")
    return "\n".join(
        [
            f"| {' | '.join(columns)} |",
            "|" + "---|" * len(columns),
            *(f"| {' | '.join(cell(row[c]) for c in columns)} |" for row in rows),
        ]
    )


def captioned(caption: str, name: str, rows: list[dict]) -> str:
    """A table in Markdown with its caption, numbered, `name` its label."""
    return f":::{{table}} {caption}\n:name: {name}\n\n{markdown_table(rows)}\n:::"


def _status(folder: Path) -> str:
    rows, versions = [], {}
    for path in sorted((folder / "chapters").glob("*.ipynb")):
        if ".failed" in path.name or ".input" in path.name:
            continue
        status = json.loads(path.read_text())["metadata"].get("status")
        if status:
            rows.append(
                {
                    "chapter": f"{{doc}}`/chapters/{path.stem}`",
                    "profile": status["profile"],
                    "seed": status["seed"],
                    "seconds": f"{status['seconds']:.0f}",
                    "peak memory, MB": f"{status['megabytes']:,}",
                }
            )
            versions = versions | status["versions"]
    listed = [{"software": name, "version": number} for name, number in versions.items()]
    if not rows:
        return "No chapter of this site was run by `run_chapter.py`."
    took = "What running each chapter took, and with which sizes and seed."
    versions_of = "The software that ran the chapters, and its versions."
    return "\n\n".join(
        [captioned(took, "tbl-status", rows), captioned(versions_of, "tbl-versions", listed)]
    )


def _gather(app, docname, source) -> None:
    if docname == "book/status":
        source[0] = source[0].replace("% gathered status", _status(Path(app.srcdir)))
    if docname == "book/paper_map":
        labels = chapter_labels()
        source[0] = re.sub(
            r"\b[Cc]hapter (\d\d)",
            lambda found: f"{{ref}}`{labels[found[1]]}`" if found[1] in labels else found[0],
            source[0],
        )


def setup(app):
    app.connect("source-read", _gather)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
