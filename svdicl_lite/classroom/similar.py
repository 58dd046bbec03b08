"""Answers that look alike: a list to look at, never a mark.

Code is compared by its tokens, with names, numbers and texts blotted out, in runs of eight; what
was handed out counts for nobody. Two short right answers are alike by nature, so a hint needs forty
runs in common.
"""

import io
import keyword
import tokenize
from itertools import combinations
from pathlib import Path

from svdicl_lite.classroom.tables import write_table

RUN, LEAST_COMMON, LEAST_SHARE = 8, 40, 0.8
SOLUTION = "(the solution)"
SKIPPED = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENCODING, tokenize.ENDMARKER}


def runs(cells: list[str]) -> set[tuple[str, ...]]:
    """All runs of tokens of these cells; a cell that cannot be read gives what can be."""
    found = set()
    for source in cells:
        tokens = []
        try:
            for token in tokenize.generate_tokens(io.StringIO(source).readline):
                if token.type not in SKIPPED:
                    tokens.append(_blotted(token))
        except (tokenize.TokenError, SyntaxError):
            pass
        found |= {tuple(tokens[at : at + RUN]) for at in range(len(tokens) - RUN + 1)}
    return found


def _blotted(token):
    if token.type == tokenize.NAME:
        return token.string if keyword.iskeyword(token.string) else "name"
    return {tokenize.NUMBER: "number", tokenize.STRING: "text"}.get(token.type, token.string)


def similar(codes: dict[str, list[str]], given: list[str], solution: list[str]) -> list[dict]:
    """Pairs of learners, and of a learner and the solution, most alike first: who, with whom, the
    share of the smaller one's runs that both have, and how many these are.
    """
    handed_out = runs(given)
    sets = {who: runs(cells) - handed_out for who, cells in codes.items()}
    sets[SOLUTION] = runs(solution) - handed_out
    rows = []
    for (one, first), (other, second) in combinations(sets.items(), 2):
        common = len(first & second)
        share = common / max(1, min(len(first), len(second)))
        if common >= LEAST_COMMON and share >= LEAST_SHARE:
            rows.append({"one": one, "other": other, "share": round(share, 3), "runs": common})
    return sorted(rows, key=lambda row: (-row["share"], -row["runs"]))


def write_similar(out: Path, codes, given, solution) -> None:
    """similar.csv in the folder OUT."""
    write_table(
        out / "similar.csv", ["one", "other", "share", "runs"], similar(codes, given, solution)
    )
