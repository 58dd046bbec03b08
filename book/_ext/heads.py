"""The head of a chapter: its title, its part and minutes, and a small picture of its one idea.

The pictures are `book/drawings/heads/NN.svg`; what one may hold, `book/assets/README.md` says under
*Heads*. The same stands on the chapter's card (`cards.py`), silent there, for the card's words say
what the chapter is about.
"""

import re
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "drawings/heads"
TITLE = re.compile(r'(<h1\b.*?</h1>)(\s*<p class="chapter-before">.*?</p>)?', re.DOTALL)
TOLD = re.compile(r' role="img" aria-labelledby="[^"]*"|<(title|desc)\b.*?</\1>\n', re.DOTALL)


def file(chapter: str) -> Path:
    """The picture of a chapter, NN_name. FileNotFoundError if it has none."""
    path = FOLDER / f"{chapter[:2]}.svg"
    if not path.exists():
        raise FileNotFoundError(
            f"{chapter} has no picture book/drawings/heads/{path.name}, which its head and its card"
            " show; draw one as book/assets/README.md says under 'Heads'"
        )
    return path


def picture(chapter: str, aloud: bool = True) -> str:
    """A chapter's picture as HTML; not `aloud`, it is left out of what is read to who cannot see.

    Without title and description it has no id either, so that a page may hold all pictures.
    """
    svg = file(chapter).read_text(encoding="utf-8").strip()
    if not aloud:
        svg = TOLD.sub("", svg).replace("<svg", '<svg aria-hidden="true"', 1)
    return f'<div class="drawing head-picture">{svg}</div>'


def headed(body: str, chapter: str, facts: str) -> str:
    """A chapter's HTML with its facts below the title, and its picture beside both.

    What to read before stays below the facts (`chapter_head.py`).
    """
    said, shown = f'<p class="chapter-facts">{facts}</p>', picture(chapter)

    def head(found: re.Match[str]) -> str:
        title, before = found.groups(default="")
        return f'<div class="chapter-head">{title}\n{said}{before}\n{shown}</div>'

    return TITLE.sub(head, body, count=1)


def _depends(app, doctree):
    """A chapter is written anew when its picture has changed."""
    if app.env.docname.startswith("chapters/"):
        app.env.note_dependency(str(file(app.env.docname.removeprefix("chapters/"))))


def setup(app):
    app.connect("doctree-read", _depends)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
