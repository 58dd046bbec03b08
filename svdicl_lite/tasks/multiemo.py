"""MultiEmo: reviews in Polish and ten machine translations of each (Kocoń et al. 2021).

Sentences that are positive or negative, of hotels, doctors and medicines, products, and schools.
The files are in the same order in every language but for two faults, which are mended here: the
German hotel reviews lack one sentence, and the Portuguese medical ones end early, in six rows that
translate nothing. A sentence stays if it is fit in all eleven languages, so that all have the same.
"""

from pathlib import Path

from svdicl_lite.tasks.real_splits import near

DOMAINS = ("hotels", "medicine", "products", "reviews")
LANGUAGES = tuple("de en es fr it ja nl pl pt ru zh".split())
ANSWERS = ("negative", "positive")
LENGTHS = (15, 200)  # characters of the Polish sentence
LONGEST = 400  # characters of a translation; a longer one repeats itself
MISSING = {("hotels", "de"): 22362}  # (domain, language) → row of the others that it lacks
BROKEN_FROM = {"medicine": 21378}  # rows from here on do not fit together in Portuguese


def files() -> list[str]:
    """The names of the task files that are read."""
    return [f"{domain}_sentence_{language}" for domain in DOMAINS for language in LANGUAGES]


def keep(texts: dict[str, list[tuple[str, str]]], folder: Path) -> None:
    """Writes one parquet file a domain: a column a language, and `label`.

    `texts` has the (text, answer) pairs of every one of `files()`. Raises ValueError if languages
    do not agree in their answers.
    """
    import pyarrow
    import pyarrow.parquet

    # in all domains together, because the task `domain` joins them
    seen: dict[str, set[str]] = {language: set() for language in LANGUAGES}
    for domain in DOMAINS:
        by_language = {
            language: _aligned(texts[f"{domain}_sentence_{language}"], domain, language)
            for language in LANGUAGES
        }
        table = pyarrow.Table.from_pylist(_selected(by_language, domain, seen))
        file = folder / f"{domain}.parquet"
        pyarrow.parquet.write_table(table, file, compression="zstd", compression_level=12)


def rows(folder: Path, name: str, language: str) -> list[dict]:
    """The rows of a domain, or of the task `domain`, in which the class is what is reviewed.

    A row is text, label and key, the Polish sentence, which is the same in every language.
    """
    if name != "domain":
        return _read(folder, name, language)
    by_domain = [_read(folder, domain, language) for domain in DOMAINS]
    fewest = min(map(len, by_domain))
    found = []
    for label, read in enumerate(by_domain):
        step = len(read) / fewest  # spread over the whole file, where neighbours are one review
        found += [{**read[int(i * step)], "label": label} for i in range(fewest)]
    return found


def _aligned(pairs, domain: str, language: str) -> list[tuple[str, str]]:
    """The pairs without the rows that not all languages have."""
    pairs = pairs[: BROKEN_FROM.get(domain)]
    missing = next((row for (where, _), row in MISSING.items() if where == domain), None)
    if missing is not None and (domain, language) not in MISSING:
        pairs = pairs[:missing] + pairs[missing + 1 :]
    return pairs


def _selected(
    by_language: dict[str, list[tuple[str, str]]], domain: str, seen: dict[str, set[str]]
) -> list[dict]:
    """The rows that are positive or negative, fit in every language and new in every language."""
    answers = [answer for _, answer in by_language["pl"]]
    for language, pairs in by_language.items():
        if [answer for _, answer in pairs] != answers:
            raise ValueError(
                f"the {domain} reviews of MultiEmo in {language!r} are not those in Polish; fetch"
                " the package again"
            )
    found = []
    for i, answer in enumerate(answers):
        texts = {language: " ".join(by_language[language][i][0].split()) for language in LANGUAGES}
        if answer not in ANSWERS or not _fits(texts):
            continue
        keys = {language: near(text) for language, text in texts.items()}
        new = not any(keys[language] in seen[language] for language in LANGUAGES)
        for language, key in keys.items():
            seen[language].add(key)
        if new:
            found.append({**texts, "label": ANSWERS.index(answer)})
    return found


def _fits(texts: dict[str, str]) -> bool:
    lengths = [len(text) for text in texts.values()]
    return (
        LENGTHS[0] <= len(texts["pl"]) <= LENGTHS[1]
        and min(lengths) >= 2
        and max(lengths) <= LONGEST
    )


def _read(folder: Path, domain: str, language: str) -> list[dict]:
    import pyarrow.parquet

    columns = [*dict.fromkeys((language, "pl")), "label"]
    table = pyarrow.parquet.read_table(folder / f"{domain}.parquet", columns=columns)
    return [
        {"text": text, "label": label, "key": key}
        for text, label, key in zip(
            table[language].to_pylist(), table["label"].to_pylist(), table["pl"].to_pylist()
        )
    ]
