"""Tasks of BIG-bench, from its source package: what is kept of it, and how it becomes rows.

The package (bigbench 1.0.0, Apache-2.0, 358 MB) is read once as a stream; a few MB of it are kept
in the cache as parquet files and the rest is removed. BIG-bench's canary asks that its data never
enter a training corpus. Taught in chapter 14.
"""

import json
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from svdicl_lite.models.cache import cached
from svdicl_lite.models.packages import BIGBENCH, fetch
from svdicl_lite.tasks import multiemo

FOLDER = "bigbench-1.0.0-1"  # the number grows when what is kept changes
MEGABYTES = 2500  # at its largest: the package, and what pip unpacks to look into it
ROOT = "bigbench-1.0.0/bigbench/benchmark_tasks"
FILES = {
    "vitaminc": "vitaminc_fact_verification",
    "presuppositions": "presuppositions_as_nli",
    "implicatures": "implicatures",
    "epistemic": "epistemic_reasoning",
    "intents": "intent_recognition",
    "social-iqa": "social_iqa",
    "cause-and-effect": "cause_and_effect/two_sentences",
}
MULTILINGUAL = (*multiemo.DOMAINS, "domain")


def rows(name: str, language: str = "en") -> list[dict]:
    """The rows of one of the tasks, fetched the first time; `language` is of the multilingual
    alone.
    """
    if name in MULTILINGUAL and language not in multiemo.LANGUAGES:
        raise ValueError(
            f"task {name!r} is not there in the language {language!r}; it is in"
            f" {', '.join(multiemo.LANGUAGES)}"
        )
    folder = cached(FOLDER, _make, MEGABYTES)
    if name in MULTILINGUAL:
        return multiemo.rows(folder, name, language)
    return list(READ[name](_kept(folder / f"{name}.parquet")))


def vitaminc(examples: list[dict]) -> Iterator[dict]:
    """Claims on a passage; what a passage neither says nor denies does not follow from it, as in
    RTE.
    """
    for example in examples:
        passage, claim = _plain(example["input"]).split(" Claim: ")
        yield {
            "premise": passage,
            "hypothesis": claim.rstrip(" ."),
            "label": int(example["answer"] != "True"),
            "page": passage.partition(":")[0],
        }


def presuppositions(examples: list[dict]) -> Iterator[dict]:
    """Two sentences, of which the first presupposes the second, its contrary, or neither."""
    for example in examples:
        text = _plain(example["input"]).removesuffix("The answer is:")
        premise, hypothesis = text.removeprefix("Sentence 1: ").split(" Sentence 2: ")
        yield {
            "premise": premise,
            "hypothesis": hypothesis.rstrip(" ."),
            "label": ("entailment", "contradiction", "neutral").index(example["answer"]),
        }


def implicatures(examples: list[dict]) -> Iterator[dict]:
    """A question and an answer that means yes or no without saying so."""
    for example in examples:
        yield {"text": _plain(example["input"]), "label": ("no", "yes").index(example["answer"])}


def epistemic(examples: list[dict]) -> Iterator[dict]:
    """Who knows, thinks or sees what, and whether something follows from that."""
    for example in examples:
        text = _plain(example["input"]).removeprefix("Premise: ")
        premise, hypothesis = text.split(" Hypothesis: ")
        yield {
            "premise": premise,
            "hypothesis": hypothesis.rstrip(" ."),
            "label": ("entailment", "non-entailment").index(example["answer"]),
        }


def intents(examples: list[dict]) -> Iterator[dict]:
    """What is asked of an assistant, in one of seven classes (sorted by name)."""
    names = sorted({example["answer"] for example in examples})
    for example in examples:
        text = _plain(example["input"]).removeprefix("Utterance: ")
        yield {"text": text, "label": names.index(example["answer"])}


def social_iqa(examples: list[dict]) -> Iterator[dict]:
    """A situation, a question and three answers; the four examples that lost one are left out."""
    for example in examples:
        if len(example["options"]) != 3:
            continue
        text = _plain(example["input"])
        # the question is the last sentence; the greedy first part takes all before it
        parts = re.fullmatch(r"(.*[.!?\"'”)]|.*?)\s*([^.!?]+\?)", text)
        if parts is None:
            raise ValueError(f"an example of Social IQa ends in no question: {text[:60]!r}")
        premise, question = parts.groups()
        options = {f"choice{i}": _plain(option) for i, option in enumerate(example["options"], 1)}
        label = example["options"].index(example["answer"])
        yield {"premise": premise, "question": question, **options, "label": label}


def cause_and_effect(examples: list[dict]) -> Iterator[dict]:
    """Two events, of which one caused the other. The package always names the cause first; here
    every second cause comes second.
    """
    for number, example in enumerate(examples):
        label = number % 2
        first, second = reversed(example["options"]) if label else example["options"]
        yield {
            "premise": f"{first} {second}",
            "question": "Which event caused the other?",
            "choice1": first,
            "choice2": second,
            "label": label,
        }


READ = {
    "vitaminc": vitaminc,
    "presuppositions": presuppositions,
    "implicatures": implicatures,
    "epistemic": epistemic,
    "intents": intents,
    "social-iqa": social_iqa,
    "cause-and-effect": cause_and_effect,
}


def read_package(file: Path, folder: Path) -> None:
    """Keeps what is needed of the package `file` as parquet files in `folder`.

    The archive is read from beginning to end and nothing of it is written but the rows. Raises
    ValueError if one of the tasks is not in it.
    """
    wanted = {f"{ROOT}/{path}/task.json": name for name, path in FILES.items()}
    wanted |= {f"{ROOT}/multiemo/{path}/task.json": path for path in multiemo.files()}
    texts = {}
    with tarfile.open(file, "r|gz") as archive:
        members = (member for member in archive if member.name in wanted)
        bar = tqdm(members, "reading bigbench", total=len(wanted), unit="file", disable=None)
        for member in bar:
            opened = archive.extractfile(member)
            if opened is None:
                raise ValueError(f"{member.name} is no file in the package of BIG-bench")
            found = [_example(example) for example in json.load(opened)["examples"]]
            name = wanted[member.name]
            if name in FILES:
                _keep(found, folder / f"{name}.parquet")
            else:
                texts[name] = [(example["input"], example["answer"]) for example in found]
    missing = {*multiemo.files()} - {*texts}
    missing |= {name for name in FILES if not (folder / f"{name}.parquet").is_file()}
    if missing:
        raise ValueError(f"the package of BIG-bench does not hold {min(missing)}; fetch it again")
    multiemo.keep(texts, folder)


def _example(example: dict) -> dict:
    """Input, options and the best of them."""
    scores = example["target_scores"]
    answer = max(scores, key=scores.__getitem__)
    return {"input": example["input"], "options": list(scores), "answer": answer}


def _keep(examples: list[dict], file: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(examples), file, compression="zstd")


def _kept(file: Path) -> list[dict]:
    import pyarrow.parquet

    return pyarrow.parquet.read_table(file).to_pylist()


def _plain(text: str) -> str:
    """One line, with the brackets that tokenised corpora spell out."""
    return " ".join(text.replace("-LRB-", "(").replace("-RRB-", ")").split())


def _make(folder: Path) -> None:
    download = folder / "download"
    download.mkdir()
    read_package(fetch(BIGBENCH, download), folder)
    shutil.rmtree(download)
