"""Empty axes for a curve to draw (`{curve}` in questions.py): to be drawn in with a pointer, from
the keyboard, or on paper with a pencil. `book/assets/questions.js` puts the points in.
"""

import math
from html import escape

LEFT, RIGHT, TOP, BOTTOM = 48, 350, 12, 196  # of the plot, in a picture of 360 by 240


def ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Three to eight round numbers from `low` to `high`, each with its text."""
    power = 10 ** math.floor(math.log10((high - low) / 3))
    step = next(part * power for part in (5, 2, 1) if part * power <= (high - low) / 3 + 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(i * step, f"{i * step:.{digits}f}".replace("-", "−")) for i in range(first, last + 1)]


def axes(at: list[str], low: float, high: float, x: str, y: str) -> str:
    """The SVG of axes with a place for each of `at`, side by side, and `low` to `high` upwards.

    Raises ValueError if there are fewer than two places, or nothing between `low` and `high`.
    """
    if len(at) < 2 or low >= high:
        raise ValueError(f"a curve needs two places and low < high, not {at} and {low}, {high}")
    across = [LEFT + (i + 0.5) * (RIGHT - LEFT) / len(at) for i in range(len(at))]
    parts = [
        f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{place:.1f}" y2="{place:.1f}"/>'
        f'<text x="{LEFT - 7}" y="{place + 4:.1f}" text-anchor="end">{text}</text>'
        for value, text in ticks(low, high)
        for place in [BOTTOM - (value - low) / (high - low) * (BOTTOM - TOP)]
    ]
    parts += [
        f'<line class="grid" x1="{place:.1f}" x2="{place:.1f}" y1="{TOP}" y2="{BOTTOM}"/>'
        f'<text x="{place:.1f}" y="{BOTTOM + 16}" text-anchor="middle">{escape(text)}</text>'
        for place, text in zip(across, at)
    ]
    middle = (TOP + BOTTOM) / 2
    turned = f'transform="translate(12 {middle}) rotate(-90)"'
    parts += [
        f'<text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 36}" text-anchor="middle">{escape(x)}</text>',
        f'<text {turned} text-anchor="middle">{escape(y)}</text>',
        f'<path class="axis" d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}"/>',
    ]
    told = escape(f"Axes to draw in: {y} from {low:g} to {high:g}, against {x}")
    data = f'data-at="{escape(" ".join(at))}" data-low="{low:g}" data-high="{high:g}"'
    data += f' data-x="{escape(x)}" data-y="{escape(y)}"'
    svg = f'<svg viewBox="0 0 360 240" role="img" aria-label="{told}">{"".join(parts)}</svg>'
    return f'<div class="axes" {data}>{svg}</div>'
