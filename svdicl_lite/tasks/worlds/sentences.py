"""The one drawer of sentences: forms whose slots are filled from pools of words.

A form is a row of words in which single capital letters are slots: "the S was A". A `World` says
which words may fill them. Drawing chooses topic, polarity, kind and form, fills the slots, and
starts again until the text belongs to the split that was asked for. Which split that is follows
from the text alone (`split_of`), so no two splits can share a sentence. `grammar`, `wider_grammar`
and `registers` each bring forms and words. Taught in chapter 03.
"""

import random
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

TOPICS = ("world", "sports", "business", "science")
POLARITIES = ("neg", "pos")

WordTables = Mapping[str, Mapping[str, Sequence[str]]]  # slot → topic or polarity → words


@dataclass(frozen=True)
class Sentence:
    """A text and its two hidden classes."""

    text: str
    topic: str
    polarity: str


@dataclass(frozen=True)
class World:
    """Forms by kind, and the words for their slots."""

    forms: Mapping[str, tuple[str, ...]]
    words: WordTables  # S (subject) and O (object) by topic, A (adjective) and V (verb) by polarity
    others: Mapping[str, Sequence[str]]  # slots that say nothing of a class: N, T, D, L

    def draw(self, rng: random.Random, split: str, kinds: Sequence[str]) -> Sentence:
        """One random sentence of `split`, of one of these `kinds`, each as likely as the other."""
        while True:
            topic, polarity, kind = rng.choice(TOPICS), rng.choice(POLARITIES), rng.choice(kinds)
            pools = self.pools(rng, topic, polarity, kind)
            text = fill(rng, rng.choice(self.forms[kind]), pools)
            if split_of(text) == split:
                return Sentence(text, topic, polarity)

    def pools(
        self, rng: random.Random, topic: str, polarity: str, kind: str
    ) -> dict[str, Sequence[str]]:
        """The words for each slot of a sentence with these classes.

        B and W are adjective and verb of the other polarity, X is an object of any topic.
        """
        unlike = other_polarity(polarity)
        return {
            "S": self.words["S"][topic],
            "O": self.words["O"][topic],
            "X": self.objects,
            "A": self.words["A"][polarity],
            "B": self.words["A"][unlike],
            "V": self.words["V"][polarity],
            "W": self.words["V"][unlike],
            **self.others,
        }

    @cached_property
    def objects(self) -> list[str]:
        """The objects of all topics."""
        return [word for words in self.words["O"].values() for word in words]

    def vocabulary(self) -> set[str]:
        """Every word that these sentences can say."""
        said = fixed_words(form for kind in self.forms.values() for form in kind)
        for table in self.words.values():
            said.update(*table.values())
        return said.union(*self.others.values())


def fill(rng: random.Random, form: str, pools: Mapping[str, Sequence[str]]) -> str:
    """The form with every slot replaced by a word of its pool, drawn from left to right."""
    return " ".join(rng.choice(pools[slot]) if slot in pools else slot for slot in form.split())


def is_slot(word: str) -> bool:
    """Whether a word of a form is a slot."""
    return len(word) == 1 and word.isupper()


def fixed_words(forms: Iterable[str]) -> set[str]:
    """The words of forms that are no slots."""
    return {word for form in forms for word in form.split() if not is_slot(word)}


def other_polarity(polarity: str) -> str:
    """The other of neg and pos."""
    return POLARITIES[1 - POLARITIES.index(polarity)]


def split_of(text: str) -> str:
    """The split of a sentence, by its text alone: 70 % train, 15 % validation, 15 % test."""
    bucket = zlib.crc32(text.encode()) % 100
    return "train" if bucket < 70 else "validation" if bucket < 85 else "test"


def forms(text: str) -> tuple[str, ...]:
    """Forms written as one string, cut at the semicolons."""
    return tuple(text.split("; "))


def by_class(tables: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, list[str]]]:
    """Word tables written as one string a class, cut into lists."""
    return {
        slot: {key: words.split() for key, words in table.items()} for slot, table in tables.items()
    }
