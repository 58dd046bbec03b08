"""BIG-bench's package is read as its tasks are written, on a small one made here."""

import io
import json
import tarfile
from collections import Counter

import pytest

from svdicl_lite.tasks import multiemo, real_bigbench
from svdicl_lite.tasks.real_table import REAL_TASKS


def scores(*options, right):
    return {option: int(option == right) for option in options}


EXAMPLES = {
    "vitaminc": [
        {
            "input": "A page: It -LRB- so they say -RRB- sold 5 .\nClaim: It sold under 6 .",
            "target_scores": scores("True", "False", "Neither", right=right),
        }
        for right in ("True", "False", "Neither")
    ],
    "presuppositions": [
        {
            "input": "Sentence 1: He ran. He fell. \nSentence 2: He was up.\n\nThe answer is: ",
            "target_scores": scores("entailment", "neutral", "contradiction", right=right),
        }
        for right in ("entailment", "contradiction", "neutral")
    ],
    "implicatures": [
        {
            "input": "Speaker 1: 'Tea?' Speaker 2: 'It is hot.'",
            "target_scores": scores("yes", "no", right=right),
        }
        for right in ("no", "yes")
    ],
    "epistemic": [
        {
            "input": "Premise: Ann thinks that it rains. Hypothesis: It rains.",
            "target_scores": scores("entailment", "non-entailment", right=right),
        }
        for right in ("entailment", "non-entailment")
    ],
    "intents": [
        {
            "input": f"Utterance: do {name}",
            "target_scores": scores(*REAL_TASKS["intents"].classes, right=name),
        }
        for name in REAL_TASKS["intents"].classes
    ],
    "social-iqa": [
        {
            "input": "Ann met Bob. They spoke. What will Ann do next? ",
            "target_scores": scores("go", "stay", "sing", right="stay"),
        },
        {"input": "It was 5 p.m. Who won? ", "target_scores": scores("Ann", "Bob", right="Bob")},
    ],
    "cause-and-effect": [
        {
            "input": "",
            "target_scores": scores(f"It rained {i}.", f"It was wet {i}.", right=f"It rained {i}."),
        }
        for i in range(4)
    ],
}
EVENTS = [(f"It rained {i}.", f"It was wet {i}.")[:: 1 - 2 * (i % 2)] for i in range(4)]
READ = {
    "vitaminc": [
        {
            "premise": "A page: It ( so they say ) sold 5 .",
            "hypothesis": "It sold under 6",
            "page": "A page",
            "label": label,
        }
        for label in (0, 1, 1)
    ],
    "presuppositions": [
        {"premise": "He ran. He fell.", "hypothesis": "He was up", "label": label}
        for label in range(3)
    ],
    "implicatures": [
        {"text": "Speaker 1: 'Tea?' Speaker 2: 'It is hot.'", "label": label} for label in range(2)
    ],
    "epistemic": [
        {"premise": "Ann thinks that it rains.", "hypothesis": "It rains", "label": label}
        for label in range(2)
    ],
    "intents": [
        {"text": f"do {name}", "label": label}
        for label, name in enumerate(REAL_TASKS["intents"].classes)
    ],
    "social-iqa": [
        {
            "premise": "Ann met Bob. They spoke.",
            "question": "What will Ann do next?",
            "choice1": "go",
            "choice2": "stay",
            "choice3": "sing",
            "label": 1,
        }
    ],
    "cause-and-effect": [
        {
            "premise": f"{first} {second}",
            "question": "Which event caused the other?",
            "choice1": first,
            "choice2": second,
            "label": i % 2,
        }
        for i, (first, second) in enumerate(EVENTS)
    ],
}


def review(domain, language, i):
    return f"{domain} review {i} in {language}, of some length"


def multiemo_task(domain, language, n=40):
    answers = [("positive", "negative", "neutral")[i % 3] for i in range(n)]
    inputs = [review(domain, language, i) for i in range(n)]
    inputs[3] = inputs[0].upper()  # near to an earlier one
    if language == "zh":
        inputs[4] = "。"  # the translation failed
    if language == "ru":
        inputs[6] = "снова " * 100  # and here it repeats itself
    if language == "pl":
        inputs[7] = "za krótkie"
    choices = ("ambivalent", "positive", "negative", "neutral")
    examples = [
        {"input": text, "target_scores": scores(*choices, right=answer)}
        for text, answer in zip(inputs, answers)
    ]
    if domain == "hotels" and language == "de":
        del examples[12]
    return examples


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package in the form of BIG-bench's, with few examples; a function that reads it."""
    monkeypatch.setattr(multiemo, "MISSING", {("hotels", "de"): 12})
    monkeypatch.setattr(multiemo, "BROKEN_FROM", {"medicine": 30})
    tasks = {path: EXAMPLES[name] for name, path in real_bigbench.FILES.items()}
    for domain in multiemo.DOMAINS:
        for language in multiemo.LANGUAGES:
            tasks[f"multiemo/{domain}_sentence_{language}"] = multiemo_task(domain, language)
    tasks["multiemo/medicine_sentence_pt"][30:] = multiemo_task("medicine", "pt")[:2]

    def read():
        with tarfile.open(tmp_path / "package.tar.gz", "w:gz") as archive:
            for path, examples in tasks.items():
                data = json.dumps({"canary": "…", "examples": examples}).encode()
                member = tarfile.TarInfo(f"{real_bigbench.ROOT}/{path}/task.json")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        (tmp_path / "kept").mkdir()
        real_bigbench.read_package(tmp_path / "package.tar.gz", tmp_path / "kept")
        monkeypatch.setattr(real_bigbench, "cached", lambda *_: tmp_path / "kept")
        return tmp_path / "kept"

    return tasks, read


def test_each_task_of_the_package_is_read_as_its_table_says(package):
    package[1]()
    for name, expected in READ.items():
        rows = real_bigbench.rows(name)
        assert rows == expected, name
        assert {*REAL_TASKS[name].columns, "label"} <= set(rows[0])
        assert {row["label"] for row in rows} <= set(range(len(REAL_TASKS[name].classes)))


def test_reviews_are_the_same_in_every_language_and_fit_in_all(package):
    package[1]()
    for domain, n in (("hotels", 40), ("medicine", 30), ("products", 40)):
        left_out = {3, 4, 6, 7, *({12} if domain == "hotels" else ())}
        kept = [i for i in range(n) if i % 3 < 2 and i not in left_out]
        for language in multiemo.LANGUAGES:
            rows = real_bigbench.rows(domain, language)
            assert [row["text"] for row in rows] == [review(domain, language, i) for i in kept]
            assert [row["key"] for row in rows] == [review(domain, "pl", i) for i in kept]
            assert [row["label"] for row in rows] == [1 - i % 3 for i in kept]


def test_the_domain_task_has_as_many_reviews_of_each(package):
    package[1]()
    rows = real_bigbench.rows("domain", "fr")
    assert set(Counter(row["label"] for row in rows).values()) == {16}
    for row in rows:
        assert row["text"].startswith(multiemo.DOMAINS[row["label"]])


def test_languages_that_do_not_agree_are_refused(package):
    tasks, read = package
    del tasks["multiemo/products_sentence_nl"][1]
    with pytest.raises(ValueError, match="the products reviews of MultiEmo in 'nl' are not those"):
        read()


def test_a_package_that_lacks_a_task_is_refused(package):
    tasks, read = package
    del tasks["social_iqa"]
    with pytest.raises(ValueError, match="does not hold social-iqa; fetch it again"):
        read()
