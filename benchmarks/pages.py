"""What a page of the built book costs a reader: bytes over the wire beyond the theme, and when its
content can be seen.

python benchmarks/pages.py [SITE …]      SITE: _build/book/_build/html; the Chromium of the tests;
several are measured in turn

Bytes are gzipped as a server would send them, pictures as they are. What all pages share lies in
`_static` (theme, MathJax, the widgets' host) and is counted once. Time is the first contentful
paint from localhost, the median of five loads with an empty cache. The floors are a page of this
theme without content and scripts, and a page of one sentence without any theme: what is above the
first is ours. Budget: 1 MB a page beyond what is shared, and 400 ms.
"""

import gzip
import re
import statistics
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from browsers import SETTLED, chromium

EMPTY, SENTENCE = "chapters/empty.html", "sentence.html"  # the floors
ROUNDS = 5


class Site:
    def __init__(self, folder):
        self.folder, self.shared = Path(folder).resolve(), set()
        self.pages = [
            path.relative_to(self.folder).as_posix()
            for part in ("book", "chapters")
            for path in sorted((self.folder / part).glob("*.html"))
        ]
        html = re.sub(
            r"(<article[^>]*>).*</article>",
            r"\1<p>Nothing.</p></article>",
            (self.folder / self.pages[-1]).read_text(),
            flags=re.S,
        )
        html = re.sub(r"<script\b.*?</script>", "", html, flags=re.S).replace(
            'data-theme="auto"', 'data-theme="light"'
        )
        self.floors = {EMPTY: html, SENTENCE: "<!doctype html><title>Sentence</title><p>Nothing."}
        site = self

        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *args):
                super().__init__(*args, directory=site.folder)

            def do_GET(self):
                floor = site.floors.get(self.path.lstrip("/"))
                if floor is None:
                    return super().do_GET()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(floor.encode())

            def log_message(self, *args):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}/"
        self.paints: dict[str, list[float]] = {}
        self.files: dict[str, set[str]] = {}

    def load(self, browser, page: str) -> None:
        """A fresh load: notes the files that it asks for, and its first contentful paint in
        milliseconds.
        """
        context = browser.new_context()
        tab, asked = context.new_page(), self.files.setdefault(page, set())
        tab.on(
            "request",
            lambda request: (
                asked.add(unquote(urlsplit(request.url).path).lstrip("/"))
                if request.url.startswith("http")
                else None
            ),
        )
        tab.goto(self.url + page)
        tab.wait_for_function(SETTLED)
        tab.wait_for_timeout(100)
        paint = tab.evaluate(
            "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN"
        )
        self.paints.setdefault(page, []).append(paint)
        context.close()

    def wire(self, files) -> float:
        """KB of files of the site, each gzipped unless that is what it is already."""
        found = [
            (self.folder / file).read_bytes() for file in files if (self.folder / file).is_file()
        ]
        return sum(min(len(data), len(gzip.compress(data, 6))) for data in found) / 1000


sites = [Site(folder) for folder in sys.argv[1:] or ["_build/book/_build/html"]]
with chromium() as browser:
    for _ in range(ROUNDS):
        for page in dict.fromkeys(
            [EMPTY, SENTENCE, *(page for site in sites for page in site.pages)]
        ):
            for site in sites:
                if page in site.pages or page in site.floors:
                    site.load(browser, page)
for site in sites:
    floor, least = (statistics.median(site.paints[page]) for page in (EMPTY, SENTENCE))
    print(
        f"\n{site.folder}\n{'page':44} {'widgets':>7} {'KB of its own':>14} {'seen after, ms':>15}"
        f" {'floors':>7}"
    )
    for page in site.pages:
        html = (site.folder / page).read_text()
        own = {file for file in site.files[page] if not file.startswith("_static/")}
        site.shared |= site.files[page] - own
        own |= {
            unquote(file) for file in re.findall(r'src="(?:\.\./)*(_images/[^"]+)"', html)
        }  # pictures further down have not come yet
        widgets = html.count('type="application/vnd.jupyter.widget-view+json"')
        seen = statistics.median(site.paints[page])
        print(f"{page:44} {widgets:7} {site.wire(own):14.0f} {seen:15.0f} {seen / floor:7.2f}")
    print(f"{'shared by all pages':44} {'':7} {site.wire(site.shared):14.0f}")
    print(
        f"{'floor: this theme, no content, no script':44} {'':22} {floor:15.0f}"
        f" {1:7.2f}\n{'floor: one sentence, no theme':44} {'':22} {least:15.0f}"
        f" {least / floor:7.2f}"
    )
