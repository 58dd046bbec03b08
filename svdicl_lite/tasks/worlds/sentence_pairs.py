"""Pairs of sentences: is the second a paraphrase, does it follow, is its speaker committed to it?

An *event* is who did what to what. A paraphrase tells the same event in another order or with
another word for it; what follows from a premise is what it says, or something more general. So a
model must compare two sentences, where for sentiment it reads one. The kinds are those of
`wider_grammar`: short, plain, hard (roles exchanged, clauses mixed up, negation) and mixed, where
readers differ. For training there is one more, easy: the two sentences tell one event, or two that
have next to nothing in common. Taught in chapter 03.
"""

import random
from collections.abc import Sequence
from typing import TypeVar

from svdicl_lite.tasks.worlds.wider_grammar import FIRST_DECIDES, NAMES, TIMES

# Words that mean the same; all are past tense and past participle alike, so that each makes a
# passive.
SAME = [
    pair.split()
    for pair in (
        "bought purchased, repaired mended, found discovered, sold traded, cleaned washed, carried"
        " hauled, painted coloured, cooked prepared, noticed spotted, started launched, shut"
        " closed, concealed buried, fetched collected, lifted raised, copied duplicated, burned"
        " torched, built constructed, picked selected, finished completed, grabbed seized"
    ).split(", ")
]
AGENTS = (
    "baker farmer painter teacher writer driver gardener plumber tailor butcher sculptor singer"
    " pianist waiter carpenter miner hunter fisher postman shepherd magician actor barber potter"
).split()
THINGS = {  # the general word for each
    "instrument": "piano violin guitar flute trumpet drum",
    "vehicle": "car bicycle truck boat bus tractor",
    "fruit": "pear melon cherry lemon banana orange",
    "furniture": "table desk sofa wardrobe bench cupboard",
    "clothing": "coat shirt hat scarf glove jacket",
    "tool": "saw spade drill wrench axe shovel",
    "toys": "kite doll puppet puzzle balloon drone",
    "food": "soup stew salad omelette pudding noodle",
}
PLACES = (
    "kitchen cellar attic barn yard church school museum harbour station forest library".split()
)
KNEW = (
    "knew noticed realised remembered learned proved".split()
)  # whoever says so takes it for true
PRETENDED = "pretended lied dreamed".split()  # … for false
SAID = "said thought believed hoped guessed heard feared suspected".split()  # … leaves it open
ADMITTED, DENIED, DOUBTED = (
    "admitted confessed".split(),
    "denied rejected".split(),
    "doubted claimed".split(),
)  # readers differ

_KIND = {thing: kind for kind, things in THINGS.items() for thing in things.split()}
_THINGS = list(_KIND)
_SYNONYM = {word: other for one, two in SAME for word, other in ((one, two), (two, one))}
_VERBS = list(_SYNONYM)


T = TypeVar("T")


def other(rng: random.Random, words: Sequence[T], *avoid: T) -> T:
    """One of them that is none of those to avoid."""
    while (word := rng.choice(words)) in avoid:
        pass
    return word


def event(rng: random.Random) -> tuple[str, str, str]:
    """Who did what to what."""
    return rng.choice(AGENTS), rng.choice(_VERBS), rng.choice(_THINGS)


def active(agent: str, verb: str, thing: str) -> str:
    """The event told of the one who did it."""
    return f"the {agent} {verb} the {thing}"


def passive(agent: str, verb: str, thing: str) -> str:
    """The event told of what it was done to."""
    return f"the {thing} was {verb} by the {agent}"


def changed(rng: random.Random, agent: str, verb: str, thing: str) -> tuple[str, str, str]:
    """The event with one of its three words replaced by another that means something else."""
    which = rng.randrange(3)
    if which == 0:
        return other(rng, AGENTS, agent), verb, thing
    if which == 1:
        return agent, other(rng, _VERBS, verb, _SYNONYM[verb]), thing
    return agent, verb, other(rng, _THINGS, thing)


def as_read(rng: random.Random, label: int, n_classes: int) -> int:
    """The class that mixed evidence looks like: the label three times in four, another one
    otherwise.
    """
    return label if rng.random() < FIRST_DECIDES else other(rng, range(n_classes), label)


def paraphrase(rng: random.Random, kind: str, label: int) -> tuple[str, str]:
    """Two sentences; label 1: they tell the same event."""
    agent, verb, thing = told = event(rng)
    one, two = rng.sample((active, passive), 2)
    when = rng.choice(TIMES)
    if kind == "mixed":  # the second leaves out when it was, or says another time
        if as_read(rng, label, 2):
            return f"{when} {one(*told)}", two(*told)
        return f"{when} {one(*told)}", f"{other(rng, TIMES, when)} {two(*told)}"
    if kind == "hard":
        victim = other(rng, AGENTS, agent)
        if rng.random() < 0.5:  # who did it to whom
            return one(agent, verb, victim), (
                two(agent, verb, victim) if label else two(victim, verb, agent)
            )
        if rng.random() < 0.5:  # denied, with another word for it, or not
            return active(agent, "never " + verb, thing), active(
                agent, "never " * label + _SYNONYM[verb], thing
            )
        second = (agent, _SYNONYM[verb], thing)
        return (
            f"{when} {one(*told)}",
            f"{two(*(second if label else changed(rng, *second)))} {when}",
        )
    second = told if label else event(rng) if kind == "easy" else changed(rng, *told)
    if kind == "plain" and rng.random() < 0.5:
        second = second[0], _SYNONYM[second[1]], second[2]
    if kind == "plain" and rng.random() < 0.5:
        return f"{when} {one(*told)}", f"{rng.choice((one, two))(*second)} {when}"
    return one(*told), two(*second)


def entailment(rng: random.Random, kind: str, label: int) -> tuple[str, str]:
    """Premise and hypothesis; label 0: the hypothesis follows."""
    (agent, verb, thing), second = first = event(rng), event(rng)
    either, way = rng.choice(first), rng.choice((active, passive))
    if kind in ("short", "easy"):
        return active(*first[0]), active(
            *(first[0] if label == 0 else second if kind == "easy" else changed(rng, *first[0]))
        )
    if kind == "mixed":  # hearsay, confirmed or withdrawn, is believed or not
        name = rng.choice(NAMES)
        return (
            (
                f"{name} {rng.choice((SAID, DOUBTED)[as_read(rng, label, 2)])} that"
                f" {active(*first[0])}"
            ),
            way(*first[0]),
        )
    if kind == "plain":
        return f"{active(*first[0])} and {active(*second)}", way(
            *(either if label == 0 else changed(rng, *either))
        )
    question = rng.randrange(3)
    if question == 0:  # something more general follows, something of another kind does not
        general = _KIND[thing] if label == 0 else other(rng, list(THINGS), _KIND[thing])
        return (
            f"{active(*first[0])} in the {rng.choice(PLACES)}",
            f"the {agent} {verb} some {general}",
        )
    if question == 1:  # what is denied
        denied = agent, "never " + verb, thing
        follows, not_so = rng.choice(
            ((denied, first[0]), (second, (second[0], "never " + second[1], second[2])))
        )
        return f"{active(*denied)} but {active(*second)}", active(
            *(follows if label == 0 else not_so)
        )
    if second[0] == agent:  # then what is exchanged would be said
        second = other(rng, AGENTS, agent), *second[1:]
    either = rng.choice((first[0], second))
    return f"{active(*first[0])} and {active(*second)}", (
        active(*either) if label == 0 else active(agent, *second[1:])
    )  # who did which


def commitment(rng: random.Random, kind: str, label: int) -> tuple[str, str]:
    """Premise and hypothesis; label 0: whoever says the premise holds the hypothesis for true, 1:
    for false, 2: leaves it open.
    """
    agent, verb, thing = told = event(rng)
    claim, denial = active(*told), active(agent, "never " + verb, thing)
    name, way = rng.choice(NAMES), rng.choice((active, passive))
    if kind == "mixed":
        verbs = (ADMITTED, DENIED, DOUBTED)[as_read(rng, label, 3)]
        return f"{name} {rng.choice(verbs)} that {claim}", claim
    if kind == "short":
        return f"{name} {rng.choice((KNEW, PRETENDED, SAID)[label])} that {claim}", claim
    if kind == "plain":
        return (
            f"{rng.choice(TIMES)} {name} {rng.choice((KNEW, PRETENDED, SAID)[label])} that {claim}",
            way(*told),
        )
    if label == 2:
        return f"{name} {rng.choice(('never ', ''))}{rng.choice(SAID)} that {claim}", rng.choice(
            (claim, denial)
        )
    if label == 0:  # not knowing that something is so still takes it to be so
        return rng.choice(
            (
                (f"{name} never {rng.choice(KNEW)} that {claim}", claim),
                (f"{name} {rng.choice(PRETENDED)} that {claim}", denial),
            )
        )
    return rng.choice(
        (
            (f"{name} {rng.choice(KNEW)} that {denial}", claim),
            (f"{name} {rng.choice(KNEW)} that {claim}", denial),
        )
    )


def vocabulary() -> set[str]:
    """Every word that pairs can say."""
    said = {*KNEW, *PRETENDED, *SAID, *ADMITTED, *DENIED, *DOUBTED}
    return {
        *_VERBS,
        *AGENTS,
        *_THINGS,
        *THINGS,
        *PLACES,
        *said,
        *NAMES,
        *TIMES,
        *"the was by and but never in some that".split(),
    }
