"""What became of the hypotheses of a kept experiment: each in the words of its toml, written
before, with its verdict in the same breath, whichever way it came out.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from svdicl_lite.numbers import estimate, number
from svdicl_lite.search.committed import about


def stated_and_found(path: Path, found: dict[str, tuple[bool, str]]) -> list[str]:
    """A paragraph each; `found` has of each name whether it holds, and the figures as a sentence.

    Raises ValueError if other hypotheses are stated than were judged.
    """
    stated = statements(about(path)["said"]["hypothesis"])
    if stated.keys() != found.keys():
        raise ValueError(
            f"{path.name} states {', '.join(stated)}, but {', '.join(found)} are judged here"
        )
    return [paragraph(name, stated[name], *found[name]) for name in found]


def statements(said: str) -> dict[str, str]:
    """The hypotheses H1, H2, … in a text, each from its number to the next."""
    return dict(re.findall(r"^(H\d)\. (.*?)(?=^H\d\.|\Z)", said, re.DOTALL | re.MULTILINE))


def paragraph(name: str, stated: str, holds: bool, figures: str) -> str:
    """One hypothesis and its verdict."""
    verdict = "holds" if holds else "does not hold"
    return f"**{name} {verdict}.** Stated before: “{' '.join(stated.split())}” {figures}"


def interval_beside(
    value: float, interval: Sequence[float] | None, digits: int = 3, signed: bool = False
) -> str:
    """A figure with its interval, if it has one."""
    if interval is None:
        return number(value, digits, signed)
    return estimate(value, interval, digits, signed)
