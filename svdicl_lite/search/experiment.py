"""A search as a recipe, from which any process can make the same model and the same prompts.

What is here is names and numbers, so it can be sent to a worker, written into a journal, or typed
on a command line. Each process loads a model once, and again when its files have changed. Taught in
chapter 15.
"""

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import torch
import transformers

from svdicl_lite import __version__
from svdicl_lite.models.digest import weights_digest
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.digests import (
    config_digest,
    model_source,
    task_source,
    tokenizer_digest,
)
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.task import Task

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Experiment:
    """A model, a task, and how the one is judged on the other.

    `model` is what `load_model` takes, `task` what `load_task` takes. `device` "auto" is CUDA where
    there is one, else the CPU; `dtype` "auto" is bfloat16 on CUDA, else float32.
    """

    model: str
    task: str
    labels: str = "canonical"
    n_shots: int = 8
    seeds: tuple[int, ...] = (0,)  # of the demonstrations
    n_validation: int = 200
    n_test: int = 1000
    device: str = "auto"
    dtype: str = "auto"
    batch_size: int = 64
    drop_long: bool = False  # whether examples that the model has no positions for are left out

    def here(self) -> "Experiment":
        """The same with what "auto" means on this machine. Raises ValueError for a device or dtype
        that cannot be had.
        """
        device, dtype = placed(self.device, self.dtype)
        return replace(self, device=device, dtype=dtype)

    def load(self) -> tuple[Any, Any]:
        """(model, tokenizer), loaded once in each process, and again when the files change."""
        return loaded(self.model, self.device, self.dtype)

    def load_task(self) -> Task:
        """The task, loaded once in each process, and again when its files change."""
        return _task(self.task, self.labels, task_source(self.task))

    def evaluator(self, split: str) -> ICLEvaluator:
        """The evaluator of "validation" or "test", made once in each process, and again when the
        files of model or task change. Workers get its `experiment` with this machine's device and
        dtype.
        """
        here = self.here()
        made = _load(here.model, here.device, here.dtype, model_source(here.model))[2]
        source = task_source(here.task)
        if (here, split) not in made or made[here, split][0] != source:
            made[here, split] = source, _evaluator(here, split)
        return made[here, split][1]

    def identity(self) -> dict[str, Any]:
        """What a journal must agree on: the numbers, the digests of weights (a second for each GB),
        config, tokenizer and validation's prompts, and the versions of what computes.

        Not the names of model and task: the same weights and prompts may lie elsewhere tomorrow.
        Not `drop_long`, which shows in the prompts. Not `n_test`: nothing is chosen by test, so a
        sweep needs no test rows, and a search that follows it may have any number. What is judged
        on test stands in the journal under the digest of test's own prompts.
        """
        fields = asdict(self.here())
        for name in ("model", "task", "n_test", "drop_long"):
            del fields[name]
        model, tokenizer = self.load()
        return {
            **fields,
            "seeds": list(self.seeds),
            "weights": weights_digest(model),
            "config": config_digest(model),
            "tokenizer": tokenizer_digest(tokenizer),
            "prompts": self.evaluator("validation").digest,
            "svdicl_lite": __version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }


def digests(evaluator: ICLEvaluator) -> dict[str, str]:
    """What an evaluator judges, and on what. A tokenizer shows in the prompts' tokens."""
    return {
        "weights": weights_digest(evaluator.model),
        "config": config_digest(evaluator.model),
        "prompts": evaluator.digest,
    }


def evaluator_by(experiment: Experiment, split: str, wanted: dict[str, str]) -> ICLEvaluator:
    """The experiment's evaluator, for a worker whose caller's has the digests `wanted`.

    Raises ValueError if it judges another model or other prompts, as it would where the model's
    name or the task's means something else than it does to the caller.
    """
    evaluator = experiment.evaluator(split)
    if digests(evaluator) != wanted:  # the hub, say, has another by now
        _load.cache_clear()
        _task.cache_clear()
        evaluator = experiment.evaluator(split)
    found = digests(evaluator)
    differ = [name for name in wanted if found[name] != wanted[name]]
    if differ:
        raise ValueError(
            f"a worker's {' and '.join(differ)} are not the caller's, though model"
            f" {experiment.model!r} and task {experiment.task!r} have the same names there; give"
            " both the same files, and leave the model as its files have it"
        )
    return evaluator


def placed(device: str = "auto", dtype: str = "auto") -> tuple[str, str]:
    """Device and dtype as this machine has them. Raises ValueError if it has not."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if dtype == "auto":
        dtype = "bfloat16" if device.startswith("cuda") else "float32"
    if dtype not in DTYPES:
        raise ValueError(f"dtype is {dtype!r}, but must be one of auto, {', '.join(DTYPES)}")
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:  # which one depends on how torch was built
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device is {device!r}, which cannot be used here ({reason}); take cpu, or auto"
        ) from None
    if dtype == "float16" and device.startswith("cpu"):
        raise ValueError(
            "dtype is 'float16', which a CPU has no fast arithmetic for; take float32 or bfloat16,"
            " or a CUDA device"
        )
    return device, dtype


def loaded(model: str, device: str = "auto", dtype: str = "auto") -> tuple[Any, Any]:
    """(model, tokenizer) of this name on this device, in this dtype; the last one is kept."""
    return _load(model, *placed(device, dtype), model_source(model))[:2]


Made = dict[tuple[Experiment, str], tuple[tuple[str, ...], ICLEvaluator]]
"""(experiment, split) → what its task was made from, and its evaluator."""


@lru_cache(maxsize=1)
def _load(model: str, device: str, dtype: str, source: tuple[str, ...]) -> tuple[Any, Any, Made]:
    kept, tokenizer = load_model(model, device)
    # Not `kept.to(…)`, which would round the frequencies of rotary positions too.
    for parameter in kept.parameters():
        parameter.data = parameter.data.to(DTYPES[dtype])
    return kept, tokenizer, {}  # its evaluators, which go when it goes


@lru_cache(maxsize=2)  # that which is clipped for, and a guard's
def _task(task: str, labels: str, source: tuple[str, ...]) -> Task:
    return load_task(task, labels)


def _evaluator(experiment: Experiment, split: str) -> ICLEvaluator:
    model, tokenizer = experiment.load()
    n = {"validation": experiment.n_validation, "test": experiment.n_test}[split]
    evaluator = ICLEvaluator(
        model,
        tokenizer,
        experiment.load_task(),
        split,
        n,
        experiment.n_shots,
        experiment.seeds,
        experiment.batch_size,
        experiment.drop_long,
    )
    evaluator.experiment = experiment
    return evaluator
