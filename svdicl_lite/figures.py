"""A figure as SVG, twice: as it was made, and once more for a phone, with its panels below each
other and no letter smaller than on the rest of the page.

What is made for the phone lies inside what is made for the page, as metadata that no viewer shows;
the book's build (`book/_ext/figures.py`) takes it out, and makes dark twins of both. Used by every
chapter through `svdicl_lite.plots.style`.
"""

import io
import pickle
import re
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text

from svdicl_lite import letters

NARROW = 4.4  # inches: on a phone 390 pixels wide, 342 without margins, a point is 1.08 pixels
SMALLEST = 10.5  # points, of any letter
TALLEST, AMONG = 3.2, 2.7  # inches, of a panel on the phone that is no list: alone, among others
CLEAR = 3.7  # points between two numbers below a panel on the phone: 4 pixels
APART = 0.1  # inches above and below a panel on the phone: a title stands off what is above it
FAMILY = re.compile(r" font-family: [^;\"]*'DejaVu Sans'[^;\"]*;?")  # of text; of formulas it stays
AS_IT_IS = "as-it-is"  # in the id of what has the same colours in the dark
LONG = re.compile(r"-?\d+\.\d{3,}")  # a thousandth of a point is not seen, and half the file
PHONE = re.compile(r'<metadata id="phone">(.*?)</metadata>', re.DOTALL)


def offer() -> None:
    """In a notebook: figures are shown, and glued, as these SVGs, and no more as PNG."""
    try:
        from IPython import get_ipython
    except ImportError:  # no notebook, then
        return
    shell = get_ipython()
    if shell is not None and hasattr(shell, "kernel"):
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats()  # none of its own
        shell.display_formatter.mimebundle_formatter.for_type(Figure, bundle)


def bundle(fig: Figure, **_: Any) -> dict[str, str]:
    """What a notebook keeps of a figure: MIME type → text."""
    return {"image/svg+xml": both(fig)}


def both(fig: Figure) -> str:
    """A figure as SVG, with the SVG for a phone inside, if a copy of the figure can be made."""
    _legible(fig)
    _leave_out(_panels(fig))
    wide = svg(fig)
    try:
        copy = pickle.loads(pickle.dumps(fig))
    except (AttributeError, TypeError, pickle.PicklingError):  # a function without a name in it
        return wide
    narrow(copy)
    phone = svg(copy)
    plt.close(copy)
    inside = f'<metadata id="phone">{phone.replace("&", "&amp;").replace("<", "&lt;")}</metadata>'
    return wide.replace("</svg>", f"{inside}</svg>")


def svg(fig: Figure) -> str:
    """A figure as SVG text, without a ground, with its letters (`letters.py`) in it; the same
    whenever it is made.
    """
    file = io.StringIO()
    _mark(fig)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "figure"}):
        fig.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'="[^"]*"', lambda value: LONG.sub(_shorter, value[0]), text)
    text = FAMILY.sub("", text)
    return text.replace("</style>", f"{letters.style(text)}</style>", 1)


def _shorter(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def narrow(fig: Figure) -> None:
    """Arranges a figure anew for a phone: one column of panels in the place of two, two in the
    place of more; every panel then says what only the first of its row or column said.
    """
    panels = _panels(fig)
    grids = {ax.get_subplotspec().get_gridspec() for ax in panels}
    rows, columns = next(iter(grids)).get_geometry() if len(grids) == 1 else (1, 1)
    height = fig.get_figheight() / rows
    if columns > 1 and any(ax.axison for ax in panels):
        _say_all(panels)
        rows, columns = _rearrange(fig, panels, rows, columns)
        if columns > 1:
            _leave_out(panels)
    elif columns > 1 or any(ax.get_aspect() != "auto" for ax in panels):
        height *= min(1.0, NARROW / fig.get_figwidth())
    if not any(_is_list(ax) for ax in panels):
        height = min(height, TALLEST if rows == 1 else AMONG)
    engine = fig.get_layout_engine()
    if rows > 1 and isinstance(engine, ConstrainedLayoutEngine):
        engine.set(h_pad=APART)
        height += APART
    height = height * rows + sum(_anew(fig, legend) for legend in [*fig.legends])
    fig.set_size_inches(NARROW, height)
    fig.canvas.draw()
    for ax in panels:
        _apart(fig, ax)
        _break(fig, ax)


def _rearrange(fig: Figure, panels: list[Axes], rows: int, columns: int) -> tuple[int, int]:
    """Panels below each other, or, of a grid with three columns or more, rows made columns."""
    turned = rows == 2 and columns > 2
    fewer = 2 if turned or columns > 3 else 1
    more = -(-rows * columns // fewer)
    grid = GridSpec(more, fewer, figure=fig)
    for ax in panels:
        spec = ax.get_subplotspec()
        row, column = spec.rowspan.start, spec.colspan.start
        place = column * 2 + row if turned else row * columns + column
        ax.set_subplotspec(grid[place])
    return more, fewer


def _say_all(panels: list[Axes]) -> None:
    """Labels and titles that stand at the edges of a grid, at every panel."""
    at = {
        (ax.get_subplotspec().rowspan.start, ax.get_subplotspec().colspan.start): ax
        for ax in panels
    }
    last = max(row for row, _ in at)
    for (row, column), ax in at.items():
        if not ax.axison:
            continue
        first, top, bottom = (at.get(place) for place in ((row, 0), (0, column), (last, column)))
        if first and not ax.get_ylabel():
            ax.set_ylabel(first.get_ylabel())
        if bottom and not ax.get_xlabel():
            ax.set_xlabel(bottom.get_xlabel())
        if top and not _title(ax):
            ax.set_title(_title(top), loc="left", fontsize="medium")
        ax.tick_params(labelleft=True, labelbottom=True)
        for label in (ax.xaxis.label, ax.yaxis.label):
            label.set_visible(True)  # seaborn hides that of a panel amid others
        if first and first.get_yticklabels():  # seaborn has turned those that nobody saw
            ax.tick_params(axis="y", labelrotation=first.get_yticklabels()[0].get_rotation())


def _panels(fig: Figure) -> list[Axes]:
    return [ax for ax in fig.axes if ax.get_subplotspec() is not None]


def _leave_out(panels: list[Axes]) -> None:
    """What the panel to the left says already, or the one below of an axis that both share."""
    at = {
        (ax.get_subplotspec().rowspan.start, ax.get_subplotspec().colspan.start): ax
        for ax in panels
    }
    said = {ax: (ax.get_xlabel(), ax.get_ylabel()) for ax in panels}
    for (row, column), ax in at.items():
        left, below = at.get((row, column - 1)), at.get((row + 1, column))
        if left and ax.get_shared_y_axes().joined(ax, left):
            ax.tick_params(labelleft=False)
        if left and said[left][1] == said[ax][1]:
            ax.set_ylabel("")
        if below and said[below][0] == said[ax][0] and ax.get_shared_x_axes().joined(ax, below):
            ax.set_xlabel("")


def _break(fig: Figure, ax: Axes) -> None:
    """Breaks a title or the name of an axis in two lines if it is longer than its panel."""
    renderer = fig.canvas.get_renderer()  # type: ignore[attr-defined]
    panel = ax.get_window_extent(renderer)
    for text in (ax.xaxis.label, ax.yaxis.label, ax.title, ax._left_title):  # type: ignore[attr-defined]
        box, said = text.get_window_extent(renderer), text.get_text()
        long = (
            box.height > 1.1 * panel.height if text is ax.yaxis.label else box.width > panel.width
        )
        if long and " " in said and "\n" not in said:
            spaces = [i for i, letter in enumerate(said) if letter == " "]
            middle = min(spaces, key=lambda i: abs(i - len(said) / 2))
            text.set_text(f"{said[:middle]}\n{said[middle + 1 :]}")


def _title(ax: Axes) -> str:
    return next(filter(None, (ax.get_title(loc) for loc in ("left", "center", "right"))), "")


def _is_list(ax: Axes) -> bool:
    """Whether the panel's rows are named, so that it must be as tall as they are many."""
    return len(ax.get_yticklabels()) > 6 and any(
        re.search(r"[^\W\d_]{2}", label.get_text()) for label in ax.get_yticklabels()
    )


def _anew(fig: Figure, legend: Any) -> float:
    """A legend of the whole figure in as many columns as have room on a phone: inches of height."""
    labels = [text.get_text() for text in legend.get_texts()]
    longest = max(map(len, labels), default=1)
    columns = max(1, min(len(labels), int(72 * NARROW / (5.6 * longest + 38))))
    lines = -(-len(labels) // columns)
    columns = -(-len(labels) // lines)  # all lines of one length
    title = legend.get_title().get_text() or None
    with_bars = {bars.get_label(): bars for ax in fig.axes for bars in ax.containers}
    handles = zip(labels, legend.legend_handles)
    fig.legend(
        # a legend keeps of a line with bars the line, and not its marker
        [with_bars.get(label, handle) for label, handle in handles],
        labels,
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        title=title,
        fontsize="small",
        handlelength=1.6,
        handletextpad=0.5,
        columnspacing=1.2,
    )
    legend.remove()
    return 0.24 * (lines + bool(title))


def _apart(fig: Figure, ax: Axes) -> None:
    """Turns the numbers under a panel if they run into each other."""
    renderer = fig.canvas.get_renderer()  # type: ignore[attr-defined]
    labels = [label for label in ax.get_xticklabels() if label.get_text()]
    boxes = [label.get_window_extent(renderer) for label in labels if label.get_visible()]
    boxes.sort(key=lambda box: box.x0)  # of an axis that runs to the left, too
    clear = CLEAR * fig.dpi / 72
    if any(right.x0 < left.x1 + clear for left, right in zip(boxes, boxes[1:])):
        for label in labels:
            label.set(rotation=45, ha="right", rotation_mode="anchor")


def _legible(fig: Figure) -> None:
    """No letter is smaller than the smallest."""
    for text in fig.findobj(Text):
        if text.get_fontsize() < SMALLEST:
            text.set_fontsize(SMALLEST)


def _mark(fig: Figure) -> None:
    """What is coloured by a value, or lies on it, keeps its colours in the dark."""
    for i, ax in enumerate(fig.axes):
        meshes = [one for one in ax.collections if type(one).__name__ == "QuadMesh"]
        for j, mesh in enumerate(meshes):
            mesh.set_gid(f"{AS_IT_IS}-{i}-{j}")
        if meshes or ax.images:
            for j, text in enumerate(ax.texts):
                text.set_gid(f"{AS_IT_IS}-text-{i}-{j}")
