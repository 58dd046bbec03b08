"""Causes and effects: which of two sentences is the more likely cause, or effect, of a third?

The offline twin of the paper's COPA. The two halves of a *story*, what happened and what came of
it, can each be told in several ways. The wrong option comes from another story (short, plain), or
from the right one's other end, a cause where an effect was asked for (hard); or the premise tells
two stories and both options fit, of which the first decides three times in four (mixed). Taught in
chapter 03.
"""

import random

from svdicl_lite.tasks.worlds.sentences import fixed_words, split_of
from svdicl_lite.tasks.worlds.wider_grammar import FIRST_DECIDES, NAMES, TIMES

QUESTIONS = ("cause", "effect")
# what happened; what came of it. N: a name, the same in both.
STORIES = tuple(
    tuple(half.split("; ") for half in story)
    for story in (
        (
            "N dropped the vase; N slipped with the vase",
            "the vase of N broke; N swept up the pieces",
        ),
        (
            "N forgot the umbrella; N walked through the rain",
            "N got soaked; the shoes of N were wet",
        ),
        (
            "N studied every evening; N read all the chapters",
            "N passed the exam; the teacher gave N top marks",
        ),
        (
            "N ate too much cake; N swallowed all the sweets",
            "N had a stomach ache; N felt sick",
        ),
        (
            "N left the gate open; N heard the alarm too late",
            "a thief robbed N; the jewels of N were gone",
        ),
        (
            "N lost the keys; N locked the door from outside",
            "N called a locksmith; N slept on the doorstep",
        ),
        (
            "N burnt the toast; N left the oven on",
            "smoke filled the flat of N; the firemen came to N",
        ),
        (
            "N trained for months; N jogged each morning",
            "N won the gold; N crossed the line ahead",
        ),
        (
            "N missed the train; the alarm of N stayed silent",
            "N arrived late; the boss scolded N",
        ),
        (
            "N lied to the others; N broke the promise",
            "the friends of N were cross; nobody believed N any more",
        ),
        (
            "N watered the roses; N planted the seeds",
            "flowers grew around N; the lawn of N turned green",
        ),
        (
            "N drove too fast; N passed a red light",
            "the police stopped N; N paid a fine",
        ),
        (
            "N stayed in the sun; N lay on the sand all day",
            "the skin of N turned red; N got a sunburn",
        ),
        (
            "N spent all the money; N gambled at night",
            "N was broke; N could not pay the rent",
        ),
        (
            "N caught a cold; N sat beside a sick child",
            "N coughed and sneezed; N stayed in bed",
        ),
        (
            "N told a joke; N wore a funny mask",
            "the class of N laughed; people smiled at N",
        ),
        (
            "N worked overtime; N solved the big problem",
            "the company promoted N; N earned a bonus",
        ),
        (
            "N fell off the roof; N tripped on the stairs",
            "N broke an arm; N limped to the clinic",
        ),
        (
            "N skipped breakfast; N had an empty fridge",
            "N was hungry; N ordered a pizza",
        ),
        (
            "N drank strong coffee; N heard loud music",
            "N lay awake; N could not sleep",
        ),
        (
            "N fed the stray kitten; N stroked the little cat",
            "the kitten followed N; the cat purred at N",
        ),
        (
            "N cut the rope; N opened the cage",
            "the bird flew from N; the goat ran off from N",
        ),
        (
            "N sang off key; N forgot the words",
            "the crowd booed N; N left the stage red faced",
        ),
        (
            "N kicked the ball high; N threw a rock",
            "the glass before N shattered; N had to pay for the pane",
        ),
        (
            "N saw a ghost; N heard steps in the dark",
            "N screamed; N hid under the blankets",
        ),
        (
            "N shared the lunch; N helped an old lady",
            "the old lady thanked N kindly; N made a new friend",
        ),
        (
            "N charged nothing; N ignored the low battery",
            "the screen of N went black; N could not phone home",
        ),
        (
            "N put on a thick jumper; N lit the fire",
            "N stopped shivering; N was warm at last",
        ),
        (
            "N mixed blue and yellow; N stirred the two paints",
            "the bowl of N held green; N had a new shade",
        ),
        (
            "N shook the can; N opened the fizzy drink",
            "foam sprayed over N; N wiped the sticky floor",
        ),
    )
)


def told(rng: random.Random, half: list[str], name: str) -> str:
    """One way to tell a half of a story, and when it was."""
    return f"{rng.choice(half).replace('N', name)} {rng.choice(TIMES)}"


def choice(rng: random.Random, split: str, kind: str, label: int) -> tuple[str, str, str, str]:
    """Premise, question (cause or effect) and two options, of which `label` is right; every one a
    sentence of `split`.
    """
    while True:  # a few halves have no telling in a small split: then another story
        asked = rng.randrange(2)  # 0: the cause, so that the premise is an effect
        one, two = rng.sample(STORIES, 2)
        name, stranger = rng.choice(NAMES), rng.choice(NAMES)

        def tell(half: list[str], name: str = name, but: str | None = None) -> str | None:
            return next(
                (
                    text
                    for text in (told(rng, half, name) for _ in range(20))
                    if split_of(text) == split and text != but
                ),
                None,
            )

        premise, right = tell(one[1 - asked]), tell(one[asked])
        if kind == "hard":  # the same half told again is no answer
            wrong = tell(one[1 - asked], but=premise)
        else:
            wrong = tell(two[asked], stranger if kind == "short" else name)
        if kind == "mixed" and premise:
            premise = next(
                (
                    text
                    for text in (
                        f"{premise} and {told(rng, two[1 - asked], name)}" for _ in range(20)
                    )
                    if split_of(text) == split
                ),
                None,
            )
            if rng.random() > FIRST_DECIDES:
                right, wrong = wrong, right
        if premise and right and wrong:
            return premise, QUESTIONS[asked], *((right, wrong) if label == 0 else (wrong, right))


def vocabulary() -> set[str]:
    """Every word that choices can say."""
    return {
        *fixed_words(way for story in STORIES for half in story for way in half),
        *QUESTIONS,
        *NAMES,
        *TIMES,
        "and",
    }
