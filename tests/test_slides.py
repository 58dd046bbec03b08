"""Slides made of a chapter: what is shown, what is only said, what stays in the book, and that no
other host is asked.
"""

import importlib.util
import re

import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from test_chapters import ROOT

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJ"
    "RU5ErkJggg=="
)
spec = importlib.util.spec_from_file_location("slides", ROOT / "book/teaching/slides.py")
slides = importlib.util.module_from_spec(spec)
spec.loader.exec_module(slides)


@pytest.fixture(scope="module")
def deck(tmp_path_factory):
    figure = {"figure": {"caption": "Bars fall."}, "image": {"alt": "Falling bars."}}
    glued = new_output(
        "display_data",
        data={"application/papermill.record/text/plain": "'0.87'"},
        metadata={"scrapbook": {"name": "ch99_share"}},
    )
    cells = [
        new_markdown_cell("(ch-small)=\n# A small chapter"),
        new_markdown_cell(
            "## Matrices\n\nThe share is {glue:text}`ch99_share`, says {cite}`yao2024svd`; see"
            " {ref}`ch-small`.\n\n$$\nW = U S V^T\n$$"
        ),
        new_markdown_cell(
            ":::{guess} ch99_larger\n:choices: this | that\n:hides: it\n\nWhich is larger?\n:::"
        ),
        new_code_cell(
            "short = 1 + 1\nprint(short)", outputs=[new_output("stream", name="stdout", text="2\n")]
        ),
        new_code_cell(
            "draw_it()",
            metadata={"mystnb": figure},
            outputs=[new_output("display_data", data={"image/png": PIXEL})],
        ),
        new_code_cell("hidden_plumbing()", metadata={"tags": ["remove-cell"]}, outputs=[glued]),
        new_code_cell("\n".join(f"line_{i} = {i}" for i in range(40))),
        new_markdown_cell("## Exercises\n\nProve it."),
        new_markdown_cell(
            "## Three things to take away\n\n1. Singular values fall.\n\n**Further reading.** Much."
        ),
    ]
    folder = tmp_path_factory.mktemp("slides")
    notebook = new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    )
    slides.nbformat.write(notebook, folder / "99_small.ipynb")
    slides.main(folder / "99_small.ipynb", folder / "out/99_small.html")
    return BeautifulSoup((folder / "out/99_small.html").read_text(), "html.parser"), folder / "out"


@pytest.mark.parametrize(
    "role, key, said",
    [
        ("cite", "holm1979", "(Holm 1979)"),
        ("cite", "sharma2023laser, yao2024svd", "(Sharma et al. 2023; Yao et al. 2024)"),
        ("cite:t", "xu2017information", "Xu and Raginsky (2017)"),
        ("cite:t", "kocon2021multiemo", "Kocoń et al. (2021)"),
        ("cite:t", "brown2020language", "Brown et al. (2020)"),
        ("cite:ct", "vonoswald2023transformers", "Von Oswald et al. (2023)"),
        ("cite:yearpar", "yao2024svd", "(2024)"),
    ],
)
def test_a_citation_is_said_as_a_sentence_needs_it(role, key, said):
    assert slides.plain(f"See {{{role}}}`{key}`.", {}, {}) == f"See {said}."


def test_what_is_shown_and_what_is_only_said(deck):
    page, _ = deck
    said = " ".join(notes.extract().get_text() for notes in page.find_all("aside", class_="notes"))
    shown = page.find("div", class_="slides").get_text()
    assert re.search(r"The share is 0\.87, says \(Yao et al\. 2024\); see A small chapter\.", said)
    for text in (
        "A small chapter",
        "Matrices",
        "Predict, then run",
        "Which is larger? (this | that)",
        "short = 1 + 1",
        "Bars fall.",
        "W = U S V^T",
        "Singular values fall.",
    ):
        assert text in " ".join(shown.split()), text
    for text in (
        "draw_it",
        "hidden_plumbing",
        "ch99_larger",
        ":hides:",
        "line_39",
        "Prove it",
        "Much.",
        "The share is",
    ):
        assert text not in shown, text
    assert page.find("img")["alt"] == "Falling bars."


def test_boxes_open_a_slide_below_their_section(deck):
    page, _ = deck
    sections = page.find("div", class_="slides").find_all("section", recursive=False)
    section = next(s for s in sections if s.find("h2") and "Matrices" in s.find("h2").get_text())
    below = section.find_all("section", recursive=False)
    assert (
        len(below) >= 3
        and "Which is larger?" in below[1].get_text()
        and "Which is larger?" not in below[0].get_text()
    )


def test_slides_ask_no_other_host(deck):
    page, folder = deck
    asked = [
        tag[key]
        for tag in page.find_all(["script", "link", "img", "iframe"])
        for key in ("src", "href")
        if tag.get(key)
    ]
    local = [url for url in asked if not url.startswith("data:")]
    assert local and all((folder / url).is_file() for url in local), local
    assert not re.findall(
        r"@import|url\(['\"]?http|import [^;]* from",
        " ".join(tag.get_text() for tag in page.find_all(["style", "script"])),
    )
