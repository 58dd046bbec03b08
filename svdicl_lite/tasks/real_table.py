"""The table of real tasks: prompt, classes, origin, and which of the paper's seven each is nearest
to.

SST-2: movies (close: sentences of one collection). AGNews: domain, in form alone. EmoC: tweets, of
the same register. MRPC: epistemic, which is not close, the package index having no paraphrases.
RTE: vitaminc. CB: presuppositions (close). COPA: social-iqa and cause-and-effect.
"""

from dataclasses import dataclass

from svdicl_lite.models.packages import BIGBENCH, VADER, Package
from svdicl_lite.tasks.task import template_fields


@dataclass(frozen=True)
class RealTask:
    """A real task: the prompt, where its texts are from, and how near it is to the paper's."""

    template: str
    classes: tuple[str, ...]
    label_words: tuple[str, ...]
    package: Package  # has the version, the digest and the licence
    citation: str
    nearest: str  # of the paper's seven data sets
    differs: str = ""  # how it differs from that one; empty if it is close
    options: tuple[str, ...] = ()
    shared: tuple[str, ...] = ("text",)  # rows that agree in one of these stay in one split

    @property
    def columns(self) -> list[str]:
        """The columns of text, those of the options last."""
        fields = [field for field in template_fields(self.template) if field != "label"]
        return fields + list(self.options)


# The paper's template, but whole words. With its words, neg and pos, SmolLM2-135M hardly reads the
# reviews at all: discrimination .58 against .87 (movies, validation, n = 96, four sets).
SENTIMENT = (
    "text: {text} sentiment: {label}",
    ("negative", "positive"),
    ("negative", "positive"),
)
TOPIC = "text: {text} classification: {label}"
INFERENCE = (
    "{premise} Does this mean that {hypothesis} is true? select Yes or No? {label}",
    ("entailment", "not entailment"),
    ("Yes", "No"),
)
COMMITMENT = (
    "Suppose {premise} Can we infer that {hypothesis}? Yes, No, or Maybe? {label}",
    ("entailment", "contradiction", "neutral"),
    ("Yes", "No", "Maybe"),
)
CHOICE = "{premise} {question} {label}"
RATED = (VADER, "Hutto & Gilbert (2014), VADER, ICWSM")
MULTIEMO = (BIGBENCH, "Kocoń et al. (2021), MultiEmo: Multilingual, Multilevel, Multidomain, ICCS")
TRANSLATED = "machine-translated from Polish, in eleven languages"
DOMAINS = ("hotel", "medicine", "product", "school")
INTENTS = {
    "add_to_playlist": "playlist",
    "book_restaurant": "restaurant",
    "get_weather": "weather",
    "play_music": "music",
    "rate_book": "book",
    "search_creative_work": "work",
    "search_screening_event": "cinema",
}
THREE = ("choice1", "choice2", "choice3")


def _reviews(of: str) -> RealTask:
    return RealTask(*SENTIMENT, *MULTIEMO, "sst2", f"{of}, {TRANSLATED}", shared=("key",))


REAL_TASKS = {
    "movies": RealTask(*SENTIMENT, VADER, f"{RATED[1]}; sentences of Pang & Lee (2005)", "sst2"),
    "amazon": RealTask(*SENTIMENT, *RATED, "sst2", "reviews of products"),
    "tweets": RealTask(
        *SENTIMENT,
        *RATED,
        "emoc",
        "single tweets rather than dialogues; negative or positive rather than happy or else",
    ),
    "editorials": RealTask(*SENTIMENT, *RATED, "sst2", "newspaper editorials"),
    "hotels": _reviews("reviews of hotels"),
    "medicine": _reviews("patients' reviews"),
    "products": _reviews("reviews of products"),
    "reviews": _reviews("students' reviews of their teachers"),
    "domain": RealTask(
        TOPIC,
        DOMAINS,
        DOMAINS,
        *MULTIEMO,
        "agnews",
        f"what is reviewed rather than what is in the news, {TRANSLATED}",
        shared=("key",),
    ),
    "vitaminc": RealTask(
        *INFERENCE,
        BIGBENCH,
        "Schuster et al. (2021), Get Your Vitamin C!, NAACL",
        "rte",
        "claims about a passage of Wikipedia, in contrasting pairs",
        shared=("page", "hypothesis"),
    ),
    "presuppositions": RealTask(
        *COMMITMENT,
        BIGBENCH,
        "Parrish et al. (2021), NOPE: A Corpus of Naturally-Occurring Presuppositions, CoNLL",
        "cb",
        shared=("premise", "hypothesis"),
    ),
    "implicatures": RealTask(
        "{text} Does this mean yes or no? {label}",
        ("no", "yes"),
        ("no", "yes"),
        BIGBENCH,
        "George & Mamidi (2020), Conversational implicatures in English dialogue, Procedia CS 171",
        "rte",
        "a question and an answer that says yes or no indirectly",
    ),
    "epistemic": RealTask(
        *INFERENCE,
        BIGBENCH,
        "Cohen (2021), Exploring RoBERTa's theory of mind through textual entailment",
        "mrpc",
        "whether one of two sentences follows from the other; no paraphrases",
        shared=("premise", "hypothesis"),
    ),
    "intents": RealTask(
        TOPIC,
        tuple(INTENTS),
        tuple(INTENTS.values()),
        BIGBENCH,
        "Coucke et al. (2018), Snips Voice Platform, arXiv:1805.10190",
        "agnews",
        "requests to an assistant, in seven classes",
    ),
    "social-iqa": RealTask(
        CHOICE,
        THREE,
        (),
        BIGBENCH,
        "Sap et al. (2019), Social IQa: Commonsense Reasoning about Social Interactions, EMNLP",
        "copa",
        "three options, about people and what moves them",
        options=THREE,
        shared=("premise",),
    ),
    "cause-and-effect": RealTask(
        CHOICE,
        THREE[:2],
        (),
        BIGBENCH,
        BIGBENCH.citation,
        "copa",
        "which of two events caused the other; 51 examples",
        options=THREE[:2],
        shared=("premise",),
    ),
}
