"""The whole method in one call: a model, a task, and what Algorithm 1 finds for them.

Taught in chapter 08.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.algorithm1 import search_clip_rate
from svdicl_lite.search.experiment import loaded
from svdicl_lite.search.results import SearchResult
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.task import Task

N_VALIDATION = 400
N_TEST = 1000
N_SETS = 12
"""Examples to choose by and to judge by, and the sets of demonstrations before them. An
interval over twelve holds the truth in 93 % or more, over four in 89 % (`stats`).
"""
MOST_SETS = 100_000


def find_clip(
    model: Any,
    task: str | Task,
    labels: str | None = None,
    *,
    tokenizer: Any = None,
    module: str = "mlp",
    layer: int | str | None = None,
    clip_rates: Iterable[float] = CLIP_RATES,
    method: str = "svd",
    n_shots: int = 8,
    n_sets: int = N_SETS,
    seed: int = 0,
    n_validation: int | None = None,
    n_test: int | None = None,
    device: str = "auto",
    choose_by: str = "accuracy",
    drop_long: bool = False,
) -> SearchResult:
    """Algorithm 1 by names: `find_clip("icl-gpt2-noisy", "sentiment", labels="flipped")`.

    `model` is what `load_model` takes, or a model with its `tokenizer`; `task` what `load_task`
    takes, or a `Task`; `labels` None the task's own. `module`, `layer` (None: by condition number;
    "random"), `clip_rates`, `method` and `choose_by` are those of `search_clip_rate`, `drop_long`
    is `ICLEvaluator`'s. The examples are dealt out to `n_sets` sets of `n_shots` demonstrations;
    another `seed` draws others. 400 examples choose and 1,000 judge, or as many as there are; a
    number of your own must be there. `device` is where a model given by name is put.

    The result prints itself. Raises what `load_model`, `load_task`, `ICLEvaluator` and
    `search_clip_rate` raise, and ValueError for a model without its tokenizer.
    """
    model, tokenizer = _model_of(model, tokenizer, device)
    task = _task_of(task, labels)
    how: Any = {"n_shots": n_shots, "seeds": sets_of(seed, n_sets), "drop_long": drop_long}

    def evaluator(split: str, n: int) -> ICLEvaluator:
        return ICLEvaluator(model, tokenizer, task, split, n, **how)

    return search_clip_rate(
        model,
        evaluator("validation", n_of(task, "validation", n_validation, N_VALIDATION)),
        evaluator("test", n_of(task, "test", n_test, N_TEST)),
        module,
        layer,
        clip_rates=clip_rates,
        method=method,
        seed=seed,
        choose_by=choose_by,
    )


def sets_of(seed: int, n_sets: int) -> Sequence[int]:
    """The seeds of `n_sets` sets of demonstrations; those of another `seed` are others."""
    if n_sets < 1:
        raise ValueError(f"sets is {n_sets}, but must be 1 or more")
    if n_sets > MOST_SETS:  # each takes an example at least, and a number in memory before that
        raise ValueError(f"sets is {n_sets}, but must be {MOST_SETS:,} or fewer")
    return tuple(range(seed * n_sets, (seed + 1) * n_sets))


def n_of(task: Task, split: str, asked: int | None, default: int) -> int:
    """How many examples of the split to take: those asked for, or the default or all there are."""
    return min(default, len(task.splits[split])) if asked is None else asked


def _model_of(model: Any, tokenizer: Any, device: str) -> tuple[Any, Any]:
    if isinstance(model, str):
        if tokenizer is not None:
            raise ValueError(
                f"model is the name {model!r}, which has a tokenizer of its own; leave tokenizer"
                " out, or give the model itself"
            )
        return loaded(model, device)
    if tokenizer is None:
        raise ValueError(
            f"a {type(model).__name__} came without its tokenizer; say tokenizer=…, or give the"
            " model's name"
        )
    return model, tokenizer


def _task_of(task: str | Task, labels: str | None) -> Task:
    if isinstance(task, str):
        return load_task(task, labels or "canonical")
    return task if labels is None else replace(task, label_setting=labels)
