"""The paper's seven data sets, with its prompts, label words and split sizes (appendix C.1), from
the Hugging Face hub (`paper_sets`).

What the released code of the paper gets wrong in its data and prompts, and what is done here
instead:

- CB's demonstrations quote the hypothesis and its queries word it otherwise, and the demonstrations
  answer `Mi` where ` Maybe` is scored. Here demonstration and query are one template, and what is
  shown is what is scored.
- RTE's and CB's prompts end in a space, and then ` Yes` is scored after it. Here the context ends
  without, and context and label are tokenised together (`prompts.encode`).
- CB, RTE and COPA show the first 5 of their 10 or 15 demonstrations, which are interleaved by
  class, so the classes are not balanced. Here all are shown, in random order.
- COPA averages raw logits over all positions and the vocabulary. Here: the option's tokens, and
  their log-likelihood (`prompts.encode`).
- EmoC calls the class `others` pos and happy, sad and angry neg. Here, as the paper says, happy is
  pos; all else is neg.
- AGNews is prompted with `sentiment`, not with the paper's `classification`.
- Texts stand in the demonstrations with the spaces at their ends, and in the queries without. Here
  without.
- Validation sets are balanced by class, test sets are not, so that for EmoC the rate is chosen on
  one distribution and judged on another. Here both are as the data are: EmoC is unbalanced in every
  split.
- Examples that occur twice can stand in the prompt, in validation and in test. Here a text stands
  once (`Task.dropped`).
- The accuracy of some tasks divides by n − 1. Here by n.

The paper's `<premise><question><choice>` (COPA) is written with spaces between, the released code's
being line ends, which here separate examples. Taught in chapter 03.
"""

import random
from collections import Counter
from pathlib import Path
from typing import Any

from svdicl_lite.tasks.paper_files import columns_of, fetch, read
from svdicl_lite.tasks.paper_sets import PAPER_TASKS, PaperTask
from svdicl_lite.tasks.task import Task, as_splits, check_classes
from svdicl_lite.tasks.texts import (
    Key,
    fault_of,
    in_random_order,
    key_of,
    reads_like_a_demonstration,
)


def load(
    name: str,
    label_setting: str = "canonical",
    seed: int = 0,
    paper_sizes: bool = False,
    source: str | Path | None = None,
) -> Task:
    """A data set of the paper as a `Task`.

    Test is the hub's last split with labels (GLUE and SuperGLUE hide those of SST-2, RTE, CB and
    COPA, whose test is therefore the hub's validation). Validation is the hub's where it is left
    over (MRPC), otherwise drawn from train by `seed`: a fifth of it, at most 2,000. The rest of
    train is train, from which demonstrations are drawn. A text that occurs twice stays once, in
    test rather than in validation rather than in train; `Task.dropped` counts the others, and those
    that a prompt cannot hold, by reason.

    With `paper_sizes`, validation and test have the paper's sizes as far as the data go (texts that
    occur twice are missing), and train keeps at least the paper's number of demonstrations,
    balanced by class; in CB and SST-2 hardly more, so that there seeds change their order, not
    their choice. SST-2's test is then drawn from train too, as in the paper: phrases, parts of the
    same reviews as validation and demonstrations, where the hub's validation is whole sentences of
    other reviews.

    `source` is a local folder that holds the repository's files,
    `source/sst2/train-00000-of-00001.parquet` for one; then no network is needed. Raises OSError if
    the hub cannot be reached, naming the offline twin, and ValueError for data with other columns
    or labels or too few rows.
    """
    paper = PAPER_TASKS[name]
    if paper.options and label_setting != "canonical":
        raise ValueError(
            f"task {name!r} chooses between options and has no label words, so label_setting cannot"
            f" be {label_setting!r}"
        )
    test_from = paper.paper_test_from if paper_sizes and paper.paper_test_from else paper.test_from
    columns = columns_of(paper)
    order = list(dict.fromkeys((test_from, paper.validation_from, "train")))
    rows, dropped = _distinct(name, paper, fetch(name, paper, source), order, columns)
    parts = _split(name, paper, rows, test_from, paper_sizes, seed)
    check_classes(name, paper.classes, parts)
    return Task(
        name,
        paper.template,
        paper.classes,
        paper.label_words,
        label_setting,
        as_splits(parts, columns, paper.classes),
        paper.options,
        dropped,
    )


def _distinct(
    name: str, paper: PaperTask, loaded: Any, order: list[str], columns: list[str]
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, int]]:
    """The hub's splits, each text once, in the first of them in `order`; and how many rows were
    left out, by reason.
    """
    seen: set[Key] = set()
    dropped: Counter[str] = Counter()
    rows: dict[str, list[dict[str, Any]]] = {}
    for split in order:
        if split not in loaded:
            raise ValueError(
                f"{name} has no split {split!r}, only {', '.join(loaded)}; it should hold the files"
                f" of {paper.repository}"
            )
        rows[split] = []
        for row in read(name, paper, split, loaded[split], columns):
            texts = [row[column] for column in columns]
            key = key_of(texts)
            if not all(texts):
                dropped["without a text"] += 1
            elif any(map(fault_of, texts)):
                dropped["with a control character"] += 1
            elif any(reads_like_a_demonstration(text, paper.template) for text in texts):
                dropped["that read like a demonstration"] += 1
            elif key in seen:
                dropped["met before"] += 1
            else:
                seen.add(key)
                rows[split].append(row)
    return rows, dict(dropped)


def _split(
    name: str,
    paper: PaperTask,
    rows: dict[str, list[dict[str, Any]]],
    test_from: str,
    paper_sizes: bool,
    seed: int,
) -> dict[str, list[Any]]:
    """Train, validation and test, in an order drawn by the seed. What the hub's train has to give
    is dealt out in that order, so that each part has all classes.
    """
    columns = columns_of(paper)
    pool = rows["train"]
    random.Random(f"{name} {seed}").shuffle(pool)
    kept, others = _shots_of(paper, pool)
    rest: list[Any] = in_random_order(others, columns, seed)
    n_validation = min(2000, len(pool) // 5)
    n_test = 0
    if paper_sizes:
        n_validation, n_test = paper.paper_sizes["validation"], paper.paper_sizes["test"]
    parts: dict[str, list[Any]] = {}
    for split, source, n in (
        ("validation", paper.validation_from, n_validation),
        ("test", test_from, n_test),
    ):
        if source == "train":
            parts[split], rest = rest[:n], rest[n:]
        else:
            parts[split] = in_random_order(rows[source], columns, seed)
    parts = {"train": kept + rest, **parts}
    empty = [split for split, part in parts.items() if not part]
    if empty:
        sizes = ", ".join(f"{split} {len(part):,}" for split, part in rows.items())
        raise ValueError(
            f"{name} has too few examples ({sizes}): none is left for {' and '.join(empty)}; is the"
            " copy whole?"
        )
    return parts


def _shots_of(
    paper: PaperTask, pool: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The first rows of each class, as many as the paper shows, and the others."""
    wanted = dict.fromkeys(range(len(paper.classes)), paper.n_shots // len(paper.classes))
    kept, rest = [], []
    for row in pool:
        if wanted[row["label"]] > 0:
            wanted[row["label"]] -= 1
            kept.append(row)
        else:
            rest.append(row)
    return kept, rest
