"""What a text of somebody else's may hold, when two texts are the same, and in which order rows are
asked.

Two texts are the same when they agree after Unicode's canonical composition and without regard to
case, so that a copy in other capitals cannot be learned from in one split and asked in another.
Taught in chapter 03.
"""

import hashlib
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

Key = tuple[str, ...]
"""The columns of an example, as `key_of` folds them."""

FAULTS = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")
"""Control characters, but for tab and line ends, and surrogates that stand alone."""


def key_of(texts: Sequence[str]) -> Key:
    """The same for texts that differ in Unicode form or in case only."""
    return tuple(unicodedata.normalize("NFC", text).casefold() for text in texts)


def chance(texts: Sequence[str], seed: int) -> tuple[int, int]:
    """Two numbers that look random, decided by the folded texts and the seed alone: one from 0 to
    99, for the split, and one of 64 bits, for the order.
    """
    digest = hashlib.sha256(json.dumps([seed, *key_of(texts)]).encode()).digest()
    return int.from_bytes(digest[:8]) % 100, int.from_bytes(digest[8:16])


def in_random_order(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], seed: int
) -> list[Mapping[str, Any]]:
    """The rows in an order that does not depend on the one they came in, their classes interleaved.

    However many are taken from the front, each class has its share among them, to within one row.
    The order is decided by the texts and the seed.
    """
    of_class: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        of_class[row["label"]].append(row)
    placed = []
    for label, members in of_class.items():
        members.sort(key=lambda row: chance([row[column] for column in columns], seed)[1])
        # the i-th of m rows of a class stands at (i + ½)/m of the way
        placed += [((i + 0.5) / len(members), label, row) for i, row in enumerate(members)]
    return [row for _, _, row in sorted(placed, key=lambda place: place[:2])]


def fault_of(text: str) -> str | None:
    """What a tokenizer or a terminal would stumble over: a control character or half of a surrogate
    pair, by its number; None for a clean text.
    """
    found = FAULTS.search(text)
    if found is None:
        return None
    code = ord(found[0])
    what = "half of a surrogate pair" if code >= 0xD800 else "the control character"
    return f"{what} U+{code:04X}"


def reads_like_a_demonstration(text: str, template: str) -> bool:
    r"""Whether a text of several lines has one that ends as a demonstration does: with what the
    template puts in front of an answer, and an answer of one word or two.

    `"fine verdict: good\nreview: bad"` does with `"review: {text} verdict: {label}"`: the model
    would be shown an answer that is not in the data.
    """
    before = template.partition("{label}")[0].rstrip()
    frame = before.rpartition("}")[2].strip().casefold()
    folded = text.casefold()
    if not frame or frame not in folded:
        return False
    lines = folded.splitlines()
    if len(lines) < 2:
        return False
    ends = [line.rpartition(frame) for line in lines]
    return any(found and 1 <= len(answer.split()) <= 2 for _, found, answer in ends)
