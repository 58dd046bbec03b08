"""What two programs wrote of the same examples, read back: a folder of `svdicl … --out`, or a file
of `lm_eval --log_samples`. Taught in chapter 15.
"""

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from operator import index
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from svdicl_lite.scoring.evaluation import Evaluation

METRICS = ("acc", "exact_match")
"""Of lm-evaluation-harness: which of a sample's metrics says whether it is right, the first that is
there."""
DAMAGED = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)
"""What reading a file may end in that no program has written as it is."""
PAIRED_BY = ("task", "seeds")
"""What two of our experiments must share for their examples to be the same."""


@dataclass(frozen=True)
class Judged:
    """What one side answered, example by example."""

    source: str
    keys: list[Hashable]  # (N,) which example it is
    correct: NDArray[np.bool_]  # (N,)
    evaluation: Evaluation | None  # where there are scores
    facts: dict[str, Any] = field(default_factory=dict)  # how it was done
    digest: str | None = None  # of the texts, where it is known


def read_judged(path: str | Path, metric: str | None = None) -> Judged:
    """What is at `path`: a folder of ours, of which the test of what the search chose is taken, or
    a .jsonl of lm-evaluation-harness, of which `metric` is.

    Raises FileNotFoundError if nothing is there, ValueError if it is neither, or damaged.
    """
    path = Path(path)
    if path.is_dir():
        return _ours(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no folder and no file {str(path)!r}")
    if path.suffix.lower() != ".jsonl":
        raise ValueError(
            f"{path.name} is neither a folder that --out made nor a .jsonl of lm_eval --log_samples"
        )
    return _of_harness(path, metric)


def _ours(folder: Path) -> Judged:
    result, table = folder / "result.json", folder / "outcomes.csv"
    if not result.is_file() or not table.is_file():
        raise ValueError(
            f"{folder} holds no result.json and outcomes.csv; name a folder that svdicl search or"
            " svdicl greedy wrote by --out"
        )
    try:
        said = json.loads(result.read_text(encoding="utf-8"))
        experiment = dict(said["experiment"])
        test, state = _tested(pd.read_csv(table))
    except DAMAGED as error:
        reason = f"{type(error).__name__}: {str(error)[:120]}"
        raise ValueError(f"{folder} is damaged ({reason}); run its command again") from None
    if not len(test) or state is None:
        raise ValueError(
            f"{folder} is of svdicl {said.get('command')}, which judges nothing on test; name a"
            " folder of search or greedy"
        )
    # The last state is what was chosen; where that is no clip, it is the only one.
    chosen = said.get("clip_rate") if state == "clip_rate" else test[state].max()
    rows = test[test[state] == chosen].sort_values("example")
    if not len(rows):
        raise ValueError(
            f"{table} has no row of the clip rate that {result.name} names, {chosen!r}; one of them"
            " was changed"
        )
    scores = rows[[name for name in rows if name.startswith("score_")]].to_numpy(np.float32)
    evaluation = Evaluation(scores, rows["label"].to_numpy(), rows["demonstration_set"].to_numpy())
    if not (evaluation.correct == rows["correct"].to_numpy(bool)).all():
        raise ValueError(f"{table} says correct where its scores do not; it was changed")
    examples = experiment.pop("examples", None)  # a digest of each split's; older ones have none
    digest = examples.get("test") if isinstance(examples, dict) else None
    facts = {**experiment, **{name: said.get(name) for name in ("layer", "module", "clip_rate")}}
    keys: list[Hashable] = list(zip(rows["example"], rows["demonstration_set"], rows["label"]))
    return Judged(str(folder), keys, evaluation.correct, evaluation, facts, digest)


def _tested(rows: pd.DataFrame) -> tuple[pd.DataFrame, str | None]:
    """The rows of test, and the column that says what was done to the model, if one does.

    Raises KeyError for a column that is not there, ValueError for a value of no use.
    """
    test = rows[rows["judge"] == "test"]
    state = next((name for name in ("clip_rate", "clips", "after") if name in test), None)
    if not len(test) or state is None:
        return test, None
    scores = test[[name for name in test if name.startswith("score_")]].to_numpy(np.float64)
    if scores.shape[1] < 2 or not np.isfinite(scores).all():
        raise ValueError("it has not two scores or more, all of them finite, in each row")
    for name, end in (("label", scores.shape[1]), ("demonstration_set", None), ("example", None)):
        values = test[name].to_numpy(np.float64)
        whole = (values == np.floor(values)) & (values >= 0)
        if not whole.all() or (end is not None and values.max() >= end):
            raise ValueError(f"{name} is not a number of one in each row")
    return test.astype({"label": int, "demonstration_set": int, "example": int}), state


def _of_harness(file: Path, metric: str | None) -> Judged:
    samples = _samples(file)
    name = _metric(file, samples, metric)
    if not all(_is_0_or_1(sample[name]) for sample in samples):
        raise ValueError(
            f"{name!r} in {file.name} is not 0 or 1 for every sample, so no answer is right or"
            " wrong; say another --metric"
        )
    correct = np.array([sample[name] == 1 for sample in samples])
    keys: list[Hashable] = [(sample["doc_id"], sample.get("doc_hash")) for sample in samples]
    evaluation = _scored(samples)
    if evaluation is not None and not (evaluation.correct == correct).all():
        evaluation = None  # the metric is not of these scores, as acc_norm is not
    facts = {"metric": name, "filter": samples[0].get("filter")}
    return Judged(str(file), keys, correct, evaluation, facts)


def _samples(file: Path) -> list[dict[str, Any]]:
    """The samples of the file's first filter, in the order of their documents."""
    samples = []
    for number, line in enumerate(file.read_bytes().split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            sample = json.loads(line)
            index(sample["doc_id"])
        except DAMAGED:
            raise ValueError(
                f"{file.name}, line {number}, is no sample of lm_eval --log_samples, which has"
                " a number as its doc_id"
            ) from None
        samples.append(sample)
    if not samples:
        raise ValueError(f"{file.name} is empty")
    samples = [sample for sample in samples if sample.get("filter") == samples[0].get("filter")]
    samples.sort(key=lambda sample: sample["doc_id"])
    ids = [sample["doc_id"] for sample in samples]
    if len(set(ids)) < len(ids):
        raise ValueError(
            f"{file.name} has document {max(ids, key=ids.count)!r} more than once; lm_eval appends"
            " to a file that is there, so keep the lines of one run"
        )
    return samples


def _is_0_or_1(value: Any) -> bool:
    return isinstance(value, bool | int | float) and value in (0, 1)


def _metric(file: Path, samples: Sequence[dict[str, Any]], asked: str | None) -> str:
    names = [asked] if asked else METRICS
    for name in names:
        if all(name in sample for sample in samples):
            return name
    known = [name for name, value in samples[0].items() if _is_0_or_1(value) and name != "doc_id"]
    raise ValueError(
        f"the samples of {file.name} have no {' or '.join(names)}; say one of theirs by --metric"
        f" ({', '.join(known) or 'none is 0 or 1'})"
    )


def _scored(samples: Sequence[dict[str, Any]]) -> Evaluation | None:
    """The log-likelihoods of options, if every sample has as many and says which is right."""
    try:
        scores = np.array(
            [[float(answer[0]) for answer in sample["filtered_resps"]] for sample in samples]
        )
        labels = np.array([int(sample["target"]) for sample in samples])
    except (ValueError, KeyError, TypeError, IndexError):  # of several lengths, or of texts
        return None
    if scores.ndim != 2 or scores.shape[1] < 2 or not np.isfinite(scores).all():
        return None
    if labels.min() < 0 or labels.max() >= scores.shape[1]:
        return None
    return Evaluation(scores, labels)
