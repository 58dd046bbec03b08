"""The one training loop of all shipped models, and what else their recipes share: careful loading
and the card.

Every recipe brings its own world, its loss and its way of judging. `fit` trains: a run of steps
with AdamW (`descend`), and every so many steps a row of the training curve (`Curve`). Taught in
chapter 03.
"""

import json
import math
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from tqdm import tqdm
from transformers import GPT2Config, GPT2Model

M = TypeVar("M", bound=nn.Module)
WARM_UP = 100  # steps over which the learning rate rises


def config(layers: int, width: int, heads: int, positions: int, vocab_size: int = 1) -> GPT2Config:
    """A GPT-2 without dropout; one word is enough for a model that is fed vectors."""
    return GPT2Config(
        vocab_size=vocab_size,
        n_positions=positions,
        n_embd=width,
        n_layer=layers,
        n_head=heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        initializer_range=0.06,
        bos_token_id=None,
        eos_token_id=None,
        use_cache=False,
        activation_function="gelu_pytorch_tanh",  # GPT-2's own, in one kernel
    )


def device() -> str:
    """Where to train."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@torch.no_grad()
def sinusoids_(transformer: GPT2Model) -> None:
    """Starts the position embeddings as sinusoids (Vaswani et al. 2017): neighbours need not be
    found out first.
    """
    weight = transformer.wpe.weight
    positions, width = weight.shape
    angle = torch.arange(positions)[:, None] * torch.exp(
        -math.log(10_000) * torch.arange(0, width, 2) / width
    )
    weight[:, 0::2] = 0.06 * torch.sin(angle)
    weight[:, 1::2] = 0.06 * torch.cos(angle)


class Rated(Protocol):
    """Steps with a learning rate: a phase, or a recipe that is one phase."""

    @property
    def steps(self) -> int: ...  # noqa: D102

    @property
    def learning_rate(self) -> float: ...  # noqa: D102

    @property
    def cool_down(self) -> float: ...  # noqa: D102


def rates(phases: Iterable[Rated]) -> list[float]:
    """The learning rate of each step of phases that follow each other.

    It rises over the first `WARM_UP` steps of all, and falls to zero over the last `cool_down`
    share of each phase.
    """
    found: list[float] = []
    for phase in phases:
        for i in range(phase.steps):
            left = (phase.steps - i) / phase.steps
            cool = min(1.0, left / phase.cool_down) if phase.cool_down else 1.0
            found.append(phase.learning_rate * cool * min(1.0, (len(found) + 1) / WARM_UP))
    return found


class Stage(NamedTuple):
    """A part of a training that has an optimiser of its own."""

    loss: Callable[[int], tuple[Tensor, Tensor]]
    """Of step 1, 2, …: what is minimised, and what the curve shows."""
    rates: list[float]  # the learning rate of each step


def descend(
    model: nn.Module, stage: Stage, after: Callable[[int, float], None] | None = None
) -> None:
    """Trains `model` in place with AdamW, one step for each learning rate of the stage.

    `after(step, loss)` is called after each step. The model ends in evaluation mode.
    """
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=0.01, betas=(0.9, 0.98))
    model.train()
    for step, rate in enumerate(tqdm(stage.rates, unit="step", disable=None), start=1):
        for group in optimiser.param_groups:
            group["lr"] = rate
        minimised, shown = stage.loss(step)
        optimiser.zero_grad()
        minimised.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if after:
            after(step, shown.item())
    model.eval()


class Curve:
    """The rows of a training curve: step, mean loss since the last row, and what `probe()` says.

    There is one every `every` steps and one at the end. The model is in evaluation mode while it is
    judged, and in training mode again afterwards.
    """

    def __init__(
        self,
        model: nn.Module,
        n_steps: int,
        probe: Callable[[], dict],
        every: int,
        column: str = "loss",
    ):
        self.model, self.n_steps, self.probe = model, n_steps, probe
        self.every, self.column = every, column
        self.rows: list[dict] = []
        self._step = 0
        self._losses: list[float] = []

    def add(self, loss: float) -> None:
        """Takes the loss of the next step."""
        self._step += 1
        self._losses.append(loss)
        if self._step % self.every and self._step < self.n_steps:
            return
        self.model.eval()
        mean = round(sum(self._losses) / len(self._losses), 4)
        self.rows.append({"step": self._step, self.column: mean, **self.probe()})
        tqdm.write(str(self.rows[-1]), file=sys.stderr)
        self._losses = []
        self.model.train()


def fit(
    model: nn.Module,
    stages: list[Stage],
    probe: Callable[[], dict],
    every: int,
    column: str = "loss",
    keep: Callable[[int], None] | None = None,
) -> dict:
    """Trains `model` in place, stage after stage; returns what the card says of it.

    The curve has a row every `every` steps, counted over all stages, with the loss as `column`.
    `keep(step)` is called after each step.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    curve = Curve(model, sum(len(stage.rates) for stage in stages), probe, every, column)

    def after(step: int, loss: float) -> None:
        if keep:
            keep(step)
        curve.add(loss)

    for stage in stages:
        descend(model, stage, after)
    return {
        "device": next(model.parameters()).device.type,
        "threads": torch.get_num_threads(),
        "seconds": round(time.perf_counter() - wall),
        "cpu_seconds": round(time.process_time() - cpu),
        "torch": version("torch"),
        "transformers": version("transformers"),
        "curve": curve.rows,
    }


def moved(model: M, where: str) -> M:
    """`model` itself, moved to a device."""
    nn.Module.to(model, where)  # transformers' own `to` says too little of its types
    return model


def restore(model: M, path: Path) -> M:
    """Fills `model` from a safetensors file; in evaluation mode. Raises ValueError, one sentence,
    unless every weight is there.
    """
    try:
        model.load_state_dict(load_file(path))
    except Exception as error:
        # of many missing weights torch names one a line
        said = " ".join(" ".join(str(error).strip().splitlines()[:2]).split())[:160]
        raise ValueError(
            f"the checkpoint {path} is damaged or incomplete ({type(error).__name__}: {said});"
            " fetch or train it again"
        ) from error
    return model.eval()


def write_card(folder: Path, parameters: int, recipe: Any, made: dict, **measured) -> None:
    """Writes card.json, which `model_card` reads: the model's name, which is the folder's, the
    recipe, what `fit` said of the training, and what was measured afterwards.
    """
    card = {"name": folder.name, "parameters": parameters, "recipe": asdict(recipe)}
    (folder / "card.json").write_text(json.dumps({**card, **made, **measured}, indent=1) + "\n")
