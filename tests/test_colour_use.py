"""One colour, one meaning: figures, drawings, widgets and style sheets use the names of the key in
book/assets/README.md, and no others.
"""

import ast
import re
import sys

import pytest
from test_chapters import CHAPTERS, ROOT
from test_look import palette

sys.path.insert(0, str(ROOT / "book/_ext"))
from cells import cells_of

HEX = re.compile(r"#[0-9a-fA-F]{3,8}\b")
PAST = re.compile(r"C([4-9]|\d\d)")  # there are four things
MAPS = {"viridis", "gray", "Greys"}  # what has an order, photographs, how large a number is
NAMED = {"white", "none", "face"}
GREY = re.compile(r"0(\.\d+)?|1(\.0)?")
COLOURS = {"c", "color", "ec", "edgecolor", "facecolor", "fc", "mec", "mfc", "markerfacecolor"}
WIDGETS = sorted((ROOT / "svdicl_lite/widgets").glob("*.js"))
PAGES = [*(ROOT / "book/assets").glob("*.*s"), *(ROOT / "book/_templates").rglob("*.html")]


def wrong(source):
    """What a cell or a file paints with that is no name of the key."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if constant(node) and (HEX.fullmatch(node.value) or PAST.fullmatch(node.value)):
            found.append(node.value)
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", "")
        if name in ("color_palette", "set_palette", "colormaps", "get_cmap"):
            found += [x.value for x in node.args[:1] if constant(x) and x.value not in MAPS]
        for given in node.keywords:
            if not constant(given.value):
                continue
            value = given.value.value
            if given.arg in ("cmap", "palette"):
                found += [value] if value not in MAPS else []
            elif given.arg in COLOURS and not (value in NAMED or fits(value)):
                found.append(value)
    return found


def constant(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def fits(value):
    """A number of the cycle, or a neutral grey."""
    return re.fullmatch(r"C[0-3]", value) or re.fullmatch(GREY, value)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_paints_with_the_names_of_the_key(chapter):
    cells = cells_of((ROOT / f"chapters/{chapter}.md").read_text())
    told = {cell.line: wrong("\n".join(cell.code)) for cell in cells}
    assert len(cells) > 5 and not any(told.values()), told


def test_the_module_names_a_colour_where_the_key_is_kept_alone():
    """And in the classroom, which stands apart and imports nothing."""
    known = {light for light, _ in palette().values()} | {"#222222"}
    for path in sorted((ROOT / "svdicl_lite").rglob("*.py")):
        names = set(wrong(path.read_text()))
        where = path.relative_to(ROOT / "svdicl_lite").as_posix()
        assert names <= (known if where in ("plots.py", "classroom/statistics.py") else set()), path


def test_widgets_name_no_colour_outside_their_style_sheet():
    assert len(WIDGETS) > 20
    for path in WIDGETS:
        told = path.read_text()
        assert not re.search(r"""["'`: ]#[0-9a-fA-F]{3,8}\b|rgba?\(|hsla?\(""", told), path.name


def test_the_aliases_of_three_colours_are_gone():
    """Each role has a name of its own."""
    for path in [*WIDGETS, *PAGES, ROOT / "svdicl_lite/widgets/base.css"]:
        told = path.read_text()
        assert not re.search(r"--(first|second|third)\b", told), path.name
        assert not re.search(r"class: [\"'`](\w+ )*(first|second|third)\b", told), path.name
        assert not re.search(r"\.(first|second|third)\b *[,{)]", told) or path.suffix != ".css"
    for path in (ROOT / "book/drawings").glob("*.svg"):
        classes = re.findall(r'class="([^"]*)"', path.read_text())
        assert not {"first", "second", "third"} & {x for one in classes for x in one.split()}


@pytest.mark.parametrize(
    "code, named",
    [
        ('ax.plot(x, color="#ff0000")', ["#ff0000", "#ff0000"]),
        ('ax.plot(x, mfc="red")', ["red"]),
        ('ax.imshow(x, cmap="RdBu")', ["RdBu"]),
        ('sns.color_palette("colorblind")', ["colorblind"]),
        ('looks = ("C4", "o")', ["C4"]),
        ('ax.plot(x, color="0.4", mfc="white", mec=plots.CLIP, ls="--")', []),
        ('sns.heatmap(x, cmap="viridis"); ax.plot(x, color="C3")', []),
    ],
)
def test_a_planted_colour_is_seen(code, named):
    assert wrong(code) == named
