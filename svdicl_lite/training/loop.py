"""What the recipes of the shipped models share: an untrained GPT-2, the loop that trains it,
careful loading, the card.

`recall`, `linreg` and `tabular` each bring their own world and their own way of judging. Inside all
three is a `GPT2Model` called `transformer`, so that clipping finds the same matrices as in a
language model. The recipes that read text take single parts. Taught in chapter 03.
"""

import json
import math
import sys
import time
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from tqdm import tqdm
from transformers import GPT2Config, GPT2Model


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
    weight[:, 0::2], weight[:, 1::2] = 0.06 * torch.sin(angle), 0.06 * torch.cos(angle)


def fit(
    model: nn.Module,
    loss,
    steps: int,
    learning_rate: float,
    cool_down: float,
    probe,
    every: int,
    keep=None,
) -> dict:
    """Trains `model` in place with AdamW: `steps` steps on `loss(step)`, 1 the first; returns what
    the card says of it.

    The learning rate rises over 100 steps and falls to zero over the last `cool_down` share. Every
    `every` steps, and at the end, the curve gets a row: step, mean training loss since the last
    row, and what `probe()` says. `keep(step)` is called after each step.
    """
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, weight_decay=0.01, betas=(0.9, 0.98)
    )
    wall, cpu = time.perf_counter(), time.process_time()
    curve, losses = [], []
    model.train()
    for step in tqdm(range(1, steps + 1), unit="step", disable=None):
        left = (steps - step + 1) / steps
        for group in optimiser.param_groups:
            group["lr"] = (
                learning_rate
                * min(1.0, step / 100)
                * (min(1.0, left / cool_down) if cool_down else 1.0)
            )
        value = loss(step)
        optimiser.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(value.item())
        if keep:
            keep(step)
        if step % every == 0 or step == steps:
            model.eval()
            curve.append({"step": step, "loss": round(sum(losses) / len(losses), 4), **probe()})
            tqdm.write(str(curve[-1]), file=sys.stderr)
            losses = []
            model.train()
    model.eval()
    return {
        "device": next(model.parameters()).device.type,
        "threads": torch.get_num_threads(),
        "seconds": round(time.perf_counter() - wall),
        "cpu_seconds": round(time.process_time() - cpu),
        "torch": version("torch"),
        "transformers": version("transformers"),
        "curve": curve,
    }


def restore(model: nn.Module, path: Path) -> nn.Module:
    """Fills `model` from a safetensors file; in evaluation mode. Raises ValueError, one sentence,
    unless every weight is there.
    """
    try:
        model.load_state_dict(load_file(path))
    except Exception as error:
        said = " ".join(" ".join(str(error).strip().splitlines()[:2]).split())[
            :160
        ]  # of many missing weights torch names one a line
        raise ValueError(
            f"the checkpoint {path} is damaged or incomplete ({type(error).__name__}: {said});"
            " fetch or train it again"
        ) from error
    return model.eval()


def write_card(folder: Path, card: dict) -> None:
    """Writes card.json, which `model_card` reads."""
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n")
