"""Texts as tokens: what a tokenizer puts around them, and what it must not make of them.

Some tokenizers put a token before every text (BOS: Llama, Gemma), some one after it (EOS). The
first belongs to what the model has learned from and stays; the second would stand between a prompt
and its answer, so it is taken off. And a text that spells a special token, `<|endoftext|>` say,
is text: it must not end the prompt. Taught in chapter 03.
"""

from collections.abc import Sequence
from typing import Any

Tokens = list[int]
PROBE = "text: a film"


def special_ends(tokenizer: Any) -> tuple[int, int]:
    """How many tokens the tokenizer puts before a text, and how many after it."""
    plain = tokenizer(PROBE, add_special_tokens=False)["input_ids"]
    full = tokenizer(PROBE)["input_ids"]
    for before in range(len(full) - len(plain) + 1):
        if full[before : before + len(plain)] == plain:
            return before, len(full) - before - len(plain)
    return 0, 0


def tokenizer_row(tokenizer: Any) -> dict[str, Any]:
    """The tokenizer's class; whether it begins a text with BOS and ends it with EOS (which is taken
    off).
    """
    before, behind = special_ends(tokenizer)
    return {"class": type(tokenizer).__name__, "bos": before > 0, "eos": behind > 0}


def tokenise(tokenizer: Any, texts: Sequence[str], as_text: bool = False) -> list[Tokens]:
    """The tokens of each text, with what the tokenizer puts before it, without what it puts after.

    `as_text`: the spelling of a special token is cut up like any other text.
    """
    how = {"split_special_tokens": True} if as_text else {}
    behind = special_ends(tokenizer)[1]
    return [tokens[: len(tokens) - behind] for tokens in tokenizer(list(texts), **how)["input_ids"]]


def spells_special(tokenizer: Any, text: str) -> bool:
    """Whether the text holds what the tokenizer would take for one of its special tokens."""
    return any(token and token in text for token in tokenizer.all_special_tokens)


def check_as_text(tokenizer: Any, template: str, texts: Sequence[str]) -> bool:
    """Whether prompts of these texts must be tokenised `as_text`, since one of them spells a
    special token.

    Raises ValueError, with their count, if that cannot be done: the template has special tokens of
    its own, which must stay what they are, or the tokenizer knows no other way.
    """
    held = [text for text in texts if spells_special(tokenizer, text)]
    if not held:
        return False
    many = "1 text holds" if len(held) == 1 else f"{len(held):,} texts hold"
    fault = f"{many} the spelling of a special token, {_shown(tokenizer, held[0])!r} for one"
    if spells_special(tokenizer, template):
        raise ValueError(
            f"{fault}, and so does the template, where it is meant as one; take it out of the texts"
        )
    before, _ = special_ends(tokenizer)
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    for tokens in tokenise(tokenizer, held, as_text=True):
        if special & set(tokens[before:]):
            raise ValueError(
                f"{fault}, which a {type(tokenizer).__name__} cannot read as text; take it out of"
                " the texts"
            )
    return True


def _shown(tokenizer: Any, text: str) -> str:
    """The special token that the text holds first in the tokenizer's list."""
    spelled: str = next(token for token in tokenizer.all_special_tokens if token and token in text)
    return spelled
