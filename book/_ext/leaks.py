"""A text in the forms in which a secret line could hide in it."""

import html
import json
import re
from collections.abc import Iterator
from functools import lru_cache


@lru_cache(maxsize=1)  # all masters ask of one text before any asks of the next
def forms(text: str) -> list[str]:
    """The text squeezed: as it stands, with JSON escapes undone, and without HTML around words."""
    plain = html.unescape(re.sub(r"<[^<>]*>", "", text))
    return [squeezed(form) for form in (text, _unescaped(text), plain)]


def squeezed(text: str) -> str:
    """The text without white space, which editors and formatters change."""
    return re.sub(r"\s+", "", text)


def _unescaped(text: str) -> str:
    """The words of a notebook or of JSON: \\n, \\" and \\u… put back."""
    try:
        return "\n".join(_strings(json.loads(text)))
    except ValueError:
        return text.replace("\\n", "\n").replace('\\"', '"')


def _strings(tree) -> Iterator[str]:
    """All strings of parsed JSON; a list of strings, as notebooks keep lines, is one."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, list) and tree and all(isinstance(part, str) for part in tree):
        yield "".join(tree)
    elif isinstance(tree, dict | list):
        for child in tree.values() if isinstance(tree, dict) else tree:
            yield from _strings(child)
