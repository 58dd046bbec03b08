"""A real browser for the tests, with every other host blocked, and a page without a kernel around a
single widget.
"""

import html
import json
import os
import re
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from ipywidgets.embed import embed_data
from test_chapters import ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
from chromium import browser as chromium_here

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETTLED = """!document.querySelector('script[type="text/after-paint"]')
  && (!window.MathJax || window.MathJax.startup?.promise?.then(() => true))"""
VIEW = 'script[type="application/vnd.jupyter.widget-view+json"]'


def executable(bundled):
    """The path of the browser. Without one the tests skip, and under CI fail."""
    found = chromium_here(bundled)
    if not found:
        say = "NO BROWSER: the widgets and pages are NOT tested; `make chromium` fetches one"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(say)
    return found


@contextmanager
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = executable(Path(playwright.chromium.executable_path))
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def opened(browser, url, width=1280, theme="light", **context):
    """The page at `url` with a list `faults`: console errors, exceptions, failed requests, and
    requests to another host, all blocked.
    """
    home = "file://" if url.startswith("file:") else re.match(r"http://[^/]+/", url)[0]
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme, **context
    )
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.faults = []
    page.on("console", lambda message: message.type == "error" and page.faults.append(message.text))
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("requestfailed", lambda request: page.faults.append(f"failed: {request.url}"))
    page.on(
        "response",
        lambda response: response.status >= 400
        and page.faults.append(f"{response.status}: {response.url}"),
    )
    page.route(
        lambda asked: not asked.startswith((home, "blob:", "data:")), lambda route: route.abort()
    )
    page.goto(url)
    page.wait_for_function(
        "document.querySelectorAll('.widget > .svdicl').length >="
        f" document.querySelectorAll('{VIEW}').length || document.querySelector('.alone')"
    )
    page.wait_for_function(SETTLED)
    yield page
    context.close()


def static_page(widget, folder):
    """The url of a page that holds this widget and the host of the book, as myst-nb would write
    them.
    """
    data = embed_data(views=[widget], drop_defaults=False)
    state, view = (
        json.dumps(part).replace("<", "\\u003c")
        for part in (data["manager_state"], data["view_specs"][0])
    )
    stand_in = widget._repr_mimebundle_()[0]["text/html"]
    path = folder / f"{type(widget).__name__}.html"
    path.write_text(
        f'<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8"><meta'
        f' name="viewport" content="width=device-width">'
        f"<title>{html.escape(type(widget).__name__)}</title>"
        f"<style>{(ROOT / 'book/assets/palette.css').read_text()}</style>"
        f"<style>{(ROOT / 'book/assets/book.css').read_text()}</style>"
        f"<style>{(ROOT / 'book/assets/widgets.css').read_text()}</style>"
        f'<script type="application/vnd.jupyter.widget-state+json">{state}</script>'
        f"<script defer src='{(ROOT / 'book/assets/widgets.js').as_uri()}'></script>"
        '<main class="cell_output"><h1>A widget</h1><script'
        f' type="application/vnd.jupyter.widget-view+json">{view}</script>{stand_in}</main></html>'
    )
    return path.as_uri()


def sides(page, where):
    """Where the first of these begins and the last ends, in pixels down the page. Asked in one
    step, since a widget may draw a part anew between finding it and measuring it.
    """
    edges = "all => [all[0].getBoundingClientRect().top, all.at(-1).getBoundingClientRect().bottom]"
    return [edge + page.evaluate("scrollY") for edge in page.eval_on_selector_all(where, edges)]


def said(page):
    """What a widget says of its state, as a screen reader is told it."""
    return page.locator(".says").inner_text()


def press(page, role, name, *keys):
    """Puts the focus on a control and presses keys there."""
    page.get_by_role(role, name=name).first.focus()
    for key in keys:
        page.keyboard.press(key)


def values(page, marks):
    """Where the circles that `marks` selects lie in their chart, by its ticks: [(x, y), …]."""
    return page.eval_on_selector_all(
        marks,
        """nodes => nodes.map(node => {
          const scale = (axis, place, value) => {
            const ticks = [...node.closest('svg').querySelectorAll(`text[data-tick=${axis}]`)]
              .map(t => [t.getAttribute(axis) - (axis === 'y' ? 4 : 0), Number(t.dataset.value)]);
            const [[p, v], [q, w]] = [ticks[0], ticks.at(-1)];
            return v + (value - p) / (q - p) * (w - v);
          };
          const at = (name) => Number(node.getAttribute(name));
          return [scale('x', 'cx', at('cx')), scale('y', 'cy', at('cy'))];
        })""",
    )


def moving(page):
    """What moves, or would move at a change, by the page's style sheets or its scripts: "tag.class"
    an element, "animation" for one that runs.
    """
    return page.evaluate(
        """() => {
          const parts = (node) => [null, "::before", "::after"].flatMap((part) => {
            const style = getComputedStyle(node, part);
            const moves = style.animationName !== "none" || style.scrollBehavior === "smooth"
              || style.transitionDuration.split(", ").some((time) => parseFloat(time) > 0);
            return moves ? [`${node.localName}.${node.getAttribute("class")}${part ?? ""}`] : [];
          });
          return [...document.querySelectorAll(":not(mjx-container *)")].flatMap(parts)
            .concat(document.getAnimations().map(() => "animation"));
        }"""
    )


# axe-core at the whole page, and its costly rule, contrast, at the first, the middle and the last
# of the texts that are alike: of one kind in one place of the tree, in the same colours all the way
# up.
AXE = """async () => {
  const numbers = new Map(), chains = new Map(), alike = new Map();
  const number = (key) => numbers.get(key) ?? numbers.set(key, numbers.size).get(key);
  const chain = (node) => {
    if (!node) return "";
    if (!chains.has(node)) {
      const style = getComputedStyle(node);
      chains.set(node, number([
        chain(node.parentElement), node.localName, node.getAttribute("class"),
        style.backgroundColor, style.backgroundImage, style.opacity, style.filter,
        style.mixBlendMode, style.position, style.overflow,
      ].join("|")));
    }
    return chains.get(node);
  };
  const says = (node) => node.matches("input, select, textarea, button")
    || [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
  for (const node of document.body.querySelectorAll("*")) {
    node.removeAttribute("data-one-of-its-kind");
    if (!says(node) || !node.checkVisibility({ visibilityProperty: true })) continue;
    const { color, fontSize, fontWeight, textShadow } = getComputedStyle(node);
    const key = [chain(node), color, fontSize, fontWeight, textShadow].join("|");
    alike.set(key, [...(alike.get(key) ?? []), node]);
  }
  for (const nodes of alike.values())
    for (const i of [0, nodes.length >> 1, nodes.length - 1])
      nodes[i].setAttribute("data-one-of-its-kind", "");
  axe.configure({ rules: [{ id: "color-contrast", selector: "[data-one-of-its-kind]" }] });
  const faults = async (selectors) => {
    const asked = { resultTypes: ["violations"], preload: false, selectors };
    const { violations } = await axe.run(asked);
    return violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  };
  if (!(await faults(false)).length) return [];  // a selector for each element is dear
  return (await faults(true)).flatMap(({ id, nodes }) => nodes.map(
    ({ target, html }) => `${id}: ${target} ${html.slice(0, 100)}`));
}"""


def axe_faults(page):
    """What axe-core finds that is serious or critical: "rule: target" a fault."""
    from axe_playwright_python.base import AXE_SCRIPT

    if page.evaluate("!window.axe"):
        page.evaluate(AXE_SCRIPT)
    return page.evaluate(AXE)
