"""How real texts are split: the same for every seed, machine and language, and nothing near a text
in another split.

A row's split is told by a hash of the seed and the text itself, so that it stays when others come
or go. Texts that are the same but for case, spaces or Unicode form are one text; rows that share a
sentence (two claims on one page, two conclusions from one premise) stay in one split. Within a
split the order is that of another hash, the classes mixed evenly. Taught in chapter 14.
"""

import hashlib
import unicodedata
from collections import Counter, defaultdict

SHARES = {"train": 0.2, "validation": 0.3, "test": 0.5}
"""Of the rows; train is small because demonstrations alone are drawn from it."""


def near(text: str) -> str:
    """What two texts share that differ in case, spaces or Unicode form only."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def distinct_rows(rows: list[dict], columns: list[str]) -> list[dict]:
    """The rows without those that are empty or near to an earlier one in all `columns`; a text that
    stands under two labels is left out altogether.
    """
    labels = defaultdict(set)
    for row in rows:
        labels[_key(row, columns)].add(row["label"])
    seen, kept = set(), []
    for row in rows:
        key = _key(row, columns)
        if all(key) and key not in seen and len(labels[key]) == 1:
            kept.append(row)
        seen.add(key)
    return kept


def split_rows(rows: list[dict], shared: list[str], seed: int) -> dict[str, list[dict]]:
    """`rows` by split, in `SHARES`, as far as the groups allow; each part class-interleaved.

    Rows that share a value of one of the columns `shared` come into the same split.
    """
    parts: dict[str, list[int]] = {split: [] for split in SHARES}
    for group in groups(rows, shared):
        names = sorted(near(str(rows[i][shared[0]])) for i in group)
        parts[_split_of(names[0], seed)] += group
    met: Counter[tuple[str, ...]] = Counter()
    ranks = []  # by `shared` alone: other columns differ between languages
    for row in rows:
        key = tuple(near(str(row[column])) for column in shared)
        ranks.append(_hash(f"order {seed} {key} {met[key]}"))
        met[key] += 1
    return {
        split: interleaved([rows[i] for i in sorted(part, key=ranks.__getitem__)])
        for split, part in parts.items()
    }


def groups(rows: list[dict], shared: list[str]) -> list[list[int]]:
    """Positions of the rows that hang together by a value of one of the columns `shared`."""
    parent = list(range(len(rows)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for column in shared:
        first: dict[str, int] = {}
        for i, row in enumerate(rows):
            parent[root(i)] = root(first.setdefault(near(str(row[column])), i))
    found = defaultdict(list)
    for i in range(len(rows)):
        found[root(i)].append(i)
    return list(found.values())


def interleaved(rows: list[dict]) -> list[dict]:
    """The same rows, reordered so that every beginning of the list has the classes in about the
    shares of the whole, and the first k rows of k classes all of them; within a class the order
    stays.
    """
    sizes = Counter(row["label"] for row in rows)
    met: Counter[int] = Counter()
    places = []
    for row in rows:
        label, n = row["label"], met[row["label"]]
        met[label] += 1
        places.append(((n + 0.5) / sizes[label] if n else 0, label))
    order = sorted(range(len(rows)), key=places.__getitem__)
    return [rows[i] for i in order]


def _key(row: dict, columns: list[str]) -> tuple[str, ...]:
    return tuple(near(row[column]) for column in columns)


def _split_of(name: str, seed: int) -> str:
    place = int(_hash(f"split {seed} {name}")[:12], 16) / 16**12
    for split, share in SHARES.items():
        if place < share:
            return split
        place -= share
    return "test"  # the shares' sum may fall short of one by rounding


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
