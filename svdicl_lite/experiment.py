"""A search as a recipe, from which any process can make the same model and the same prompts.

What is here is names and numbers, so it can be sent to a worker, written into a journal, or typed on a command line. Each
process loads a model once. Taught in chapter 13.
"""

import hashlib
from dataclasses import asdict, dataclass
from functools import lru_cache

import torch

from svdicl_lite import tasks, zoo
from svdicl_lite.evaluate import ICLEvaluator

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Experiment:
    """A model, a task, and how the one is judged on the other.

    `model` is what `zoo.load` takes, `task` what `tasks.load` takes. `device` "auto" is CUDA where there is one, else the CPU; `dtype` "auto" is
    bfloat16 on CUDA, else float32.
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

    def load(self):
        """(model, tokenizer), loaded once in each process."""
        device = ("cuda" if torch.cuda.is_available() else "cpu") if self.device == "auto" else self.device
        dtype = ("bfloat16" if device.startswith("cuda") else "float32") if self.dtype == "auto" else self.dtype
        if dtype not in DTYPES:
            raise ValueError(f"dtype is {self.dtype!r}, but must be one of auto, {', '.join(DTYPES)}")
        if dtype == "float16" and device == "cpu":
            raise ValueError("dtype is 'float16', which a CPU has no fast arithmetic for; take float32 or bfloat16, or a CUDA device")
        return _load(self.model, device, dtype)

    def evaluator(self, split: str) -> ICLEvaluator:
        """The evaluator of "validation" or "test", made once in each process."""
        return _evaluator(self, split)

    def identity(self) -> dict:
        """What a journal must agree on: every field, and a digest of the weights and of every prompt."""
        digest = hashlib.sha256()
        for name, tensor in self.load()[0].state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
        prompts = hashlib.sha256(repr([self.evaluator(split).groups for split in ("validation", "test")]).encode())
        return {**asdict(self), "seeds": list(self.seeds), "weights": digest.hexdigest()[:16], "prompts": prompts.hexdigest()[:16]}


@lru_cache(maxsize=1)
def _load(model: str, device: str, dtype: str):
    loaded, tokenizer = zoo.load(model, device)
    return loaded.to(DTYPES[dtype]), tokenizer


@lru_cache(maxsize=4)
def _evaluator(experiment: Experiment, split: str) -> ICLEvaluator:
    model, tokenizer = experiment.load()
    task = tasks.load(experiment.task, experiment.labels)
    n = {"validation": experiment.n_validation, "test": experiment.n_test}[split]
    evaluator = ICLEvaluator(model, tokenizer, task, split, n, experiment.n_shots, experiment.seeds, experiment.batch_size)
    evaluator.experiment = experiment
    return evaluator
