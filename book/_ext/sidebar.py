"""The list of all pages, what stands at its end, and what a page is called in its header.

Parts of the list that most readers do not need are folded, unless one is in them: a `<details>`,
which needs no script, is reached from the keyboard and has from the start the size that it keeps.
Where the list is a menu, its end has in words what the header of a desk has as signs.
"""

import html
import re

from bs4 import BeautifulSoup

FOLDED = {"Teaching"}
NOT_IN_MENU = {"fullscreen-button"}  # a phone has no other screen
WORDS = {
    "download-source-button": "Download this page as a notebook",
    "download-pdf-button": "Print this page",
}


def folded(listed: str, parts: set[str] = FOLDED) -> str:
    """The HTML of the list, with these parts folded."""
    soup = BeautifulSoup(listed, "html.parser")
    for caption in soup.select("p.caption"):
        pages = caption.find_next_sibling("ul")
        if caption.get_text(strip=True) not in parts or pages is None:
            continue
        part = soup.new_tag("details", attrs={"class": "toc-part"})
        if pages.select_one(".current"):
            part["open"] = ""
        caption.insert_before(part)
        summary = soup.new_tag("summary")
        summary.append(caption.extract())
        part.extend([summary, pages.extract()])
    return str(soup)


def tools(buttons: list[dict]) -> list[dict[str, str]]:
    """The header's buttons in words: each with "words", and "url" or "javascript"."""
    found: list[dict[str, str]] = []
    for button in buttons:
        if button["type"] == "group":
            found += tools(button["buttons"])
        elif button.get("label") not in NOT_IN_MENU:
            words = WORDS.get(button.get("label", ""), button.get("tooltip") or button["text"])
            if button.get("text") == ".md":
                words = "Download the text of this page"
            does = {key: button[key] for key in ("url", "javascript") if key in button}
            found.append({"words": words} | does)
    return found


def plain(title: str) -> str:
    """A title, given as HTML, without markup."""
    return html.unescape(re.sub(r"<[^>]+>", "", title)).strip()


def _name(app, pagename, templatename, context, doctree):
    context["short_title"] = plain(context.get("title") or "")


def _fold(app, pagename, templatename, context, doctree):
    listing = context.get("generate_toctree_html")
    if listing:  # the theme's; it may give nothing
        context["generate_toctree_html"] = lambda *args, **options: folded(
            str(listing(*args, **options) or "")
        )
    context["page_tools"] = tools(context.get("header_buttons", []))


def setup(app):
    app.connect("html-page-context", _name, priority=100)  # the theme drops what is empty at 500
    app.connect("html-page-context", _fold, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
