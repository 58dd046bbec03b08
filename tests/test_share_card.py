"""The picture of a page that is shared: in the book's letters, and never wider than the card."""

import sys

import numpy as np
import pytest
from test_chapters import ROOT

sys.path.insert(0, str(ROOT / "book/_ext"))
import share_card

LONG = "A long text that goes on and on. " * 12


def test_the_letters_are_those_of_the_pages():
    for bold in (False, True):
        assert share_card._font(30, bold).getname()[0] in ("Book Sans", "Source Sans 3")


@pytest.mark.parametrize("text, most", [("Short", 4), (LONG, 2), (LONG, 4), ("Short words", 1)])
def test_lines_fit_and_what_is_left_out_is_said(text, most):
    font = share_card._font(35)
    found = share_card.lines(text, font, most)
    room = share_card.FINE * (share_card.RIGHT - share_card.LEFT)
    assert len(found) <= most and max(map(font.getlength, found)) <= room
    whole = " ".join(found) == " ".join(text.split())
    assert whole != found[-1].endswith("…") and (whole or text is LONG)


def test_a_card_keeps_its_margins_and_greys_the_number():
    card = share_card.card("A book", "05 A title", LONG)
    pixels = np.asarray(card).min(axis=2)
    assert card.size == share_card.SIZE
    assert (pixels[:, : share_card.LEFT - 1] > 250).all()
    assert (pixels[:, share_card.RIGHT + 2 :] > 250).all() and (pixels[-30:] > 250).all()
    number = np.asarray(card.crop((80, 240, 140, 320))).min(axis=(0, 1))
    title = np.asarray(card.crop((160, 240, 400, 320))).min(axis=(0, 1))
    assert (number > title + 20).all(), (number, title)
