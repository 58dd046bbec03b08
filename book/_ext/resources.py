"""The time and the memory that a chapter names at its beginning, as numbers: tests and
`benchmarks/budget.py` compare them with what a run took.
"""

import re

SECONDS = {
    "less than half a minute": 30,
    "about half a minute": 45,
    "less than a minute": 60,
    "about a minute": 90,
    "one to two minutes": 120,
    "about two minutes": 150,
}
"""Each way to name a time → the longest run, on two quiet cores, for which it is true."""


def named(text: str) -> tuple[int, int]:
    """(seconds, MB) that a chapter's text names. Raises ValueError if it names none of them."""
    found = re.search(r"Running it takes ([a-z ]+), (\d+) ([GM]B) of\s+memory", text)
    if not found or found[1] not in SECONDS:
        raise ValueError(
            "a chapter says at its beginning 'Running it takes TIME, N GB of memory', TIME one of:"
            f" {', '.join(SECONDS)}"
        )
    return SECONDS[found[1]], int(found[2]) * (1000 if found[3] == "GB" else 1)
