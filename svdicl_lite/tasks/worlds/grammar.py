"""A small world that reads as English: sentences with a topic, a polarity, and nothing else to
learn.

Every sentence has two hidden classes, `topic` (world, sports, business, science) and `polarity`
(neg, pos), so that one pool of sentences serves two tasks, and only the prompt says which class is
asked for. Sentences are *short* or *plain* ("the goalkeeper was brilliant") or *hard*: negated
("was not brilliant"), contrasted ("seemed dull but the match was brilliant": what stands after
`but` decides), or about two topics (the subject decides).

Which split a sentence belongs to is a function of its text alone (`sentences.split_of`), so no two
splits can share a sentence, and pre-training, which draws training sentences only, never meets one
from a test set. Taught in chapter 03.
"""

import random

from svdicl_lite.tasks.worlds.sentences import (
    POLARITIES,
    TOPICS,
    Sentence,
    World,
    by_class,
    forms,
    split_of,
)

__all__ = ["POLARITIES", "TOPICS", "WORLD", "Sentence", "draw", "split_of", "vocabulary"]

SUBJECTS = {
    "world": (
        "ambassador president minister soldier refugee diplomat governor senator mayor general king"
        " queen protester envoy voter delegate premier monarch citizen captain guard rebel pilgrim"
        " migrant"
    ),
    "sports": (
        "goalkeeper striker coach referee runner swimmer boxer cyclist skier jockey batter pitcher"
        " defender gymnast sprinter rower wrestler golfer archer fencer skater surfer climber"
        " sailor"
    ),
    "business": (
        "banker broker trader investor manager merchant retailer landlord accountant director"
        " employer clerk salesman auditor lender shopkeeper owner exporter consultant supplier"
        " founder cashier insurer buyer"
    ),
    "science": (
        "chemist physicist biologist astronomer geologist botanist engineer surgeon inventor"
        " programmer zoologist statistician doctor astronaut researcher mathematician neurologist"
        " ecologist technician professor pharmacist geneticist curator meteorologist"
    ),
}
OBJECTS = {
    "world": (
        "treaty border election embassy summit palace province parliament village ceasefire"
        " constitution capital refuge flag ballot convoy"
    ),
    "sports": (
        "match race tournament trophy goal stadium league medal season relay marathon final pitch"
        " playoff championship sprint"
    ),
    "business": (
        "contract merger loan budget market factory invoice brand deal mortgage warehouse salary"
        " bond pension franchise catalogue"
    ),
    "science": (
        "experiment telescope theory vaccine microscope reactor satellite laboratory fossil formula"
        " comet enzyme robot molecule journal antenna"
    ),
}
ADJECTIVES = {
    "pos": (
        "brilliant lovely superb honest charming splendid cheerful elegant generous clever graceful"
        " delightful wonderful excellent friendly impressive inspiring pleasant remarkable reliable"
        " sincere skilful stunning terrific thoughtful thrilling warm wise witty worthy admirable"
        " bright calm capable fair fresh gentle glorious helpful joyful kind magnificent patient"
        " perfect proud radiant safe smooth strong triumphant"
    ),
    "neg": (
        "awful dreadful boring cruel clumsy horrible gloomy dull greedy foolish bitter miserable"
        " terrible hopeless hostile disappointing depressing unpleasant pathetic careless dishonest"
        " useless ugly nasty selfish tedious cold reckless rude worthless shameful grim nervous"
        " broken unfair stale harsh disastrous lazy angry mean tragic weak faulty bleak hollow"
        " dangerous rough feeble defeated"
    ),
}
VERBS = {
    "pos": (
        "saved praised improved rescued restored enjoyed celebrated admired protected strengthened"
        " repaired welcomed honoured cherished defended treasured perfected supported loved"
        " advanced"
    ),
    "neg": (
        "ruined wrecked insulted ignored spoiled damaged betrayed abandoned mocked weakened"
        " neglected hated sabotaged destroyed cheated attacked blamed dreaded delayed botched"
    ),
}
NAMES = (
    "anna ben clara david emma felix grace hugo irene jonas karen leo maria noah olga peter rosa"
    " simon tara victor".split()
)
TIMES = "yesterday today tonight recently finally again once later suddenly eventually".split()
DEGREES = "very really quite truly rather so simply clearly".split()
SEEMED = "seemed looked sounded appeared felt".split()

FORMS = {
    # S: subject, O: object, A: adjective, V: verb of the sentence's own topic and polarity; D:
    # degree, L: seemed …
    "short": forms("the S was A; the S V the O; the S L A"),
    "plain": forms(
        "the S was A; the S was D A; the S L A; the S V the O; T the S V the O; N said the S was"
        " A; N found the S D A; the S and the O were A; the A S V the O; N thought that the S was A"
        " and A; T the S was A about the O; the S with the O L A"
    ),
    # B, W: adjective and verb of the other polarity; X: object of any topic
    "hard": forms(
        "the S was not B; N never said the S was B; the S L B but was A; the O was B but the S was"
        " A; although the O L B the S V the X; T the S no longer W the O; the S W the O but N found"
        " it A; nobody found the S B; the S was not D B about the X; the S V the X"
    ),
}

WORLD = World(
    FORMS,
    by_class({"S": SUBJECTS, "O": OBJECTS, "A": ADJECTIVES, "V": VERBS}),
    {"N": NAMES, "T": TIMES, "D": DEGREES, "L": SEEMED},
)


def draw(rng: random.Random, split: str, kinds: tuple[str, ...] = ("plain", "hard")) -> Sentence:
    """One random sentence of `split`, of one of these `kinds`, each as likely as the other."""
    return WORLD.draw(rng, split, kinds)


def vocabulary() -> list[str]:
    """Every word the grammar can say, sorted."""
    return sorted(WORLD.vocabulary())
