"""What a page of the built book costs a reader: bytes over the wire beyond the theme, and when its content can be seen.

python benchmarks/pages.py [SITE]      SITE: _build/book/_build/html; the Chromium of the tests

Bytes are gzipped as a server would send them, pictures as they are. What all pages share lies in `_static` (theme, MathJax, the
widgets' host) and is counted once. Time is the first contentful paint from localhost, the median of five loads with an empty cache.
Budget: 1 MB a page beyond what is shared, and 400 ms.
"""

import gzip
import statistics
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from browsers import chromium

SITE = Path(sys.argv[1] if len(sys.argv) > 1 else "_build/book/_build/html").resolve()


class Server(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def wire(path: str) -> int:
    """The bytes of a file of the site, gzipped unless that is what it is already."""
    data = (SITE / path).read_bytes()
    return min(len(data), len(gzip.compress(data, 6)))


def load(browser, url: str) -> tuple[set[str], float]:
    """The files that a fresh load asks for, and its first contentful paint in milliseconds."""
    context, asked = browser.new_context(), set()
    page = context.new_page()
    page.on("request", lambda request: asked.add(unquote(urlsplit(request.url).path).lstrip("/")) if request.url.startswith("http") else None)
    page.goto(url)
    page.wait_for_timeout(200)
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN")
    context.close()
    return asked, paint


server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, directory=SITE))
threading.Thread(target=server.serve_forever, daemon=True).start()
pages = [path.relative_to(SITE).as_posix() for folder in ("book", "chapters") for path in sorted((SITE / folder).glob("*.html"))]
with chromium() as browser:
    shared = set()
    print(f"{'page':44} {'widgets':>7} {'KB of its own':>14} {'seen after, ms':>15}")
    for page in pages:
        loads = [load(browser, f"http://127.0.0.1:{server.server_port}/{page}") for _ in range(5)]
        files = {file for asked, _ in loads for file in asked if (SITE / file).is_file()}
        own = {file for file in files if not file.startswith("_static/")}
        shared |= files - own
        size = sum(map(wire, own)) / 1000
        widgets = (SITE / page).read_text().count("jupyter.widget-view+json")
        print(f"{page:44} {widgets:7} {size:14.0f} {statistics.median(paint for _, paint in loads):15.0f}")
print(f"{'shared by all pages':44} {'':7} {sum(map(wire, shared)) / 1000:14.0f}")
