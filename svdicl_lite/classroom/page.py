"""A learner's feedback as a page of HTML that needs nothing else."""

import html
import re

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 1.6rem; border-top: 1px solid #ccc; }
code { background: #eee; padding: 0 .2em; }
@media (prefers-color-scheme: dark) {
  body { background: #121212; color: #eee; } code { background: #333; }
}
"""


def page(markdown: str) -> str:
    """The page of a feedback; of Markdown it knows what `feedback` writes. All else is text."""
    body, inside = [], False
    for line in markdown.splitlines():
        item = re.match(r" *- (.*)", line)
        if bool(item) != inside:
            body.append("<ul>" if item else "</ul>")
            inside = bool(item)
        if item:
            body.append(f"<li>{_words(item[1])}</li>")
        elif heading := re.match(r"(#+) (.*)", line):
            level = min(len(heading[1]), 6)
            body.append(f"<h{level}>{_words(heading[2])}</h{level}>")
        elif line.strip():
            body.append(f"<p>{_words(line)}</p>")
    title = html.escape(markdown.partition("\n")[0].lstrip("# "))
    end = "</ul>" if inside else ""
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body>\n" + "\n".join(body) + f"{end}\n</body>\n</html>\n"
    )


def _words(text):
    text = html.escape(text)
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
