"""The same small world with more words, and with sentences that speak for two classes at once.

`grammar` is the world of the shipped models; this is the one of the suite, in which the tasks
`sentiment` and `topic` are too easy for a model that has learned them. A *mixed* sentence holds
evidence for two topics and both polarities, and what is said first decides three times in four, so
nobody can always be right. Taught in chapter 03.
"""

import random

from svdicl_lite.tasks.worlds import grammar
from svdicl_lite.tasks.worlds.grammar import DEGREES, POLARITIES, SEEMED, TOPICS, Sentence, split_of

FIRST_DECIDES = 0.75  # in mixed evidence: how often the class is that of what is said first

# More of each kind, beside the words of `grammar`.
SUBJECTS = {
    "world": (
        "prince princess spy judge chancellor colonel bishop settler activist emperor sheriff"
        " hostage"
    ),
    "sports": (
        "bowler forward winger diver hurdler juggler dancer rider racer trainer umpire rookie"
    ),
    "business": (
        "seller tenant chairman tycoon importer dealer agent customer shareholder grocer debtor"
        " partner"
    ),
    "science": (
        "scholar dentist nurse psychologist explorer analyst architect librarian student historian"
        " linguist vet"
    ),
}
OBJECTS = {
    "world": "throne colony island republic empire law prison army",
    "sports": "penalty racket helmet arena cup team derby record",
    "business": "bank office store price profit auction cheque tax",
    "science": "planet virus atom rocket engine sensor planetarium thesis",
}
ADJECTIVES = {
    "pos": (
        "brave polite noble gifted marvellous fantastic amazing tidy loyal decent modest healthy"
        " useful"
    ),
    "neg": "stupid dirty corrupt vicious vain jealous arrogant sloppy dismal poor noisy",
}
VERBS = {
    "pos": "blessed thanked encouraged respected inspired trusted",
    "neg": "cursed threatened crushed wasted despised",
}
NAMES = (
    grammar.NAMES
    + (
        "alice boris carmen daniel elena frank gina henry ivan julia kevin laura martin nina oscar"
        " paula quentin rita stefan ursula"
    ).split()
)
TIMES = grammar.TIMES + "earlier twice lately quietly somehow slowly".split()
GENERIC = (
    "man woman girl boy visitor neighbour stranger tourist guest child teenager grandmother uncle"
    " aunt cousin".split()
)

FORMS = {
    **grammar.FORMS,
    # R, X: subject and object of another topic; G: a person of none. Either side may come first.
    "mixed": (
        "the S was A and the R was B",
        "the G V the O and W the X",
        "N called the S A and the R B",
        "the O L A and the X L B",
    ),
}
_WORDS = {
    slot: {key: (few[key] + " " + more[key]).split() for key in few}
    for slot, few, more in (
        ("S", grammar.SUBJECTS, SUBJECTS), ("O", grammar.OBJECTS, OBJECTS), ("A", grammar.ADJECTIVES, ADJECTIVES), ("V", grammar.VERBS, VERBS),
    )
}  # fmt: skip
_ANY_OBJECT = [word for words in _WORDS["O"].values() for word in words]


def fill(rng: random.Random, form: str, pools: dict[str, list[str]]) -> str:
    """The form with every capital letter replaced by a word of its pool."""
    return " ".join(rng.choice(pools[slot]) if slot in pools else slot for slot in form.split())


def draw(rng: random.Random, split: str, kinds: tuple[str, ...]) -> Sentence:
    """One random sentence of `split`, of one of these `kinds`, each as likely as the other."""
    while True:
        topic, polarity, kind = rng.choice(TOPICS), rng.choice(POLARITIES), rng.choice(kinds)
        own, feels = topic, polarity
        away, unlike = (
            rng.choice([name for name in TOPICS if name != topic]),
            POLARITIES[1 - POLARITIES.index(polarity)],
        )
        if kind == "mixed" and rng.random() > FIRST_DECIDES:
            own, away, feels, unlike = away, own, unlike, feels
        pools = {
            "S": _WORDS["S"][own],
            "O": _WORDS["O"][own],
            "A": _WORDS["A"][feels],
            "V": _WORDS["V"][feels],
            "R": _WORDS["S"][away],
            "B": _WORDS["A"][unlike],
            "W": _WORDS["V"][unlike],
            "X": _WORDS["O"][away] if kind == "mixed" else _ANY_OBJECT,
            "N": NAMES,
            "T": TIMES,
            "D": DEGREES,
            "L": SEEMED,
            "G": GENERIC,
        }
        text = fill(rng, rng.choice(FORMS[kind]), pools)
        if split_of(text) == split:
            return Sentence(text, topic, polarity)


def fixed_words(forms) -> set[str]:
    """The words of forms that are no slots."""
    return {
        word for form in forms for word in form.split() if not (len(word) == 1 and word.isupper())
    }


def vocabulary() -> set[str]:
    """Every word that these sentences can say."""
    tables = {word for table in _WORDS.values() for words in table.values() for word in words}
    return {
        *tables,
        *GENERIC,
        *NAMES,
        *TIMES,
        *DEGREES,
        *SEEMED,
        *fixed_words(form for forms in FORMS.values() for form in forms),
    }
