"""What a page says of itself to others, buttons for a repository, search, and terms of the
glossary.
"""

import re
import sys
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import yaml
from browsers import opened
from test_browser import HTML, overflow, sites  # noqa: F401
from test_chapters import ROOT
from test_pages import pages  # noqa: F401

sys.path.insert(0, str(ROOT / "book/_ext"))
import cite_book
import glossary_tips
import repository
import share

# What a page says of itself


def test_a_description_ends_with_a_sentence_or_says_that_it_goes_on():
    first = (
        "A sentence that is long enough to stand alone as the description of one page of a book."
    )
    assert share.shortened(f"{first} {'More words follow it. ' * 20}").startswith(first)
    assert share.shortened("word " * 100).endswith("word …")
    assert share.shortened(" two\n lines ") == "two lines"
    assert len(share.shortened("word " * 100)) <= share.LENGTH + 2


def test_addresses_are_whole_where_the_base_is_known():
    known = SimpleNamespace(config=SimpleNamespace(html_baseurl="https://books.example/one/"))
    unknown = SimpleNamespace(config=SimpleNamespace(html_baseurl=""))
    assert share.address(known, "book/a", "_images/b.png") == (
        "https://books.example/one/_images/b.png"
    )
    assert share.address(unknown, "book/a", "_images/b.png") == "../_images/b.png"
    assert share.address(unknown, "a", "_images/b.png") == "_images/b.png"


@pytest.mark.built
def test_every_page_describes_itself_and_shows_a_picture_that_exists(pages):  # noqa: F811
    described = {}
    for name, page in pages.items():
        tag = lambda key, page=page: page.select_one(
            f"meta[property='og:{key}'], meta[name='{key}']"
        )["content"]
        assert 20 < len(tag("description")) <= share.LENGTH + 2, name
        assert tag("title") and "<" not in tag("title") and tag("site_name"), name
        image = tag("image")
        assert urlsplit(image).netloc or (HTML / name).parent.joinpath(image).exists(), name
        assert page.select_one("link[rel=icon]")["href"].endswith("favicon.svg"), name
        described.setdefault(tag("description"), []).append(name)
    assert not [names for names in described.values() if len(names) > 1]


@pytest.mark.built
def test_there_is_a_page_for_lost_addresses_and_robots_are_welcome(pages):  # noqa: F811
    assert pages["404"].select_one("article a[href='book/intro.html']")
    assert (HTML / "robots.txt").read_text().startswith("User-agent: *\nAllow: /\n")


def test_a_sitemap_names_every_page_where_the_base_is_known(tmp_path):
    app = SimpleNamespace(
        builder=SimpleNamespace(format="html"),
        config=SimpleNamespace(html_baseurl="https://books.example/one/"),
        env=SimpleNamespace(found_docs={"book/intro", "chapters/a"}),
        outdir=tmp_path,
    )
    share._for_robots(app, None)
    sitemap = (tmp_path / "sitemap.xml").read_text()
    assert re.findall(r"<loc>(.*?)</loc>", sitemap) == [
        "https://books.example/one/book/intro.html",
        "https://books.example/one/chapters/a.html",
    ]
    assert "Sitemap: https://books.example/one/sitemap.xml" in (tmp_path / "robots.txt").read_text()


def test_the_citation_is_of_this_version_and_the_changes_tell_it():
    import svdicl_lite

    said = cite_book.citation()
    assert said["version"] == svdicl_lite.__version__
    assert said["title"] == yaml.safe_load((ROOT / "_config.yml").read_text())["title"]
    assert f", {svdicl_lite.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_bibtex_keeps_a_groups_name_whole_and_turns_a_persons():
    person = {"given-names": "Ada", "family-names": "Lovelace"}
    said = {"authors": [person, {"name": "The Group"}], "title": "One", "version": "1"}
    entry = cite_book.bibtex(said | {"date-released": "2026-11-30"})
    assert "author = {Ada Lovelace and {The Group}}" in entry and "year = {2026}" in entry


@pytest.mark.built
def test_the_citation_is_on_the_page_with_a_button_that_copies_it(browser, sites):  # noqa: F811
    with opened(browser, f"{sites['http']}/book/references.html") as page:
        entry = page.locator(".highlight-bibtex")
        assert entry.locator("pre").text_content().strip() == cite_book.bibtex(cite_book.citation())
        assert entry.locator("button.copybtn").get_attribute("aria-label") or entry.locator(
            "button.copybtn"
        ).get_attribute("data-tooltip")


# The repository


def configured(address):
    config = SimpleNamespace(html_theme_options={}, repository_url=address, jupyterhub_url="")
    repository._offer(None, config)
    return config.html_theme_options


def test_buttons_come_from_one_value_and_without_it_there_are_none():
    assert not any(configured("").values()) and "repository_url" not in configured("")
    options = configured("https://git.example/us/book/")
    assert options["repository_url"] == "https://git.example/us/book"
    assert options["repository_branch"] == "main"
    assert all(options[button] for button in repository.BUTTONS) and options["launch_buttons"]


def test_texts_name_the_repository_by_that_value():
    app = SimpleNamespace(config=SimpleNamespace(repository_url="https://git.example/us/book"))
    source = ["git clone {{repository}} x; {{repository quoted}}"]
    repository._name(app, "a", source)
    assert source == [
        "git clone https://git.example/us/book x; https%3A%2F%2Fgit.example%2Fus%2Fbook"
    ]


def test_a_button_on_a_chapter_leads_to_its_text_and_a_download_stays_a_notebook():
    inner = {"url": "https://git.example/us/book/edit/main/chapters/07_a.ipynb"}
    download = {"url": "../_sources/chapters/07_a.ipynb"}
    context = {"header_buttons": [{"buttons": [inner]}, download]}
    repository._to_sources(None, "chapters/07_a", "", context, None)
    assert inner["url"].endswith("chapters/07_a.md") and download["url"].endswith(".ipynb")


@pytest.mark.built
def test_no_page_names_a_repository_that_nobody_set(pages):  # noqa: F811
    set_to = yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["config"][
        "repository_url"
    ]
    for name, page in pages.items():
        assert "OWNER/REPO" not in page.text and "{{repository" not in page.text, name
        assert bool(page.select(".btn-source-repository-button")) == bool(set_to), name


# Search and glossary


@pytest.mark.built
def test_a_result_shows_the_text_of_a_page_and_not_its_contents_for_print(browser, sites):  # noqa: F811
    with opened(browser, f"{sites['http']}/search.html?q=algorithm") as page:
        page.wait_for_selector("#search-results p.context")
        page.wait_for_timeout(1500)
        told = page.locator("#search-results p.context").all_inner_texts()
        assert told and not [text for text in told if re.match(r"\W*Contents\b", text)], told
        assert not [text for text in told if "\nContents\n" in text]


def test_a_term_is_found_with_its_definition():
    from docutils import nodes

    term = nodes.term("", "clip", ids=["term-clip"])
    told = nodes.definition("", nodes.paragraph("", "To cut\nthe small ones."))
    item = nodes.definition_list_item("", term, told)
    found = glossary_tips.definitions(nodes.definition_list("", item))
    assert found == {"term-clip": "To cut the small ones."}


@pytest.mark.built
def test_a_term_says_what_it_means_at_focus_and_under_the_pointer_until_escape(
    browser,
    sites,  # noqa: F811
    pages,  # noqa: F811
):
    name = next(name for name, page in pages.items() if page.select("article a[data-tip]"))
    with opened(browser, f"{sites['file']}/{name}.html", width=390) as page:
        link, tip = page.locator("article a[data-tip]").first, page.locator("#glossary-tip")
        said = link.get_attribute("data-tip")
        link.scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        link.focus()
        assert tip.is_visible() and tip.inner_text() == said
        assert link.get_attribute("aria-describedby") == "glossary-tip"
        box = tip.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and overflow(page) == 0
        page.keyboard.press("Escape")
        assert not tip.is_visible() and not link.get_attribute("aria-describedby")
        link.hover()
        assert tip.is_visible()
        assert page.faults == []
