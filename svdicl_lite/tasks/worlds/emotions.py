"""What people say of themselves: is somebody happy, or is it anything else?

The offline twin of the paper's EmoC. Four in five are not happy: sad, angry, or about something
else, which is why a model that always says so is right four times in five and its balanced accuracy
is one half. The kinds are those of `wider_grammar`: short, plain, hard (denied, contrasted) and
mixed (two feelings, of which the first decides three times in four). Taught in chapter 03.
"""

import random

from svdicl_lite.tasks.worlds.grammar import DEGREES
from svdicl_lite.tasks.worlds.sentences import fill, fixed_words, forms
from svdicl_lite.tasks.worlds.wider_grammar import FIRST_DECIDES, NAMES, TIMES

HAPPY_SHARE = 0.2
HAPPY = (
    "happy glad delighted thrilled excited overjoyed merry content pleased grateful jolly blissful"
    " ecstatic amused".split()
)
UNHAPPY = (
    "sad lonely unhappy heartbroken miserable upset tearful homesick"  # sad
    " angry furious annoyed irritated mad outraged bored tired worried scared ashamed"
).split()
LOVE = "love adore like".split()
HATE = "hate miss fear".split()
ABOUT = (
    "trip job dinner weather holiday wedding exam birthday dog cat balcony phone house song movie"
    " letter news party weekend concert picnic lesson homework haircut puppy"
).split()
SPOTS = "station beach library hotel cafe airport hospital cinema".split()

FORMS = {  # H: happy, S: not, L: love, K: hate, A: about, P: place, N: name, T: time, D: degree
    "short": (
        forms("i am H; i feel H; we are H"),
        forms("i am S; i feel S; we are S; where is the A"),
    ),
    "plain": (
        forms(
            "T i am D H; N is D H about the A; i am H about the A; we are D H T; the A made me H; i"
            " L the A D; N and i are H T"
        ),
        forms(
            "T i am D S; N is D S about the A; i am S about the A; we are D S T; the A made me S; i"
            " K the A D; N and i are S T; where is the A of N; i will see N at the P; do you know"
            " when the A is; N is at the P T; is N at the P or at the A"
        ),
    ),
    "hard": (
        forms(
            "i was S but now i am H; N is S but i am H; i am not S about the A; although i K the A"
            " i am H; N and i are no longer S"
        ),
        forms(
            "i was H but now i am S; N is H but i am S; i am not H about the A; although i L the A"
            " i am S; N and i are no longer H"
        ),
    ),
    "mixed": (
        forms("N is H and i am S; i am H and S; T i L the A and K the P"),
        forms("N is S and i am H; i am S and H; T i K the A and L the P"),
    ),
}
_POOLS = {
    "H": HAPPY,
    "S": UNHAPPY,
    "L": LOVE,
    "K": HATE,
    "A": ABOUT,
    "P": SPOTS,
    "N": NAMES,
    "T": TIMES,
    "D": DEGREES,
}


def utterance(rng: random.Random, kind: str, label: int) -> str:
    """Something said; label 1: by or of somebody happy."""
    read = 1 - label if kind == "mixed" and rng.random() > FIRST_DECIDES else label
    return fill(rng, rng.choice(FORMS[kind][1 - read]), _POOLS)


def vocabulary() -> set[str]:
    """Every word that utterances can say."""
    fixed = fixed_words(form for both in FORMS.values() for side in both for form in side)
    return {*fixed, *(word for pool in _POOLS.values() for word in pool)}
