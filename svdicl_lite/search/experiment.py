"""A search as a recipe, from which any process can make the same model and the same prompts.

What is here is names and numbers, so it can be sent to a worker, written into a journal, or typed
on a command line. Each process loads a model once. Taught in chapter 13.
"""

import hashlib
from dataclasses import asdict, dataclass, replace
from functools import lru_cache

import torch

from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.tasks.loading import load_task

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

    def here(self) -> "Experiment":
        """The same with what "auto" means on this machine. Raises ValueError for a device or dtype
        that cannot be had.
        """
        device, dtype = placed(self.device, self.dtype)
        return replace(self, device=device, dtype=dtype)

    def load(self):
        """(model, tokenizer), loaded once in each process."""
        return _load(self.model, *placed(self.device, self.dtype))[:2]

    def evaluator(self, split: str) -> ICLEvaluator:
        """The evaluator of "validation" or "test", made once in each process. Workers get its
        `experiment` with this machine's device and dtype.
        """
        here = self.here()
        made = _load(here.model, here.device, here.dtype)[2]
        if (here, split) not in made:
            made[here, split] = _evaluator(here, split)
        return made[here, split]

    def identity(self) -> dict:
        """What a journal must agree on: every field, and a digest of the weights (a second for each
        GB) and of validation's prompts.

        Not `n_test`: nothing is chosen by test, so a sweep needs no test rows, and a search that
        follows it may have any number. What is judged on test stands in the journal under the
        digest of test's own prompts.
        """
        digest = hashlib.sha256()
        for name, tensor in self.load()[0].state_dict().items():
            digest.update(f"{name} {tuple(tensor.shape)}".encode())
            digest.update(
                tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
            )
        fields = {name: value for name, value in asdict(self.here()).items() if name != "n_test"}
        return {
            **fields,
            "seeds": list(self.seeds),
            "weights": digest.hexdigest()[:16],
            "prompts": self.evaluator("validation").digest,
        }


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
    except (
        RuntimeError,
        AssertionError,
    ) as error:  # which one, and how many lines long, depends on how torch was built
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


@lru_cache(maxsize=1)
def _load(model: str, device: str, dtype: str):
    loaded, tokenizer = load_model(model, device)
    for parameter in (
        loaded.parameters()
    ):  # not `loaded.to(…)`, which would round the frequencies of rotary positions too
        parameter.data = parameter.data.to(DTYPES[dtype])
    return loaded, tokenizer, {}  # its evaluators, which go when it goes


def _evaluator(experiment: Experiment, split: str) -> ICLEvaluator:
    model, tokenizer = experiment.load()
    task = load_task(experiment.task, experiment.labels)
    n = {"validation": experiment.n_validation, "test": experiment.n_test}[split]
    evaluator = ICLEvaluator(
        model,
        tokenizer,
        task,
        split,
        n,
        experiment.n_shots,
        experiment.seeds,
        experiment.batch_size,
    )
    evaluator.experiment = experiment
    return evaluator
