"""Writes the book as one PDF, with bookmarks and page numbers: `python book/_ext/pdf.py SITE OUT`.

SITE is the built HTML. Its pages, in the order of the contents and without the module's, become one
page, in which a link leads to its place and each widget is the figure that stands in for it; a
browser prints that page. Without a browser: `make chromium`.
"""

import json
import posixpath
import re
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import chromium
import math_places
import yaml
from bs4 import BeautifulSoup, Tag

ROOT = Path(__file__).parents[2]
LEFT_OUT = ("book/api", "book/status", "book/teaching")
# Code that a page folds, of imports and figures, stays in the notebook: a third of the paper.
NOT_ON_PAPER = (
    "script, button, a.headerlink, .in-dark, picture.figure source, .prev-next-area, .svdicl,"
    " .widget.waiting, .starts, .questions noscript, details.hide.above-input, .column-name"
)
MOST_ROWS = (
    40  # of a widget's table; a longer one fills sheets with numbers that nobody reads there
)
LEFT = (
    '<p class="on-the-page">The same data, as a table of {rows} rows, are on the page itself.</p>'
)
OF_CARDS = (
    "<p>How each was trained, and every test figure, are folded on the page itself, and so some"
    " numbers of figures and tables are missing here.</p>"
)
STYLE = """
@page { size: A4; margin: 18mm 16mm 18mm; }
html { font-size: 10.5pt; }
body { display: block; background: none; }
.bd-article { break-before: page; padding: 0; max-width: none; }
.bd-article pre { font-size: 8.5pt; }
figure, table, tr, .admonition, .cell_output img { break-inside: avoid; }
.cell_input, .chapter-card { break-inside: avoid; }
table.prose, figure:has(table.prose) { break-inside: auto; }
figcaption:first-child { break-after: avoid; }
h1, h2, h3, summary, p:has(+ .model-facts), .model-facts { break-after: avoid; }
/* Letters that reach over the edge of a page are drawn on both, and stand twice in the bookmark. */
.bd-article :is(h1, h2, h3, h4) { line-height: 1.4; padding-top: 0.2em; }
.on-the-page { font-family: var(--sans); font-size: 0.8rem; color: var(--pst-color-text-muted); }
.title-page { padding-top: 60mm; text-align: center; }
.title-page p { font-size: 1.2rem; }
"""
# The pages' own setting: in a text that has formulas elsewhere, too, only these are some.
MATHJAX = {
    "options": {"processHtmlClass": "tex2jax_process|mathjax_process|math|output_area"},
    "tex": {"macros": math_places.MACROS},
}
FOOT = """<div style="width: 100%; font-size: 8pt; text-align: center; color: #555">
<span class="pageNumber"></span></div>"""


def names() -> list[str]:
    """The pages on paper, in the order of the contents."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    return [name for name in [toc["root"], *listed] if not name.startswith(LEFT_OUT)]


def anchor(name: str, fragment: str = "") -> str:
    """The id, in the one page, of a page or of a place on it."""
    page = name.replace("/", "-")
    return f"{page}--{fragment}" if fragment else page


def on_paper(article: Tag, name: str, known: set[str]) -> Tag:
    """A page's text with ids of its own, links to places in the one page, and pictures that come at
    once.
    """
    # The settings and figures that model cards fold fill forty sheets; they stay on their page.
    folded = ", details.fold" if name == "book/models" else ""
    for node in article.select(NOT_ON_PAPER + folded):
        node.decompose()
    shorten(article)
    if folded and (models := article.select_one("h2 + p")):
        models.insert_before(BeautifulSoup(OF_CARDS, "html.parser"))
    for node in article.select("[id]"):
        node["id"] = anchor(name, node["id"])
    article["id"] = anchor(name)
    for text in article.select("h1, h2, h3"):  # a bookmark has no place for a space that is none
        for string in list(text.find_all(string=True)):
            string.replace_with(string.replace("\xa0", " "))
    for node in article.select("details"):
        node["open"] = ""
    here = posixpath.dirname(name)
    for image in article.select("img[src]"):
        image["src"] = posixpath.normpath(posixpath.join(here, image["src"]))
        del image["loading"]
    for link in article.select("a[href]"):
        link["href"] = address(link["href"], name, known)
    return article


def shorten(article: Tag) -> None:
    """Leaves out the long tables that stand in for widgets, and says so; their figures stay."""
    for node in article.select(".widget-stand-in details"):
        rows = len(node.select("tbody tr"))
        if rows > MOST_ROWS:
            node.replace_with(BeautifulSoup(LEFT.format(rows=rows), "html.parser"))


def address(href: str, name: str, known: set[str]) -> str:
    """Where a link of a page leads in the one page; one to a page that is not on paper, nowhere."""
    parts = urlsplit(href)
    if parts.scheme or parts.netloc:
        return href
    target = name
    if parts.path:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path)))
        target = path.removesuffix(".html")
    return f"#{anchor(target, parts.fragment)}" if target in known else "#"


def one_page(site: Path, shown: list[str]) -> str:
    """The HTML of the whole book."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    sheet = next((site / "_static/styles").glob("book-in-one.css")).relative_to(site)
    articles = []
    for name in shown:
        page = BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
        articles.append(str(on_paper(page.select_one("article.bd-article"), name, set(shown))))
    return (
        f'<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f"<title>{config['title']}</title>"
        f'<link rel="stylesheet" href="{sheet.as_posix()}"><style>{STYLE}</style>'
        f"<script>window.MathJax = {json.dumps(MATHJAX)}</script>"
        '<script defer src="_static/vendor/mathjax/tex-chtml.js"></script></head>'
        f'<body><main class="bd-content"><div class="title-page"><p><b>{config["title"]}</b></p>'
        f"<p>{config['author']}, {config['copyright']}</p></div>{''.join(articles)}"
        "</main></body></html>"
    )


def browser_path(bundled: str) -> str:
    """The system's Chromium, or the one that Playwright brought. OSError if there is none."""
    path = chromium.browser(Path(bundled))
    if not path:
        raise OSError("There is no Chromium to print the book with; `make chromium` fetches one")
    return path


def write(site: Path, out: Path, shown: list[str]) -> None:
    """Prints the pages `shown` of a site into the file `out`."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder:
        for name in ("_static", "_images"):  # beside what shows them, and not in the site
            Path(folder, name).symlink_to((site / name).resolve())
        file = Path(folder, "book.html")
        file.write_text(one_page(site, shown), encoding="utf-8")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=browser_path(playwright.chromium.executable_path),
                args=["--no-sandbox", "--disable-gpu"],
            )
            page = browser.new_page()
            page.set_default_timeout(600_000)
            page.goto(file.as_uri())
            page.wait_for_function("window.MathJax?.startup?.promise?.then(() => true)")
            page.pdf(
                path=out,
                prefer_css_page_size=True,
                display_header_footer=True,
                header_template="<span></span>",
                footer_template=FOOT,
                outline=True,
                tagged=True,
            )
            browser.close()


if __name__ == "__main__":
    folder, target = Path(sys.argv[1]), Path(sys.argv[2])
    write(folder, target, names())
    pages = len(re.findall(rb"/Type\s*/Page\b", target.read_bytes()))
    print(f"{target}: {pages} pages, {target.stat().st_size / 1e6:.1f} MB")
