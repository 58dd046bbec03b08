"""The picture that a chat program or a search engine shows of a shared page: the book's sign, the
chapter's number, the title, and the description.
"""

import textwrap
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from svdicl_lite.plots import CLIP, GONE

SIZE = (1200, 630)  # what OpenGraph's users expect
INK, FAINT = "#222832", "#48566b"
BARS = (150, 100, 72, 50)  # singular values that stay, in pixels
CUT = (34, 24, 17, 12)
FONTS = Path(matplotlib.get_data_path(), "fonts/ttf")


def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONTS / f"DejaVuSans{'-Bold' if bold else ''}.ttf", size)


def _sign(draw: ImageDraw.ImageDraw, left: int, base: int) -> None:
    for i, height in enumerate(BARS):
        draw.rectangle((left + 44 * i, base - height, left + 44 * i + 30, base), fill=CLIP)
    middle = left + 44 * len(BARS) + 6
    for y in range(base - 160, base, 24):
        draw.line((middle, y, middle, y + 14), fill=GONE, width=6)
    for i, height in enumerate(CUT):
        x = middle + 22 + 44 * i
        draw.rectangle((x, base - height, x + 30, base), outline=GONE, width=3)


def card(book: str, title: str, said: str) -> Image.Image:
    """A page's card. A title that begins with a chapter's number, "07 …", has it in grey."""
    picture = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(picture)
    _sign(draw, 80, 200)
    draw.text((1120, 140), book, font=_font(26), fill=FAINT, anchor="rs")
    y = 248
    for line in textwrap.wrap(title, 30)[:2]:
        number, space, rest = line.partition(" ")
        x = 80
        if y == 248 and number.isdigit():
            draw.text((x, y), number, font=_font(58, bold=True), fill=FAINT)
            x += draw.textlength(f"{number}{space}", font=_font(58, bold=True))
            line = rest
        draw.text((x, y), line, font=_font(58, bold=True), fill=INK)
        y += 74
    y += 18
    for line in textwrap.wrap(said, 62)[:4]:
        draw.text((80, y), line, font=_font(30), fill=FAINT)
        y += 44
    return picture
