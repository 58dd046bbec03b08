"""Figures on a page: each in four pictures, light and dark, wide and for a phone, of which a
browser fetches one.

A chapter leaves one SVG a figure, with the one for a phone inside (`svdicl_lite/figures.py`). Here
the two are parted, and each gets a dark twin: the same picture with every colour made as light as
it was dark. What is coloured by a value keeps its colours.
"""

import re
from pathlib import Path
from xml.etree import ElementTree

from svdicl_lite import plots
from svdicl_lite.figures import AS_IT_IS, PHONE

SVG = "http://www.w3.org/2000/svg"
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
HASH = re.compile("[0-9a-f]{40,}")
COLOUR = re.compile(r"#[0-9a-f]{6}\b")
IN_THE_DARK = {
    plots.CLIP: "#4d92e1",
    plots.ATTN: "#cba1f7",
    plots.MLP: "#f2a05f",
    plots.ONE: "#82d998",
    plots.TWO: "#e78392",
    plots.THREE: "#cbb246",
    plots.FOUR: "#9db1cf",
    plots.GONE: "#737b86",
}
"""What has a meaning is in the dark as drawings and widgets are (book/assets/README.md)."""
PIXELS = 96 / 72  # a point
PHONE_WIDTH = "(max-width: 600px)"
TO_LMS = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
FROM_LAB = (
    (1, 0.3963377774, 0.2158037573),
    (1, -0.1055613458, -0.0638541728),
    (1, -0.0894841775, -1.2914855480),
)
FROM_LMS = (
    (4.0767416621, -3.3077115913, 0.2309699292),
    (-1.2684380046, 2.6097574011, -0.3413193965),
    (-0.0041960863, -0.7034186147, 1.7076147010),
)


def _times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector)) for row in matrix]


def dark(colour: str) -> str:
    """The colour "#rrggbb" of the dark twin: greys turned round, others light enough for a dark
    ground.

    Lightness is that of OKLab (Ottosson 2020), where equal steps look equal.
    """
    if colour in IN_THE_DARK:
        return IN_THE_DARK[colour]
    rgb = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    light, a, b = _times(TO_LAB, [max(c, 0) ** (1 / 3) for c in _times(TO_LMS, linear)])
    grey = a * a + b * b < 0.03**2
    light = max(0.2, min(0.97, 1.14 - 0.9 * light)) if grey else 0.5 + 0.45 * light
    while True:
        linear = _times(FROM_LMS, [c**3 for c in _times(FROM_LAB, (light, a, b))])
        if all(-0.001 <= c <= 1.001 for c in linear):
            break
        a, b = 0.95 * a, 0.95 * b  # paler, until a screen can show it
    linear = [min(1, max(0, c)) for c in linear]
    rgb = [12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055 for c in linear]
    return "#" + "".join(f"{round(255 * c):02x}" for c in rgb)


def twin(svg: str) -> str:
    """The same picture for a dark ground."""
    tree = ElementTree.fromstring(svg)
    tree.set("fill", dark("#000000"))  # matplotlib does not write black

    def recolour(node):
        if node.get("id", "").startswith(AS_IT_IS):
            node.set("fill", "#000000")
            return
        for name in ("style", "fill", "stroke"):
            if name in node.attrib:
                node.set(name, COLOUR.sub(lambda found: dark(found[0]), node.get(name)))
        for child in node:
            recolour(child)

    recolour(tree)
    return ElementTree.tostring(tree, encoding="unicode")


def parted(svg: str) -> dict[str, str]:
    """The pictures of a figure: "wide", and "phone" if there is one."""
    found = PHONE.search(svg)
    wide = {"wide": PHONE.sub("", svg)}
    if not found:
        return wide
    return wide | {"phone": found[1].replace("&lt;", "<").replace("&amp;", "&")}


def size(svg: str) -> tuple[int, int]:
    """Width and height in pixels at which letters have the size that the figure says."""
    head = svg[: svg.index(">")]
    return tuple(
        round(PIXELS * float(re.search(rf' {name}="([\d.]+)pt"', head)[1]))
        for name in ("width", "height")
    )


def shown(tag: str, folder: Path, address: str, svg: str, name: str) -> str:
    """The HTML of a figure in the place of its `<img>`; writes the files into `folder`."""
    pictures = {}
    for width, picture in parted(svg).items():
        for theme, made in (("light", picture), ("dark", twin(picture))):
            file = f"{name}-{width}-{theme}.svg"
            (folder / file).write_text(made, encoding="utf-8")
            pictures[width, theme] = (f"{address}/{file}", *size(made))
    alt = re.search(r'alt="([^"]*)"', tag)
    html = []
    for theme in ("light", "dark"):
        source, width, height = pictures["wide", theme]
        phone = ""
        if ("phone", theme) in pictures:
            file, narrow, tall = pictures["phone", theme]
            phone = (
                f'<source media="{PHONE_WIDTH}" srcset="{file}" width="{narrow}" height="{tall}">'
            )
        picture = (
            f'<img class="dark-light" loading="lazy" src="{source}" width="{width}"'
            f' height="{height}" alt="{alt[1] if alt else ""}">'
        )
        html.append(f'<picture class="figure in-{theme}">{phone}{picture}</picture>')
    return f'<span class="figure-pair">{"".join(html)}</span>'


def _place(app, pagename, templatename, context, doctree):
    """Before `pictures.py`, which gives other pictures their places."""
    sources = {name: Path(app.srcdir, source) for source, name in app.builder.images.items()}
    folder = Path(app.outdir, app.builder.imagedir)

    def placed(tag):
        name = re.search(r'src="([^"]*_images)/([^"/]+)\.svg"', tag[0])
        source = sources.get(f"{name[2]}.svg") if name else None
        svg = source.read_text(encoding="utf-8") if source else ""
        if "<metadata" not in svg:
            return tag[0]
        folder.mkdir(parents=True, exist_ok=True)
        short = name[2][:20] if HASH.fullmatch(name[2]) else name[2]  # a chapter's own
        return shown(tag[0], folder, name[1], svg, short)

    if "body" in context:
        context["body"] = re.sub(r"<img [^>]*>", placed, context["body"])


def setup(app):
    app.connect("html-page-context", _place, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
