"""The one style sheet of the book: joined in order, without what no page can use, and no page looks
otherwise for it.
"""

import re
import sys

import pytest
import tinycss2
from browsers import opened
from test_browser import HTML, sites  # noqa: F401
from test_chapters import ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import styles


@pytest.mark.parametrize(
    "selector, kept",
    [
        ("p", True),
        (".seen", True),
        (".never", False),
        ("#never", False),
        ("p.seen#here", True),
        ("p.seen .never", False),
        (".never, .seen", True),
        (".never, #never", False),
        (":not(.never)", True),
        (".seen:has(> .never)", True),
        ("[class*=never]", True),
        (".seen:hover", True),
        (r".w\/2", True),
        (r".w\/3", False),
    ],
)
def test_a_rule_stays_if_one_of_its_selectors_can_match(selector, kept):
    (rule,) = tinycss2.parse_stylesheet(selector + " { color: red }")
    assert styles.needed(rule, {"seen", "here", "w", "2"}) == kept


def trim(text):
    return styles.trimmed(
        tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True), {"seen"}
    )


def test_rules_in_a_media_query_are_looked_at_and_an_empty_one_goes():
    assert (
        trim("@media print { .never { color: red } .seen { color: red } }")
        == "@media print {.seen { color: red }}"
    )
    assert trim("@media print { @supports (gap: 0) { .never { color: red } } }") == ""
    assert trim("@keyframes turn { from { top: 0 } }") == "@keyframes turn { from { top: 0 } }"
    assert trim("@font-face { font-family: x; src: url(x.woff2) }").startswith("@font-face")


def test_what_a_sheet_imports_stands_where_it_was_and_addresses_are_seen_from_the_new_place(
    tmp_path,
):
    for name, text in {
        "_static/base.css": "p { background: url('img/a.svg') }",
        "_static/styles/theme.css": (
            '@import "../base.css"; b { background: url(../fonts/b.woff2) }'
        ),
        "_static/own.css": '.seen { background: url("data:image/svg+xml,x") } i { mask: url(#m) }',
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    theme = styles.sheet(tmp_path, "_static/styles/theme.css", set())
    assert theme.index("p {") < theme.index("b {") and "@import" not in theme
    assert "url('../img/a.svg')" in theme.replace('"', "'") and "../fonts/b.woff2" in theme
    assert '"data:image/svg+xml,x"' in styles.sheet(
        tmp_path, "_static/own.css", {"seen"}
    ) and "url(#m)" in styles.sheet(tmp_path, "_static/own.css", set())


def joined():
    """The one sheet of the built book, and the files that it was joined from."""
    sheet = (HTML / styles.SHEET).read_text()
    return sheet, re.match(r"/\* joined from (.*) \*/", sheet)[1].split()


# The style of every element, and the variables of the first of each kind: they are handed down,
# and what they do to an element stands among its properties. All of it stays in the page: 100 MB
# are slow to move.
STYLE_OF_ALL = """(kept) => {
  const names = [...getComputedStyle(document.body)].filter((name) => !name.startsWith("--"));
  const said = (style, names) =>
    names.map((name) => name + ":" + style.getPropertyValue(name)).join(";");
  const seen = new Set();
  const all = document.querySelectorAll(
    "html, body, body *:not(mjx-container *, .svdicl *, script)");
  const look = (node, part) => {
    const style = getComputedStyle(node, part);
    if (part && style.content === "none") return "";
    const kind = node.localName + "." + (node.getAttribute("class") || "") + (part ?? "");
    const variables = [...(seen.has(kind) ? [] : style)].filter((name) => name.startsWith("--"));
    seen.add(kind);
    return kind + " " + said(style, names) + said(style, variables);
  };
  window[kept] = [...all].flatMap(
    (node) => [null, "::before", "::after"].map((part) => look(node, part)));
}"""
DIFFERENT = """() => [ours.length, theirs.length,
  ours.map((style, i) => [style, theirs[i]]).filter(([a, b]) => a !== b).slice(0, 3)]"""
SWAP = """async (files) => {
  const one = document.querySelector('link[rel=stylesheet][href*="book-in-one"]');
  const root = one.getAttribute("href").replace(/_static.*/, "");
  const links = files.map((file) =>
    Object.assign(document.createElement("link"), { rel: "stylesheet", href: root + file }));
  const loaded = links.map((link) => new Promise((done) => (link.onload = link.onerror = done)));
  one.replaceWith(...links);
  await Promise.all(loaded);
}"""
# The model in the first page has read its fifty prompts: that takes longer than any rest.
READ = """() => !document.querySelector("#widget-ask-clipped")
  || (document.querySelector(".cut").textContent.startsWith("Layer")
    && document.querySelector(".held:not(.stale) [data-of]"))"""
AT_REST = """() => [
  document.querySelectorAll("*").length, document.documentElement.scrollHeight,
  document.documentElement.className, document.fonts.status].join(" ")"""


def keep_style(page, name):
    """Keeps the style of every element as `name` in the page, once three looks at it agree:
    scripts, pictures and widgets come in their own time, later on a busy machine.
    """
    looks = []
    while len(looks) < 3 or not looks[-1] == looks[-2] == looks[-3]:
        assert len(looks) < 60, f"the page does not come to rest: {looks[-3:]}"
        page.wait_for_timeout(300)
        looks.append(page.evaluate(AT_REST))
    page.evaluate(STYLE_OF_ALL, name)


@pytest.mark.built
@pytest.mark.parametrize(
    "name", ["book/intro", "book/glossary", "chapters/05_clip_and_see", "search"]
)
@pytest.mark.parametrize("theme, width", [("light", 1280), ("dark", 390)])
def test_no_element_of_a_page_looks_otherwise_than_with_all_the_sheets(
    browser,
    sites,  # noqa: F811
    name,
    theme,
    width,
):
    with opened(
        browser, f"{sites['file']}/{name}.html", width, theme, reduced_motion="reduce"
    ) as page:
        if page.locator(".widget").count():
            page.wait_for_selector(".widget .svdicl")
            page.wait_for_function(READ)
        keep_style(page, "ours")
        _, files = joined()
        assert len(files) >= 8 and page.locator("link[rel=stylesheet]").count() == 1
        page.evaluate(SWAP, files)
        keep_style(page, "theirs")
        ours, theirs, different = page.evaluate(DIFFERENT)
        assert ours == theirs > 300
        assert different == []


@pytest.mark.built
def test_most_of_the_toolkit_is_gone(sites):  # noqa: F811
    sheet, files = joined()
    assert len(sheet) < 0.5 * sum((HTML / file).stat().st_size for file in files)
    assert ".fa-address-book" not in sheet and ".bd-article" in sheet
