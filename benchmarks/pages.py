"""What a page of the built book costs a reader: bytes over the wire, when its content can be seen,
and how far it moves while it comes.

python benchmarks/pages.py [SITE …]      SITE: _build/book/_build/html; the Chromium of the tests;
several are measured in turn

Bytes are gzipped as a server would send them, pictures as they are. What all pages share lies in
`_static` (theme, MathJax, the widgets' host) and is counted once. Time is the first contentful
paint from localhost, the median of five loads with an empty cache; shift is the sum of all layout
shifts until half a second after the last script (the largest of the five). The floors are a page of
this theme without content and scripts, and a page of one sentence without any theme: what is above
the first is ours. Aims: content after 300 ms, a shift of at most .02. It ends with the pages that
miss one, and fails if there are any. A busy machine is no defect: measure on a quiet one.
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
EMPTIED = "book/status.html"  # of which the first is made
ROUNDS = 5
SEEN, SHIFT = 300, 0.02  # the aims, milliseconds and a share of the screen
SHIFTS = """window.shifted = 0;
new PerformanceObserver((list) => {
  for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) shifted += value;
}).observe({ type: "layout-shift", buffered: true });"""


class Site:
    def __init__(self, folder):
        self.folder, self.shared = Path(folder).resolve(), set()
        self.pages = [
            path.relative_to(self.folder).as_posix()
            for path in sorted(self.folder.rglob("*.html"))
            if "_static" not in path.parts and path.name != "index.html"  # which leads on
        ]
        html = re.sub(
            r"(<article[^>]*>).*</article>",
            r"\1<p>Nothing.</p></article>",
            (self.folder / EMPTIED).read_text(),
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
        self.shifts: dict[str, list[float]] = {}
        self.files: dict[str, set[str]] = {}

    def load(self, browser, page: str) -> None:
        """A fresh load: notes the files that it asks for, its first contentful paint in
        milliseconds, and how far it moved.
        """
        context = browser.new_context()
        context.add_init_script(SHIFTS)
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
        tab.wait_for_timeout(500)
        paint = tab.evaluate(
            "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN"
        )
        self.paints.setdefault(page, []).append(paint)
        self.shifts.setdefault(page, []).append(tab.evaluate("shifted"))
        context.close()

    def wire(self, files) -> float:
        """KB of files of the site, each gzipped unless that is what it is already."""
        found = [
            (self.folder / file).read_bytes() for file in files if (self.folder / file).is_file()
        ]
        return sum(min(len(data), len(gzip.compress(data, 6))) for data in found) / 1000

    def own(self, page: str) -> set[str]:
        """The files of a page that are not shared; pictures further down have not come yet."""
        html = (self.folder / page).read_text()
        asked = {file for file in self.files[page] if not re.match("_static/(?!data/)", file)}
        self.shared |= self.files[page] - asked
        return asked | {
            unquote(file) for file in re.findall(r'src="(?:\.\./)*(_images/[^"]+)"', html)
        }

    def report(self) -> list[str]:
        """Prints a line a page; returns the pages that miss an aim."""
        floor, least = (statistics.median(self.paints[page]) for page in (EMPTY, SENTENCE))
        print(f"\n{self.folder}\n{'page':44} {'widgets':>7} {'KB of its own':>14}", end="")
        print(f" {'seen after, ms':>15} {'floors':>7} {'shift':>6}")
        missed = []
        for page in self.pages:
            widgets = (self.folder / page).read_text().count("jupyter.widget-view+json")
            seen, shift = statistics.median(self.paints[page]), max(self.shifts[page])
            kb = self.wire(self.own(page))
            print(f"{page:44} {widgets:7} {kb:14.0f} {seen:15.0f} {seen / floor:7.2f} {shift:6.3f}")
            if seen > SEEN or shift > SHIFT:
                missed.append(page)
        files = [file for file in self.shared if "mathjax" not in file]
        print(f"{'shared by all pages':52} {self.wire(files):14.0f}")
        print(f"{'MathJax, where there are formulas':52} {self.wire(self.shared - {*files}):14.0f}")
        print(f"{'floor: this theme, no content, no script':67} {floor:15.0f} {1:7.2f}")
        print(f"{'floor: one sentence, no theme':67} {least:15.0f} {least / floor:7.2f}")
        return missed


if __name__ == "__main__":
    sites = [Site(folder) for folder in sys.argv[1:] or ["_build/book/_build/html"]]
    with chromium() as browser:
        for _ in range(ROUNDS):
            for page in dict.fromkeys(
                [EMPTY, SENTENCE, *(page for s in sites for page in s.pages)]
            ):
                for site in sites:
                    if page in site.pages or page in site.floors:
                        site.load(browser, page)
    missed = [page for site in sites for page in site.report()]
    print(f"{len(missed)} pages miss an aim ({SEEN} ms, a shift of {SHIFT}): {', '.join(missed)}")
    sys.exit(bool(missed))
