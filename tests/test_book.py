"""The built book: complete, without a warning or a failed cell, and asking no other host."""

import json
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup
from test_chapters import CHAPTERS, ROOT, built_book

from svdicl_lite import widgets

sys.path.insert(0, str(ROOT / "book/_ext"))
import links

HTML = ROOT / "_build/ci/_build/html"

pytestmark = pytest.mark.built  # all of it looks at the built book


@pytest.fixture(scope="module")
def pages():
    built_book()
    return {
        path.relative_to(HTML).as_posix(): BeautifulSoup(path.read_text(), "html.parser")
        for path in HTML.rglob("*.html")
        if "_static" not in path.parts
    }


def test_every_page_of_the_toc_is_there(pages):
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    listed = [
        toc["root"],
        *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"]),
    ]
    assert {f"{name}.html" for name in listed} <= pages.keys()
    assert {f"chapters/{name}" for name in CHAPTERS} <= set(listed), (
        "a chapter is not in the table of contents"
    )


def test_the_build_said_no_warning(pages):
    log = (ROOT / "_build/ci/build.log").read_text()
    assert "build succeeded" in log
    assert "WARNING" not in log and "ERROR" not in log


def test_no_page_shows_an_error_or_an_unresolved_value(pages):
    for name, page in pages.items():
        text = page.get_text()
        assert "Traceback (most recent call last)" not in text, name
        assert "glue:" not in text and "{cite" not in text and "{ref}" not in text, name


def test_every_picture_is_described(pages):
    for name, page in pages.items():
        for image in page.select("article img"):
            assert len(image.get("alt", "")) > 20 and ".png" not in image["alt"], f"{name}: {image}"


def test_every_chapter_offers_its_executed_notebook(pages):
    for chapter in CHAPTERS:
        links = [
            urlsplit(a["href"]).path for a in pages[f"chapters/{chapter}.html"].select("a[href]")
        ]
        assert any(link.endswith(f"_sources/chapters/{chapter}.ipynb") for link in links), chapter
        assert '"execution_count": ' in (HTML / f"_sources/chapters/{chapter}.ipynb").read_text()


def test_no_page_asks_another_host(pages):
    for name, page in pages.items():
        asked = [
            tag.get("src") or tag.get("href")
            for tag in page.select("script[src], link[href], img[src], iframe[src], source[src]")
            if tag.get("rel") != ["canonical"]
        ]
        assert not [url for url in asked if urlsplit(url).netloc], name
        assert "cdn." not in "".join(tag.get_text() for tag in page.select("script:not([src])")), (
            name
        )


def states_of(name):
    """The states of a page's widgets, as text, out of the scripts beside it."""
    files = sorted(HTML.glob(f"{name.removesuffix('.html')}.state-*.js"))
    return [
        json.loads(
            re.fullmatch(
                r'document.currentScript.before\(Object.assign\(document.createElement\("script"\),'
                r" (.*)\)\);\n",
                file.read_text(),
            )[1]
        )["textContent"]
        for file in files
    ]


def test_every_widget_view_has_its_state_from_the_notebook_to_the_page(pages):
    kind = "application/vnd.jupyter.widget-{}+json"
    shown = 0
    for chapter in CHAPTERS:
        notebook = json.loads((ROOT / f"_build/ci/chapters/{chapter}.ipynb").read_text())
        kept = (
            notebook["metadata"].get("widgets", {}).get(kind.format("state"), {}).get("state", {})
        )
        outputs = [
            output.get("data", {})
            for cell in notebook["cells"]
            for output in cell.get("outputs", [])
        ]
        views = [
            data[kind.format("view")]["model_id"] for data in outputs if kind.format("view") in data
        ]
        page = pages[f"chapters/{chapter}.html"]
        in_page = [
            json.loads(script.string)["model_id"]
            for script in page.find_all("script", type=kind.format("view"))
        ]
        states = states_of(f"chapters/{chapter}.html")
        assert set(views) <= kept.keys() and in_page == views, chapter
        assert "data:image" not in str(page.main), (
            f"{chapter}: a picture stands in the page's own text, which it makes long"
        )
        assert all(view in states[0] for view in views) and not page.find_all(
            "script", type=kind.format("state")
        ), chapter
        assert [tag["type"] for tag in page.find_all("script", src=re.compile("state-1.js"))] == [
            "text/after-paint"
        ] * bool(views), chapter
        assert (
            len(page.select(".widget-stand-in table"))
            == len(page.select(".widget-stand-in img"))
            == len(views)
        ), chapter
        shown += len(views)
    assert shown


def test_every_widget_is_in_the_book(pages):
    found = {
        model["state"]["_anywidget_id"].rpartition(".")[2]
        for name in pages
        for state in states_of(name)
        for model in json.loads(state)["state"].values()
        if model["model_module"] == "anywidget"
    }
    assert found == set(widgets.__all__)


def test_text_waits_for_no_script(pages):
    """One script, which others are written to call, is read with the page, and one style sheet; all
    else begins behind the first picture.
    """
    for name, page in pages.items():
        if name in (
            "search.html",
            "index.html",
        ):  # whose text is made by scripts; which leads on to the intro
            continue
        early = [
            tag["src"]
            for tag in page.find_all("script", src=True)
            if tag.get("type") != "text/after-paint"
        ]
        assert (
            len(early) == 1
            and "documentation_options" in early[0]
            and not page.head.find("link", rel="preload")
        ), name
        assert len(page.find_all("link", rel="stylesheet")) == 1, name
        assert not page.find_all("script", type="application/vnd.jupyter.widget-state+json"), name


def test_a_picture_has_its_place_before_it_comes(pages):
    seen = 0
    for name, page in pages.items():
        for image in page.select("article img[src*='_images/']"):
            if not image.get("style"):
                assert image["loading"] == "lazy" and int(image["width"]) > 0 < int(
                    image["height"]
                ), f"{name}: {image}"
                seen += 1
    assert seen > 10


def test_every_internal_link_leads_to_a_place_that_is_there(pages):
    addresses = {name: links.links_of(page) for name, page in pages.items()}
    places = {name: links.places_of(page) for name, page in pages.items()}
    assert sum(map(len, addresses.values())) > 3000
    assert links.dead(addresses, places, HTML) == []


def test_links_to_other_sites_are_well_formed_and_their_papers_are_in_the_references(pages):
    others = links.outside({name: links.links_of(page) for name, page in pages.items()})
    known, _ = links.contradicting(links.REFERENCES.read_text())
    assert len(others) > 30
    assert links.malformed(others, known) == []


def test_source_pages_do_not_leak_this_machine(pages):
    for chapter in CHAPTERS:
        assert str(Path.home()) not in (HTML / f"chapters/{chapter}.html").read_text()
