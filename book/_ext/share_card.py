"""The picture that a chat program or a search engine shows of a shared page: the book's sign, the
chapter's number, the title, and the description.
"""

from PIL import Image, ImageDraw, ImageFont

from svdicl_lite import letters
from svdicl_lite.plots import CLIP, GONE

SIZE = (1200, 630)  # what OpenGraph's users expect
FINE = 2  # drawn so much larger first, so that letters do not stand at whole pixels
INK, FAINT = "#222832", "#48566b"
BARS = (150, 100, 72, 50)  # singular values that stay, in pixels
CUT = (34, 24, 17, 12)
LEFT, RIGHT = 80, 1120  # between them stands the text


def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The sans of the book's pages."""
    return ImageFont.truetype(
        letters.FOLDER / f"sans-{'bold' if bold else 'regular'}.ttf", FINE * size
    )


def lines(text: str, font: ImageFont.FreeTypeFont, most: int) -> list[str]:
    """A text in lines as wide as the card's text, `most` at most; what is left out is "…"."""
    found = [""]
    for word in text.split():
        longer = f"{found[-1]} {word}".strip()
        if found[-1] and font.getlength(longer) > FINE * (RIGHT - LEFT):
            found.append(word)
        else:
            found[-1] = longer
    if len(found) <= most:
        return found
    last = found[most - 1]
    while " " in last and font.getlength(f"{last} …") > FINE * (RIGHT - LEFT):
        last = last.rpartition(" ")[0]
    return [*found[: most - 1], f"{last.rstrip(',;:.')} …"]


def _sign(draw: "Scaled", left: int, base: int) -> None:
    for i, height in enumerate(BARS):
        draw.box((left + 44 * i, base - height, left + 44 * i + 30, base), fill=CLIP)
    middle = left + 44 * len(BARS) + 6
    for y in range(base - 160, base, 24):
        draw.box((middle - 3, y, middle + 3, y + 14), fill=GONE)
    for i, height in enumerate(CUT):
        x = middle + 22 + 44 * i
        draw.box((x, base - height, x + 30, base), outline=GONE, width=3 * FINE)


class Scaled:
    """Draws in pixels of the card on a ground that has more of them."""

    def __init__(self):
        self.ground = Image.new("RGB", tuple(FINE * side for side in SIZE), "white")
        self.draw = ImageDraw.Draw(self.ground)

    def box(self, corners: tuple[int, ...], **look) -> None:
        """A rectangle."""
        self.draw.rectangle([FINE * at for at in corners], **look)

    def text(self, x: float, y: float, text: str, **look) -> None:
        """Text that begins at a place, or ends there (`anchor="rs"`)."""
        self.draw.text((FINE * x, FINE * y), text, **look)


def card(book: str, title: str, said: str) -> Image.Image:
    """A page's card. A title that begins with a chapter's number, "07 …", has it in grey."""
    draw = Scaled()
    _sign(draw, LEFT, 190)
    draw.text(RIGHT, 130, book, font=_font(30), fill=FAINT, anchor="rs")
    y, large, small = 240, _font(68, bold=True), _font(35)
    for at, line in enumerate(lines(title, large, 2)):
        x, (number, space, rest) = LEFT, line.partition(" ")
        if not at and number.isdigit():
            draw.text(x, y, number, font=_font(68), fill=FAINT)
            x += _font(68).getlength(f"{number}{space}") / FINE
            line = rest
        draw.text(x, y, line, font=large, fill=INK)
        y += 78
    y += 20
    for line in lines(said, small, 4):
        draw.text(LEFT, y, line, font=small, fill=FAINT)
        y += 48
    return draw.ground.resize(SIZE, Image.Resampling.LANCZOS)
