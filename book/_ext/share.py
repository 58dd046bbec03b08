"""What a page says of itself to those who share it or find it: a description, a title, a card;
and beside the pages a 404, `robots.txt`, and a sitemap if `html: baseurl` in `_config.yml` says
where the book is published.

Pictures of shared pages need a whole address, so without a base URL theirs is only relative.
"""

import re
from html import escape
from pathlib import Path
from posixpath import relpath

from docutils import nodes
from share_card import card

LENGTH = 200  # what search engines and chat programs show of a description
CARDS = "_static/shared"  # where the pictures of pages are
MADE = {"search": "Search", "genindex": "Index"}  # pages without a title of their own
LOST = """<section><h1>There is no such page</h1>
<p>The address may be mistyped, or the page may have moved in a newer edition.</p>
<p><a href="{intro}">Begin at the first page</a>, or <a href="{search}">search the book</a>.</p>
</section>"""


def shortened(text: str) -> str:
    """A text in one line, cut behind a sentence, or behind a word if the first one is long."""
    text = " ".join(text.split())
    if len(text) <= LENGTH:
        return text
    sentence = re.match(rf"(.{{60,{LENGTH}}}[.?!])\s", text)
    return sentence[1] if sentence else text[:LENGTH].rpartition(" ")[0] + " …"


def description(doctree) -> str:
    """The first paragraphs of a page that are plain text, as one short line."""
    said = []
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section) and not list(paragraph.findall(nodes.math)):
            said.append(paragraph.astext())
            if len(" ".join(said)) > LENGTH // 2:
                break
    return shortened(" ".join(said))


def picture(app, pagename: str, title: str, said: str) -> str:
    """The file of a page's card, as seen from the root of the site; writes it."""
    name = f"{CARDS}/{pagename.replace('/', '-')}.png"
    file = Path(app.outdir, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    card(app.config.html_title, title, said).quantize(32).save(file, optimize=True)
    return name


def address(app, pagename: str, file: str) -> str:
    """Where a file of the site is, as seen from a page: whole if the base URL is known."""
    base = app.config.html_baseurl
    if base:
        return f"{base.rstrip('/')}/{file}"
    return relpath(file, Path(pagename).parent.as_posix())


def _tags(app, pagename, templatename, context, doctree):
    title = re.sub(r"<[^>]+>", "", context.get("title") or MADE.get(pagename, pagename))
    said = (doctree and description(doctree)) or f"{title}: a page of {app.config.html_title}."
    named = {"description": said, "twitter:card": "summary_large_image"}
    graph = {"title": title, "description": said, "type": "article"}
    graph["site_name"] = app.config.html_title
    if app.config.html_baseurl:
        graph["url"] = address(app, pagename, f"{pagename}.html")
    graph["image"] = address(app, pagename, picture(app, pagename, title, said))
    graph["image:alt"] = f"{title}. {said}"
    tags = [f'<meta name="{name}" content="{escape(text)}" />' for name, text in named.items()]
    tags += [
        f'<meta property="og:{name}" content="{escape(text)}" />' for name, text in graph.items()
    ]
    if pagename == "404" and app.config.html_baseurl:  # it is shown at any depth
        tags.append(f'<base href="{app.config.html_baseurl.rstrip("/")}/" />')
    context["metatags"] = "\n    ".join([context.get("metatags", ""), *tags])


def _lost(app):
    """The page for addresses that do not exist, as GitHub Pages, Netlify and others show it."""
    body = LOST.format(intro=f"{app.config.root_doc}.html", search="search.html")
    yield "404", {"title": "There is no such page", "body": body}, "page.html"


def _for_robots(app, exception):
    if exception or app.builder.format != "html":
        return
    base = app.config.html_baseurl.rstrip("/")
    rules = "User-agent: *\nAllow: /\n"
    if base:
        pages = "".join(
            f"  <url><loc>{base}/{page}.html</loc></url>\n" for page in sorted(app.env.found_docs)
        )
        Path(app.outdir, "sitemap.xml").write_text(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{pages}</urlset>\n'
        )
        rules += f"Sitemap: {base}/sitemap.xml\n"
    Path(app.outdir, "robots.txt").write_text(rules)


def setup(app):
    app.connect("html-page-context", _tags, priority=900)
    app.connect("html-collect-pages", _lost)
    app.connect("build-finished", _for_robots)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
