"""What the values in the toml of a kept experiment may be, so that a wrong one is named before
anything is loaded. Taught in chapter 15.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Kind(NamedTuple):
    """A kind of value, in words and as a check."""

    words: str
    holds: Callable[[Any], bool]


def _whole(value: Any, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _list_of(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list | tuple) and all(map(holds, value))


TEXT = Kind("a text", _text)
TEXTS = Kind("a list of texts", _list_of(_text))
WHOLE = Kind("a whole number, 0 or more", _whole)
COUNT = Kind("a whole number, 1 or more", lambda value: _whole(value, 1))
WHOLES = Kind("a list of whole numbers, 0 or more", _list_of(_whole))
SHARES = Kind("a list of numbers from 0 to 1", _list_of(_share))
LIST = Kind("a list", lambda value: isinstance(value, list))
TABLES = Kind("tables under [[runs]]", _list_of(lambda value: isinstance(value, dict)))
KINDS: dict[str, Kind] = {
    **dict.fromkeys(("title", "hypothesis", "analysis", "model"), TEXT),
    **dict.fromkeys(("task", "labels", "split", "module", "kind"), TEXT),
    **dict.fromkeys(("modules", "methods"), TEXTS),
    **dict.fromkeys(("n", "batch_size", "searches", "labels_each"), COUNT),
    **dict.fromkeys(("n_validation", "n_test", "n_sets", "max_tokens"), COUNT),
    **dict.fromkeys(("seeds", "layers"), WHOLES),
    **dict.fromkeys(("n_shots", "layer"), WHOLE),
    "clip_rates": SHARES,
    **dict.fromkeys(("cells", "changes"), LIST),
    "runs": TABLES,
    "larger_class": Kind("a number between 0 and 1", lambda value: _share(value) and 0 < value < 1),
}
"""By key. What is not listed may be anything."""


def check_values(name: str, said: Mapping[str, Any]) -> None:
    """Raises ValueError, with the value and what it must be, for the first that is of no use in the
    toml called `name`.
    """
    for key, value in said.items():
        kind = KINDS.get(key)
        if kind is not None and not kind.holds(value):
            raise ValueError(f"{name} says {key} = {value!r}, but it must be {kind.words}")
