"""The small world in three registers: the common language, a second one that is rare, and a
specialists' vocabulary that is rarer still.

All three ask the same two questions of sentences with the same two hidden classes, so what differs
is how often a model met them. *Common* is `grammar` itself. *Second* is a language of its own: an
invented word for each of the grammar's (`LEXICON`), label words included, and another word order,
the verb at the end and the adjective after its noun. *Jargon* is the common language with rare
subjects, objects, adjectives and verbs in the places of the usual ones. The frame of a prompt and
the arbitrary label words are shared. The model that learned all three is
`icl-gpt2-polyglot`. Taught in chapter 14.
"""

import random
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from svdicl_lite.tasks import grammar_tasks
from svdicl_lite.tasks.task import Task
from svdicl_lite.tasks.worlds import grammar
from svdicl_lite.tasks.worlds.sentences import Sentence, World, by_class, forms, is_slot

if TYPE_CHECKING:  # `datasets` takes a second to import
    from datasets import DatasetDict

SUBJECTS = {
    "world": "plenipotentiary legate nuncio consul attache suzerain ombudsman regent",
    "sports": "libero coxswain halfback linesman steeplechaser oarsman flanker hurler",
    "business": "underwriter actuary arbitrageur comptroller jobber liquidator assessor bursar",
    "science": (
        "phlebotomist palynologist cytologist glaciologist mycologist limnologist petrologist"
        " dosimetrist"
    ),
}
OBJECTS = {
    "world": (
        "demarche exequatur communique protectorate condominium plebiscite suffrage moratorium"
    ),
    "sports": "scrum regatta peloton velodrome dressage luge tiebreak quoits",
    "business": "debenture escrow annuity indenture tranche ledger lien arbitrage",
    "science": "centrifuge spectrometer assay titration isotope plasmid cuvette pipette",
}
ADJECTIVES = {
    "pos": (
        "unimpeachable exemplary consummate meticulous perspicacious magnanimous salubrious"
        " felicitous judicious sagacious estimable dexterous"
    ),
    "neg": (
        "obdurate perfidious lackadaisical querulous mendacious slipshod insalubrious venal"
        " truculent obstreperous maladroit egregious"
    ),
}
VERBS = {
    "pos": "exonerated ratified commended rehabilitated buttressed lauded vindicated burnished",
    "neg": "expropriated adulterated traduced vitiated impounded reviled scuttled defrauded",
}

SECOND_FORMS = {  # slots as in grammar.FORMS; the other words stand for their translation
    "short": forms("S the A was; S the O the V; S the A L"),
    "plain": forms(
        "S the A was; S the D A was; S the A L; S the O the V; S the O the T V; S the A was N said;"
        " S the D A N found; S the O the and A was; S A the O the V; S the A and A was N thought; S"
        " the O the about T A was; S the O the with A L"
    ),
    "hard": forms(
        "S the B not was; S the B was N never said; S the B L but A was; O the B was but S the A"
        " was; although O the B L S the X the V; S the O the T no longer W; S the O the W but N it"
        " A found; nobody S the B found; S the X the about D B not was; S the X the V"
    ),
}


def invent(words: list[str]) -> dict[str, str]:
    """An invented word for each: two syllables, the first with an opening that no English word has,
    none twice.
    """
    openings, consonants, vowels = "zv mr kt vl ny dv gd zl tv".split(), "bdgklmnprstvz", "aeiou"
    made = [
        first + v + c + w for first in openings for v in vowels for c in consonants for w in vowels
    ]
    return dict(zip(words, random.Random(0).sample(made, len(words))))


LABEL_WORDS = [word for task in grammar_tasks.TASKS.values() for word in task.label_words]
LEXICON = invent(sorted({*grammar.vocabulary(), *LABEL_WORDS}))
"""English → second language."""


@dataclass(frozen=True)
class Register:
    """One way of speaking of the same world."""

    share: float  # of the documents
    world: World  # its forms and words

    def vocabulary(self) -> set[str]:
        """Every word that it can say, label words apart."""
        return self.world.vocabulary()


def _translated(form: str) -> str:
    return " ".join(word if is_slot(word) else LEXICON[word] for word in form.split())


def _second_world() -> World:
    """The grammar's words, each in translation, in forms of their own."""
    common = grammar.WORLD
    words = {}
    for slot, table in common.words.items():
        words[slot] = {key: [LEXICON[word] for word in known] for key, known in table.items()}
    return World(
        {kind: tuple(map(_translated, forms)) for kind, forms in SECOND_FORMS.items()},
        words,
        {slot: [LEXICON[word] for word in known] for slot, known in common.others.items()},
    )


_JARGON = by_class({"S": SUBJECTS, "O": OBJECTS, "A": ADJECTIVES, "V": VERBS})

REGISTERS = {
    "common": Register(0.88, grammar.WORLD),
    "second": Register(0.10, _second_world()),
    "jargon": Register(0.02, replace(grammar.WORLD, words=_JARGON)),
}


def draw(
    register: Register, rng: random.Random, split: str, kinds: tuple[str, ...] = ("plain", "hard")
) -> Sentence:
    """One random sentence of `split`, of one of these `kinds`; of the common register the very one
    that `grammar.draw` draws.
    """
    return register.world.draw(rng, split, kinds)


TASKS = {
    f"{question}-{register}": replace(task, name=f"{question}-{register}", label_words=words)
    for question, task in grammar_tasks.TASKS.items()
    for register, words in (
        ("second", tuple(LEXICON[word] for word in task.label_words)),
        ("jargon", task.label_words),
    )
}
"""The rare registers' tasks; those of the common one are `grammar_tasks.TASKS`."""


def task_name(question: str, register: str) -> str:
    """What `load_task` calls the `question`, sentiment or topic, in a register."""
    return question if register == "common" else f"{question}-{register}"


def load(
    name: str, label_setting: str = "canonical", kinds: tuple[str, ...] | None = None, seed: int = 0
) -> Task:
    """The task of this name with its splits; `load_task` comes here."""
    kinds = ("plain", "hard") if kinds is None else kinds
    if not kinds or isinstance(kinds, str) or not set(kinds) <= set(SECOND_FORMS):
        raise ValueError(
            f"kinds is {kinds!r}, but must be a tuple of some of {', '.join(SECOND_FORMS)}"
        )
    return replace(
        TASKS[name], label_setting=label_setting, splits=_splits(name, tuple(kinds), seed)
    )


@lru_cache(maxsize=8)
def _splits(name: str, kinds: tuple[str, ...], seed: int) -> "DatasetDict":
    question, _, register = name.partition("-")
    world = REGISTERS[register].world
    return grammar_tasks.splits_of(TASKS[name], question, world, kinds, seed)
