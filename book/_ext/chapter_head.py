"""The head of a chapter: a grey line of facts, what to read before, the text, and a short list of
goals.

A chapter writes all of it in one box, *What you will be able to do*: a list under *After this
chapter you can*, *Before you start* and *It takes*; other parts of the book read it there, and in
the notebook it stays so. The page has no box: part, minutes and machine are one line below the
title, what to read before is the next, and the goals follow the first paragraph. In the line of the
first, folded cell stands where the chapter can be run.
"""

import posixpath
import re

from docutils import nodes
from sphinx.errors import ExtensionError

BOX = "What you will be able to do"
TAKES = re.compile(
    r"It takes about (\d+) minutes to read and (?:(\d+)|as long again) for the exercises\. "
    r"Running it takes (.+?), (\d+ GB) of memory, any CPU, and no network\."
)
NO_BREAK = "\xa0"
SHORT = {
    "less than half a minute": "under 30\xa0s",
    "about half a minute": "about 30\xa0s",
    "less than a minute": "under 1\xa0min",
    "about a minute": "about 1\xa0min",
    "one to two minutes": "1–2\xa0min",
    "about two minutes": "about 2\xa0min",
}
MINUTES = re.compile(r'(<p class="chapter-facts">[^<]*?)\d+ minutes to read</p>')


def facts(takes: str) -> str:
    """What the paragraph *It takes* says, in a line. ValueError of one written otherwise."""
    found = TAKES.fullmatch(" ".join(takes.split()))
    if not found:
        raise ValueError(
            f"{takes!r} is not written as 'It takes about 40 minutes to read and 50 (or: as long"
            " again) for the exercises. Running it takes about a minute, 1 GB of memory, any CPU,"
            " and no network.'"
        )
    reading, exercises, time, memory = found.groups()
    return (
        f"{reading} min to read · {exercises or reading} min of exercises · "
        f"runs in {SHORT.get(time, time)} on any CPU, {memory.replace(' ', NO_BREAK)}"
    )


def _label(text: str) -> nodes.paragraph:
    return nodes.paragraph("", text, classes=["goals-label"])


def _told(box: nodes.Element, start: str) -> nodes.paragraph:
    """The paragraph of the box that begins with these words."""
    for paragraph in box.findall(nodes.paragraph):
        if paragraph.astext().startswith(start):
            return paragraph
    raise ValueError(f"{BOX!r} has no paragraph that begins with {start!r}")


def goals(box: nodes.Element) -> nodes.container:
    """The list of a box, under a small label."""
    listed = box.next_node(nodes.bullet_list)
    if not listed:
        raise ValueError(f"{BOX!r} has no list of what one can do")
    return nodes.container("", _label("You will be able to"), listed, classes=["chapter-goals"])


def before(box: nodes.Element) -> nodes.paragraph:
    """What a box says under *Before you start*, links and all."""
    told = _told(box, "Before you start:")
    rest = [node for node in told.children if not isinstance(node, nodes.strong)]
    return nodes.paragraph("", "", nodes.Text("Before: "), *rest, classes=["chapter-before"])


def _take_apart(app, doctree, docname):
    """Of a chapter's box the page has the list; the rest goes below the title."""
    for title in list(doctree.findall(nodes.title)):
        box = title.parent
        if not isinstance(box, nodes.admonition) or title.astext() != BOX:
            continue
        try:
            doctree["facts"] = facts(_told(box, "It takes").astext())
            head, listed = before(box), goals(box)
        except ValueError as error:
            raise ExtensionError(f"{docname}: {error}") from error
        section = box.parent
        section.replace(box, [listed, nodes.paragraph(classes=["chapter-run"])])
        section.insert(1, head)


def ways_to_run(buttons: list[dict], source: str) -> str:
    """Where a chapter can be run, as HTML: the services of the header, and its notebook."""
    links = [
        f'<a href="{button["url"]}">{button["text"]}</a>'
        for group in buttons
        if group.get("label") == "launch-buttons"
        for button in group["buttons"]
        if button["type"] == "link"
    ]
    if not links:
        return f'<a href="{source}" download>Download this chapter as a notebook</a>'
    links.append(f'<a href="{source}" download>download the notebook</a>')
    return f"Run this chapter: {' · '.join(links)}"


def _say(app, pagename, templatename, context, doctree):
    """Fills the line that `cards.py` begins, and the one for what runs the chapter."""
    if doctree is None or "facts" not in doctree:
        return
    body, found = MINUTES.subn(lambda line: f"{line[1]}{doctree['facts']}</p>", context["body"], 1)
    if not found:
        raise ExtensionError(f"{pagename} has no line of part and minutes (book/_ext/cards.py)")
    up = posixpath.relpath(".", posixpath.dirname(pagename) or ".")
    source = f"{up}/_sources/{context['sourcename']}"
    ways = ways_to_run(context.get("header_buttons", []), source)
    context["body"] = re.sub(
        r'<p class="chapter-run">\s*</p>', f'<p class="chapter-run">{ways}</p>', body, count=1
    )


def setup(app):
    app.connect("doctree-resolved", _take_apart)
    app.connect("html-page-context", _say, priority=950)  # when the header's buttons are there
    return {"parallel_read_safe": True, "parallel_write_safe": True}
