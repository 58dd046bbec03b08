"""Every page of the book in a real browser, every other host blocked: nothing fails, nothing
overflows, and nobody is shut out.
"""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from browsers import VIEW, axe_faults, moving, opened
from test_chapters import CHAPTERS, ROOT, built_book

HTML = ROOT / "_build/ci/_build/html"
PAGES = [
    "book/intro",
    "book/references",
    "search",
    *(f"chapters/{chapter}" for chapter in CHAPTERS),
]

pytestmark = pytest.mark.built  # all of it looks at the built book


COUNTING_FRAMES = """() => {
  const ask = window.requestAnimationFrame;
  window.framesAsked = 0;
  window.requestAnimationFrame = (...what) => {
    window.framesAsked++;
    return ask(...what);
  };
}"""


@pytest.fixture(scope="module")
def sites():
    """The two ways in which a book may be read: "http" from a static server, "file" from its
    folder.
    """

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    built_book()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=HTML))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"http": f"http://127.0.0.1:{server.server_port}", "file": HTML.as_uri()}
    server.shutdown()


def overflow(page):
    """How far the page can be pushed sideways, in pixels."""
    return page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )


def colliding(page):
    """Numbers on an axis of a widget that run into each other."""
    return page.eval_on_selector_all(
        ".svdicl .chart",
        """charts => charts.flatMap(chart => {
          const ticks = [...chart.querySelectorAll('text[data-tick=x]')]
            .map(tick => [tick.getBoundingClientRect(), tick.textContent])
            .sort(([a], [b]) => a.left - b.left);
          return ticks.slice(1).filter(([box], i) => box.left <= ticks[i][0].right)
            .map(([, text]) => text);
        })""",
    )


def looks(widget):
    """What a widget shows: its text, its marks, and its pictures, pixel by pixel."""
    return widget.evaluate(
        """node => [node.innerText, ...[...node.querySelectorAll('svg')].map(svg => svg.innerHTML),
        ...[...node.querySelectorAll('canvas')].map(canvas => canvas.toDataURL())].join()"""
    )


@pytest.mark.parametrize("way", ["http", "file"])
def test_a_search_begun_on_a_page_finds_chapters_and_says_no_error(browser, sites, way):
    with opened(browser, f"{sites[way]}/chapters/05_clip_and_see.html") as page:
        page.keyboard.press("Control+k")
        page.keyboard.type("condition number")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search.html?q=condition*")
        page.wait_for_selector("#search-results li a[href*='07_condition_numbers']")
        page.wait_for_timeout(1000)
        assert page.faults == []


def assert_fits(page):
    """Nothing can be pushed sideways, and no numbers on an axis run into each other."""
    assert overflow(page) == 0 and colliding(page) == []


THEMES = ["light", "dark"]


@pytest.mark.parametrize(
    "name, themes", [(name, THEMES[:: (-1) ** i]) for i, name in enumerate(PAGES)]
)
def test_a_page_from_a_server_shuts_nobody_out_and_fits(browser, sites, name, themes):
    """Opened in one theme, every other page in the dark one, and then seen in the other."""
    url = f"{sites['http']}/{name}.html"
    with opened(browser, url, theme=themes[0], reduced_motion="reduce") as page:
        page.wait_for_timeout(800)
        for width, height in ((1280, 900), (390, 844)):
            page.set_viewport_size({"width": width, "height": height})
            if width == 390:
                page.wait_for_timeout(
                    800
                )  # the theme then makes what now scrolls reachable from the keyboard
            for theme in themes if width == 1280 else reversed(themes):
                page.emulate_media(color_scheme=theme)
                page.wait_for_function(
                    "theme => document.documentElement.dataset.theme === theme", arg=theme
                )
                page.wait_for_timeout(100)
                assert_fits(page)
                assert axe_faults(page) == [], (theme, width)
        # (a wide table scrolls within its own frame)
        cut = page.eval_on_selector_all(
            ".widget p, .widget label, .widget figcaption, .widget text",
            "nodes => nodes.filter(n => n.getBoundingClientRect().right > innerWidth + 1).map(n =>"
            " n.textContent)",
        )
        assert cut == []
        assert page.faults == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_from_its_folder_asks_for_nothing_and_each_slider_redraws_its_widget(
    browser, sites, name
):
    """From the keyboard, and without motion if the reader asked for that."""
    with opened(browser, f"{sites['file']}/{name}.html") as page:
        assert page.faults == []
        assert not page.locator(".alone").count(), "a widget did not start"
        page.emulate_media(reduced_motion="reduce")
        states = {}
        for script in page.locator(
            'script[type="application/vnd.jupyter.widget-state+json"]'
        ).all():
            states |= json.loads(script.text_content())["state"]
        views = [
            json.loads(script.text_content())["model_id"] for script in page.locator(VIEW).all()
        ]
        assert [states[view]["model_module"] for view in views] == ["anywidget"] * len(views)
        widgets = page.locator(".widget > .svdicl").all()
        assert len(widgets) == len(views)
        page.evaluate(COUNTING_FRAMES)
        for widget in widgets:
            for slider in widget.locator("input[type=range]").all():
                before = looks(widget)
                slider.focus()
                page.keyboard.press("Home")
                page.keyboard.press("ArrowRight")
                page.keyboard.press("ArrowRight")
                page.wait_for_timeout(300)
                if looks(widget) == before:  # of three stops the third may be where it began
                    page.keyboard.press("ArrowLeft")
                    page.wait_for_timeout(300)
                assert looks(widget) != before, (
                    f"{slider.get_attribute('id')} of {widget.get_attribute('aria-label')} moved"
                    " and nothing changed"
                )
        assert moving(page) == []
        if widgets:
            # the fifty have been read
            page.wait_for_function("!document.querySelector('.svdicl .stale')")
            page.wait_for_timeout(300)  # what is said aloud comes 400 ms behind the last movement
            frames = page.evaluate("framesAsked")
            still = [looks(widget) for widget in widgets]
            page.wait_for_timeout(300)
            assert [looks(widget) for widget in widgets] == still, "a widget moves by itself"
            assert page.evaluate("framesAsked") == frames, "a script draws frame after frame"
        assert page.faults == []


def test_who_did_not_ask_for_it_has_motion_and_who_did_has_none_whatever_the_style_sheets_say(
    browser, sites
):
    """That is, the test above would see a movement, and a new one would not come through."""
    page_with_widget = f"chapters/{CHAPTERS[0]}"
    with opened(browser, f"{sites['file']}/{page_with_widget}.html") as page:
        assert moving(page)
        page.emulate_media(reduced_motion="reduce")
        assert moving(page) == []
        page.add_style_tag(
            content=(
                "@keyframes turn { to { rotate: 1turn } } .svdicl p, .bd-article p { animation:"
                " turn 1s infinite; transition: color 1s }"
            )
        )
        assert moving(page) == []
        page.emulate_media(reduced_motion="no-preference")
        assert {"animation", "p.says"} <= set(moving(page))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_first_picture_has_the_reader_s_colours_though_no_script_file_has_come(
    browser, sites, theme
):
    context = browser.new_context(color_scheme=theme)
    page = context.new_page()
    page.route("**/*.js*", lambda route: route.abort())
    page.goto(f"{sites['file']}/chapters/{CHAPTERS[0]}.html")
    assert page.locator("html").get_attribute("data-theme") == theme
    assert (
        page.locator(".bd-article h1").is_visible()
        and not page.locator("details.fold > p").first.is_visible()
    )
    context.close()


def test_in_print_and_without_scripts_a_figure_takes_each_widgets_place(browser, sites):
    page_with_widget = next(
        f"chapters/{chapter}"
        for chapter in CHAPTERS
        if VIEW[12:-2] in (HTML / f"chapters/{chapter}.html").read_text()
    )
    with opened(browser, f"{sites['file']}/{page_with_widget}.html") as page:
        figure = page.locator(".widget-stand-in img").first
        assert not figure.is_visible() and page.locator(".svdicl").first.is_visible()
        page.emulate_media(media="print")
        assert figure.is_visible() and not page.locator(".svdicl").first.is_visible()
        assert page.locator(".widget-stand-in td").first.is_visible()
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{sites['file']}/{page_with_widget}.html")
    assert page.locator(".widget-stand-in img").first.is_visible()
    context.close()
