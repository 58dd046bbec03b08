"""Numbers with an interval, read from what the chapters glued and drawn as small bars, and kept in
one line wherever the text has them.

A bar is our own SVG, without letters and without colours of its own: `book/assets/findings.css`
gives it the page's. All bars of gains have one scale, so that they can be compared down a page.
"""

import ast
import functools
import json
import re
from pathlib import Path
from typing import NamedTuple

from docutils import nodes

from svdicl_lite.numbers import MINUS

LEAST, MOST = -20, 55  # points of accuracy, the ends of the scale
TICKS = (-20, 0, 20, 40)
WIDTH, HEIGHT = 190, 14  # of a bar, in pixels
A_ROW, SIDE, STEP = 15, 10, 12  # squares of a count in a row, their side, and from one to the next
NUMBER = rf"[+{MINUS}-]?\d[\d,]*(?:\.\d+)?"
ESTIMATE = re.compile(rf"({NUMBER}) \[({NUMBER}), ({NUMBER})\]")
PERCENT = re.compile(r"(?:(?<=\d)|^) %")
WHOLE = re.compile(rf"({NUMBER} )?(\[{NUMBER}, {NUMBER}\])")


class Estimate(NamedTuple):
    """A value and the ends of its interval."""

    value: float
    low: float
    high: float


def value_of(text: str) -> float:
    """The number that a text is, with a minus sign of either kind. Raises ValueError."""
    return float(text.replace(MINUS, "-").replace(",", ""))


def estimate_of(text: str) -> Estimate:
    """The value and the interval that a text says: +1.7 [−0.9, +4.3]. Raises ValueError."""
    found = ESTIMATE.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no number with an interval, as in '+1.7 [−0.9, +4.3]'")
    return Estimate(*map(value_of, found.groups()))


@functools.cache
def _glued(notebook: Path, changed: float) -> dict[str, str]:
    found = {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            texts = [text for mime, text in output.get("data", {}).items() if "text/plain" in mime]
            if name and texts:
                found[name] = _plain("".join(texts[0]))
    return found


def _plain(text: str) -> str:
    """Without the quotes of a string, and without the name of a type: np.int64(5) is 5."""
    text = re.sub(r"^np\.\w+\((.*)\)$", r"\1", text)
    try:
        return str(ast.literal_eval(text))
    except (SyntaxError, ValueError):
        return text


def glued(folder: Path, chapter: str) -> dict[str, str]:
    """What an executed chapter glued as text, by name; nothing if it was not run."""
    notebook = folder / "chapters" / f"{chapter}.ipynb"
    return _glued(notebook, notebook.stat().st_mtime) if notebook.exists() else {}


def _at(value: float) -> float:
    if not LEAST <= value <= MOST:
        raise ValueError(f"{value:g} lies outside of the scale from {LEAST} to {MOST} points")
    return round(WIDTH * (value - LEAST) / (MOST - LEAST), 1)


def _svg(inside: str, label: str, height: float = HEIGHT, kind: str = "", width=WIDTH) -> str:
    said = f'role="img" aria-label="{label}"' if label else 'aria-hidden="true"'
    return (
        f'<svg class="bar {kind}" viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
        f' height="{height:g}" {said}>{inside}</svg>'
    )


def _ticks() -> str:
    """A faint line at each tick of the scale, and one that is seen at zero."""
    others = "".join(f"M{_at(tick)} -3V{HEIGHT + 3}" for tick in TICKS if tick)
    return f'<path class="tick" d="{others}"/><path class="zero" d="M{_at(0)} -3V{HEIGHT + 3}"/>'


def _named() -> str:
    """The number of each tick, below it."""
    return "".join(
        f'<text x="{_at(tick)}" y="{HEIGHT + 14}" text-anchor="middle">'
        f"{f'{tick:+d}'.replace('-', MINUS) if tick else 0}</text>"
        for tick in TICKS
    )


def _scaled(mark: str, told: str, kind: str, named: bool) -> str:
    """A mark on the scale's lines, with their numbers below if they are `named`."""
    lines = _ticks() + (_named() if named else "")
    return _svg(lines + mark, told, HEIGHT + (18 if named else 0), kind)


def _whisker(value: float, low: float, high: float) -> str:
    middle = HEIGHT / 2
    ends = "".join(f"M{end} {middle - 3:g}v6" for end in (low, high))
    line = f'<path class="whisker" d="M{low} {middle:g}H{high}{ends}"/>'
    return f'{line}<circle cx="{value}" cy="{middle:g}" r="4"/>'


def _strip(start: float, end: float) -> str:
    return f'<rect x="{start}" y="4" width="{end - start:.1f}" height="6" rx="3"/>'


def bar(found: Estimate, kind: str, told: str, named: bool = False) -> str:
    """A gain as a point on its interval; `told` is what is read aloud."""
    return _scaled(_whisker(*map(_at, found)), told, kind, named)


def span(low: float, high: float, kind: str, told: str, named: bool = False) -> str:
    """Where several gains lie: a strip from the least to the largest."""
    return _scaled(_strip(_at(low), _at(high)), told, f"{kind} span", named)


def squares(some: int, all_of_them: int, aloud: bool = True) -> str:
    """A count as squares, the first of them filled."""
    each = "".join(
        f'<rect class="{"is" if i < some else "not"}" x="{i % A_ROW * STEP + 0.5}"'
        f' y="{i // A_ROW * STEP + 2.5}" width="{SIDE - 1}" height="{SIDE - 1}"/>'
        for i in range(all_of_them)
    )
    rows = (all_of_them - 1) // A_ROW + 1
    width = min(all_of_them, A_ROW) * STEP
    said = f"{some} of {all_of_them}" if aloud else ""
    return _svg(each, said, rows * STEP + 2, "count", width)


def samples() -> dict[str, str]:
    """A small one of each mark, for a key."""
    dot = f'<circle cx="5" cy="{HEIGHT / 2:g}" r="4"/>'
    return {
        "bar": _svg(_whisker(18, 1, 35), "", kind="clip", width=36),
        "span": _svg(_strip(1, 35), "", kind="clip span", width=36),
        "count": squares(2, 3, aloud=False),
        **{kind: _svg(dot, "", kind=kind, width=10) for kind in ("clip", "calibration", "control")},
    }


def keep_percents(doctree: nodes.document) -> None:
    """A percent sign stays in the line of its number, wherever that was glued from."""
    for text in list(doctree.findall(nodes.Text)):
        kept = PERCENT.sub("\u00a0%", text)
        if kept != text and not _within(text, (nodes.FixedTextElement, nodes.literal)):
            text.parent.replace(text, nodes.Text(kept))


def keep_whole(doctree: nodes.document) -> None:
    """Puts a number and its interval into one unbroken piece. Tables break theirs themselves."""
    for text in list(doctree.findall(nodes.Text)):
        pieces, at = [], 0
        if "[" not in text or _within(text, (nodes.entry, nodes.FixedTextElement, nodes.literal)):
            continue
        for found in WHOLE.finditer(text):
            pieces += [nodes.Text(text[at : found.start()])] if found.start() > at else []
            pieces.append(nodes.inline("", found[1] or "", classes=["whole"]))
            pieces[-1] += nodes.inline("", found[2], classes=["interval"])
            at = found.end()
        if pieces:
            text.parent.replace(text, [*pieces, *([nodes.Text(text[at:])] if text[at:] else [])])


def _within(node: nodes.Node, kinds: tuple) -> bool:
    while node := node.parent:
        if isinstance(node, (*kinds, nodes.raw, nodes.math, nodes.title)):
            return True
        if "whole" in node.get("classes", []):
            return True
    return False


def _keep(app, doctree, docname):
    keep_percents(doctree)
    keep_whole(doctree)


def setup(app):
    app.connect("doctree-resolved", _keep, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
