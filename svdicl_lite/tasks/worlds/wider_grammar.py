"""The same small world with more words, and with sentences that speak for two classes at once.

`grammar` is the world of the shipped models; this is the one of the suite, in which the tasks
`sentiment` and `topic` are too easy for a model that has learned them. A *mixed* sentence holds
evidence for two topics and both polarities, and what is said first decides three times in four, so
nobody can always be right. Taught in chapter 03.
"""

import random
from collections.abc import Sequence

from svdicl_lite.tasks.worlds import grammar
from svdicl_lite.tasks.worlds.grammar import DEGREES, SEEMED
from svdicl_lite.tasks.worlds.sentences import (
    TOPICS,
    Sentence,
    World,
    by_class,
    forms,
    other_polarity,
)

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
    "mixed": forms(
        "the S was A and the R was B; the G V the O and W the X; N called the S A and the R B; the"
        " O L A and the X L B"
    ),
}


class WiderWorld(World):
    """A world with mixed sentences, in which a second side speaks for other classes."""

    def pools(
        self, rng: random.Random, topic: str, polarity: str, kind: str
    ) -> dict[str, Sequence[str]]:
        """The words for each slot; of a mixed sentence, R, B, W and X are those of the second side.

        Either side may be the one whose classes the sentence has: what is said first decides
        `FIRST_DECIDES` of the time.
        """
        away = rng.choice([name for name in TOPICS if name != topic])
        first, second = (topic, polarity), (away, other_polarity(polarity))
        if kind == "mixed" and rng.random() > FIRST_DECIDES:
            first, second = second, first
        return super().pools(rng, *first, kind) | {
            "R": self.words["S"][second[0]],
            "X": self.words["O"][second[0]] if kind == "mixed" else self.objects,
        }


def _joined(few: dict[str, str], more: dict[str, str]) -> dict[str, str]:
    return {key: few[key] + " " + more[key] for key in few}


WORLD = WiderWorld(
    FORMS,
    by_class(
        {
            "S": _joined(grammar.SUBJECTS, SUBJECTS),
            "O": _joined(grammar.OBJECTS, OBJECTS),
            "A": _joined(grammar.ADJECTIVES, ADJECTIVES),
            "V": _joined(grammar.VERBS, VERBS),
        }
    ),
    {"N": NAMES, "T": TIMES, "D": DEGREES, "L": SEEMED, "G": GENERIC},
)


def draw(rng: random.Random, split: str, kinds: tuple[str, ...]) -> Sentence:
    """One random sentence of `split`, of one of these `kinds`, each as likely as the other."""
    return WORLD.draw(rng, split, kinds)


def vocabulary() -> set[str]:
    """Every word that these sentences can say."""
    return WORLD.vocabulary()
