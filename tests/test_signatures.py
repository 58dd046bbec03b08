"""Signatures on the pages of the module: types by their names, defaults as the code has them, a
parameter a line where they are many, and no break inside a word.
"""

import sys

import pytest
from browsers import opened
from numpy.typing import ArrayLike
from sphinx.util.typing import stringify_annotation
from test_browser import HTML, overflow, sites  # noqa: F401
from test_chapters import ROOT

import svdicl_lite.clipping.clip  # noqa: F401
from svdicl_lite.clipping.svd import CLIP_RATES

sys.path.insert(0, str(ROOT / "book/_ext"))
import api
import signatures


@pytest.mark.parametrize(
    "raw, shown",
    [
        ("(how=<function SVD.truncate>)", "(how=truncate)"),
        ("(say: Callable = <built-in function print>)", "(say: Callable = print)"),
        ("(kind=<class 'int'>)", "(kind=int)"),
        ("(inputs: dict = <factory>)", "(inputs: dict = ...)"),
        (f"(rates: tuple = {CLIP_RATES!r})", "(rates: tuple = CLIP_RATES)"),
        (f"(x: {stringify_annotation(ArrayLike, 'smart')}, n: int)", "(x: ArrayLike, n: int)"),
    ],
)
def test_a_signature_says_names_and_not_what_objects_say_of_themselves(raw, shown):
    assert signatures.plain(raw) == shown


@pytest.mark.parametrize(
    "plain, marked",
    [
        ("W_Q x", r"W\ :sub:`Q`\  x"),
        ("σ_max / σ_min", r"σ\ :sub:`max`\  / σ\ :sub:`min`\ "),
        ("‖W‖_F² and W_{t−1}", r"‖W‖\ :sub:`F`\ ² and W\ :sub:`t−1`\ "),
        ("ΔW_icl, reading_i", r"ΔW\ :sub:`icl`\ , reading\ :sub:`i`\ "),
        ("2 / 2^m", r"2 / 2\ :sup:`m`\ "),
        ("clip_rate, log_det, top_k", "clip_rate, log_det, top_k"),
        ("clip_ and PIP_*", r"clip\_ and PIP\_\*"),
    ],
)
def test_indices_and_powers_are_set_and_names_stay(plain, marked):
    assert api._text(plain) == marked


def test_code_stays_as_it_is_and_what_is_raised_has_its_own_paragraph():
    (told,) = api._paragraphs("See `W_Q*`. Raises ValueError if W_Q is none.")
    assert told == "See ``W_Q*``.\n\nRaises ValueError if W\\ :sub:`Q`\\  is none."


def test_a_chapter_is_said_once_a_file():
    class App:
        svdicl_chapters = {"05": "ch-a", "09": "ch-b"}

    def fitted(what, name, text):
        lines = text.split("\n")
        api._fit(App, what, name, None, None, lines)
        return "\n".join(lines)

    name = "svdicl_lite.clipping.clip.Clip"
    assert fitted("class", name, "A clip. Taught in chapter 05.") == "A clip."
    assert fitted("class", name, "A clip. Taught in chapter 09.").endswith("<ch-b>`.")
    assert fitted("module", name, "Clips. Taught in chapter 05.").endswith("<ch-a>`.")


BROKEN = """() => [...document.querySelectorAll("dt.sig .pre")].flatMap((part) => {
  const text = part.firstChild, broken = [];
  for (const { 0: word, index } of (text?.data ?? "").matchAll(/\\w+/g)) {
    const range = document.createRange();
    range.setStart(text, index);
    range.setEnd(text, index + word.length);
    if (new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size > 1)
      broken.push(word);
  }
  return broken;
})"""
ROOMS = [api.page_of(room) for room in api.ROOMS]


@pytest.mark.built
def test_no_signature_of_a_built_page_shows_an_object_s_address_or_a_private_type(sites):  # noqa: F811
    for name in ROOMS:
        page = (HTML / f"book/api/{name}.html").read_text()
        for raw in ("&lt;function", "&lt;factory", "~torch", "_NestedSequence", " at 0x"):
            assert raw not in page, (name, raw)


@pytest.mark.built
@pytest.mark.parametrize("name", ["search", "clipping", "scoring"])
def test_a_signature_breaks_between_words_only(browser, sites, name):  # noqa: F811
    with opened(browser, f"{sites['file']}/book/api/{name}.html") as page:
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(BROKEN) == [] and overflow(page) == 0, width
        assert page.locator("dt.sig dl dd").count() > 5  # a parameter a line
