"""Scores that are no numbers: where they became so. Taught in chapter 15."""

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from svdicl_lite.clipping.matrices import blocks
from svdicl_lite.scoring.prompts import Prompts
from svdicl_lite.scoring.tokens import Tokens


def check_scores(
    model: PreTrainedModel, groups: Sequence[Prompts], scores: NDArray[np.float32]
) -> None:
    """Raises ValueError if a score (N, C) is NaN or infinite, which no answer can be read from: it
    names the first such prompt and the layer in which it begins.
    """
    bad = np.asarray(~np.isfinite(scores).all(1))
    if bad.any():
        contexts = [context for prompts in groups for context in prompts.contexts]
        first = int(bad.argmax())
        _refuse(model, contexts[first], first, int(bad.sum()), len(bad))


def _refuse(model: PreTrainedModel, context: Tokens, first: int, n_bad: int, n: int) -> NoReturn:
    dtype = str(model.dtype).removeprefix("torch.")
    raise ValueError(
        f"the scores of {n_bad:,} of {n:,} prompts are NaN or infinite, first those of prompt"
        f" {first} (from 0), where they begin in {begin_of(model, context)}; {_why(model, dtype)}"
    )


def _why(model: PreTrainedModel, dtype: str) -> str:
    """The likely cause, and a way out."""
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            return f"the weights {name} hold such numbers; fetch or train the checkpoint again"
    if dtype == "float32":
        return "the weights are finite, but too large for float32; take another checkpoint"
    return f"{dtype} is likely too coarse or too narrow for this model; take --dtype float32"


@torch.inference_mode()
def begin_of(model: PreTrainedModel, context: Tokens) -> str:
    """Where, in one plain forward of the prompt, the first number appears that is none."""
    found: list[str] = []
    places: list[tuple[str, Any]] = [("the embeddings", model.get_input_embeddings())]
    places += [(f"layer {number}", block) for number, block in enumerate(blocks(model))]
    places.append(("the output head", model.get_output_embeddings()))
    handles = [module.register_forward_hook(_noting(name, found)) for name, module in places]
    try:
        model(torch.tensor([context], device=model.device))
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else "no layer of a plain forward (they were read from a journal?)"


def _noting(name: str, found: list[str]) -> Any:
    def note(module: nn.Module, args: Any, output: Any) -> None:
        first = output[0] if isinstance(output, tuple) else output
        if isinstance(first, Tensor) and not torch.isfinite(first).all():
            found.append(name)

    return note
