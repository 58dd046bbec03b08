"""A small world that reads as English: its words, and sentences with a topic and a polarity.

Every sentence here has two hidden classes, `topic` (world, sports, business, science) and `polarity` (neg, pos), so that one
pool of sentences serves two tasks, and only the prompt says which class is asked for. Sentences are *short* or *plain* ("the
goalkeeper was brilliant"), *hard*: negated ("was not brilliant"), contrasted ("seemed dull but the match was brilliant": what
stands after `but` decides), or about two topics (the subject decides); or *mixed*: evidence for both classes, of which the first
decides three times in four, so that nobody can always be right.

Which split a sentence belongs to is a function of its text alone (`split_of`), so no two splits can share a sentence,
and pre-training, which draws training sentences only, never meets one from a test set. `suite.py` has the other tasks. Taught in
chapter 03.
"""

import random
import zlib
from dataclasses import dataclass

TOPICS = ("world", "sports", "business", "science")
POLARITIES = ("neg", "pos")
FIRST_DECIDES = 0.75  # in mixed evidence: how often the class is that of what is said first

SUBJECTS = {
    "world": "ambassador president minister soldier refugee diplomat governor senator mayor general king queen protester "
             "envoy voter delegate premier monarch citizen captain guard rebel pilgrim migrant prince princess spy judge "
             "chancellor colonel bishop settler activist emperor sheriff hostage",
    "sports": "goalkeeper striker coach referee runner swimmer boxer cyclist skier jockey batter pitcher defender gymnast "
              "sprinter rower wrestler golfer archer fencer skater surfer climber sailor bowler forward winger diver hurdler "
              "juggler dancer rider racer trainer umpire rookie",
    "business": "banker broker trader investor manager merchant retailer landlord accountant director employer clerk "
                "salesman auditor lender shopkeeper owner exporter consultant supplier founder cashier insurer buyer seller "
                "tenant chairman tycoon importer dealer agent customer shareholder grocer debtor partner",
    "science": "chemist physicist biologist astronomer geologist botanist engineer surgeon inventor programmer zoologist "
               "statistician doctor astronaut researcher mathematician neurologist ecologist technician professor "
               "pharmacist geneticist curator meteorologist scholar dentist nurse psychologist explorer analyst architect "
               "librarian student historian linguist vet",
}
OBJECTS = {
    "world": "treaty border election embassy summit palace province parliament village ceasefire constitution capital "
             "refuge flag ballot convoy throne colony island republic empire law prison army",
    "sports": "match race tournament trophy goal stadium league medal season relay marathon final pitch playoff "
              "championship sprint penalty racket helmet arena cup team derby record",
    "business": "contract merger loan budget market factory invoice brand deal mortgage warehouse salary bond pension "
                "franchise catalogue bank office store price profit auction cheque tax",
    "science": "experiment telescope theory vaccine microscope reactor satellite laboratory fossil formula comet enzyme "
               "robot molecule journal antenna planet virus atom rocket engine sensor planetarium thesis",
}
ADJECTIVES = {
    "pos": "brilliant lovely superb honest charming splendid cheerful elegant generous clever graceful delightful "
           "wonderful excellent friendly impressive inspiring pleasant remarkable reliable sincere skilful stunning "
           "terrific thoughtful thrilling warm wise witty worthy admirable bright calm capable fair fresh gentle "
           "glorious helpful joyful kind magnificent patient perfect smooth strong triumphant brave polite noble "
           "gifted marvellous fantastic amazing tidy loyal decent modest healthy useful",
    "neg": "awful dreadful boring cruel clumsy horrible gloomy dull greedy foolish bitter terrible hopeless "
           "hostile disappointing depressing unpleasant pathetic careless dishonest useless ugly nasty selfish tedious "
           "cold reckless rude worthless shameful grim nervous broken unfair stale harsh disastrous lazy mean "
           "tragic weak faulty bleak hollow dangerous rough feeble defeated stupid dirty corrupt vicious vain jealous "
           "arrogant sloppy dismal poor noisy",
}
VERBS = {
    "pos": "saved praised improved rescued restored enjoyed celebrated admired protected strengthened supported welcomed "
           "honoured cherished defended treasured perfected loved advanced blessed thanked encouraged respected inspired "
           "trusted",
    "neg": "ruined wrecked insulted ignored spoiled damaged betrayed abandoned mocked weakened neglected hated "
           "sabotaged destroyed cheated attacked blamed dreaded delayed botched cursed threatened crushed wasted despised",
}
GENERIC = "man woman girl boy visitor neighbour stranger tourist guest child teenager grandmother uncle aunt cousin".split()
NAMES = ("anna ben clara david emma felix grace hugo irene jonas karen leo maria noah olga peter rosa simon tara victor "
         "alice boris carmen daniel elena frank gina henry ivan julia kevin laura martin nina oscar paula quentin rita "
         "stefan ursula").split()
TIMES = "yesterday today tonight recently finally again once later suddenly eventually earlier twice lately quietly somehow slowly".split()
DEGREES = "very really quite truly rather so simply clearly".split()
SEEMED = "seemed looked sounded appeared".split()

FORMS = {
    # S: subject, O: object, A: adjective, V: verb of the sentence's own topic and polarity; D: degree, L: seemed …
    "short": ("the S was A", "the S V the O", "the S L A"),
    "plain": (
        "the S was A", "the S was D A", "the S L A", "the S V the O", "T the S V the O", "N said the S was A",
        "N found the S D A", "the S and the O were A", "the A S V the O", "N thought that the S was A and A",
        "T the S was A about the O", "the S with the O L A",
    ),
    # B, W: adjective and verb of the other polarity; X: object of any topic
    "hard": (
        "the S was not B", "N never said the S was B", "the S L B but was A", "the O was B but the S was A",
        "although the O L B the S V the X", "T the S no longer W the O", "the S W the O but N found it A",
        "nobody found the S B", "the S was not D B about the X", "the S V the X",
    ),
    # R, X: subject and object of another topic; G: a person of none. Either side may come first.
    "mixed": ("the S was A and the R was B", "the G V the O and W the X", "N called the S A and the R B", "the O L A and the X L B"),
}  # fmt: skip

_WORDS = {kind: {key: words.split() for key, words in table.items()}
          for kind, table in {"S": SUBJECTS, "O": OBJECTS, "A": ADJECTIVES, "V": VERBS}.items()}
_ANY_OBJECT = [word for words in _WORDS["O"].values() for word in words]


@dataclass(frozen=True)
class Sentence:
    text: str
    topic: str
    polarity: str


def split_of(text: str) -> str:
    """The split a sentence belongs to, from its text alone: 70 % train, 15 % validation, 15 % test."""
    bucket = zlib.crc32(text.encode()) % 100
    return "train" if bucket < 70 else "validation" if bucket < 85 else "test"


def fill(rng: random.Random, form: str, pools: dict[str, list[str]]) -> str:
    """The form with every capital letter replaced by a word of its pool."""
    return " ".join(rng.choice(pools[slot]) if slot in pools else slot for slot in form.split())


def draw(rng: random.Random, split: str, kinds: tuple[str, ...] = ("plain", "hard")) -> Sentence:
    """One random sentence of `split`, of one of these `kinds`, each as likely as the other."""
    while True:
        topic, polarity, kind = rng.choice(TOPICS), rng.choice(POLARITIES), rng.choice(kinds)
        own, other, away = topic, polarity, rng.choice([name for name in TOPICS if name != topic])
        unlike = POLARITIES[1 - POLARITIES.index(polarity)]
        if kind == "mixed" and rng.random() > FIRST_DECIDES:
            own, away, other, unlike = away, own, unlike, other
        pools = {
            "S": _WORDS["S"][own], "O": _WORDS["O"][own], "A": _WORDS["A"][other], "V": _WORDS["V"][other],
            "R": _WORDS["S"][away], "B": _WORDS["A"][unlike], "W": _WORDS["V"][unlike],
            "X": _WORDS["O"][away] if kind == "mixed" else _ANY_OBJECT,
            "N": NAMES, "T": TIMES, "D": DEGREES, "L": SEEMED, "G": GENERIC,
        }  # fmt: skip
        text = fill(rng, rng.choice(FORMS[kind]), pools)
        if split_of(text) == split:
            return Sentence(text, topic, polarity)


def fixed_words(forms) -> set[str]:
    """The words of forms that are no slots."""
    return {word for form in forms for word in form.split() if not (len(word) == 1 and word.isupper())}


def vocabulary() -> list[str]:
    """Every word that these sentences can say, sorted; `suite.vocabulary` has those of the other tasks too."""
    tables = [word for table in _WORDS.values() for words in table.values() for word in words]
    return sorted({*tables, *GENERIC, *NAMES, *TIMES, *DEGREES, *SEEMED, *fixed_words(form for forms in FORMS.values() for form in forms)})
