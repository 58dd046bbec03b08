"""The rule of block influence: the layer that changes the residual stream least.

BI_l = 1 − E cos(x_l, x_{l+1}), the mean over all tokens of some prompts, where x_l goes into block
l and x_{l+1} comes out of it (Men et al. 2024, ShortGPT, equation 1). A block of low influence is
thought to be superfluous. It needs prompts, but no labels. Taught in chapter 08.
"""

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from svdicl_lite.clipping.matrices import blocks
from svdicl_lite.scoring.prompts import Tokens
from svdicl_lite.scoring.rotary import as_never_read
from svdicl_lite.search.rules.question import Question, Rule, same_for_all_modules
from svdicl_lite.search.rules.sample import sample


@torch.inference_mode()
def block_influence(model: nn.Module, sequences: list[Tokens]) -> np.ndarray:
    """(layers,) BI of each block, from 0 (passes on what it gets) to 2, over all tokens of the
    `sequences`, each read by itself.
    """
    stacked = blocks(model)
    sums = np.zeros(len(stacked))
    handles = [
        block.register_forward_hook(_adding(sums, number), with_kwargs=True)
        for number, block in enumerate(stacked)
    ]
    device = next(model.parameters()).device
    try:
        for tokens in sequences:
            as_never_read(model)
            model(torch.tensor([tokens], device=device))
    finally:
        for handle in handles:
            handle.remove()
    influence: np.ndarray = 1 - sums / sum(map(len, sequences))
    return influence


def _adding(sums: np.ndarray, number: int) -> Any:
    """A hook that adds the cosines of a block's input and output, over all tokens, to its sum."""

    def add(block: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        before: Tensor = args[0] if args else kwargs["hidden_states"]  # (1, T, d)
        after: Tensor = output[0] if isinstance(output, tuple) else output
        pair = before.flatten(0, -2).double(), after.flatten(0, -2).double()
        sums[number] += nn.functional.cosine_similarity(*pair, dim=-1).sum().item()

    return add


def scores(question: Question) -> pd.DataFrame:
    """The negative influence of each block on up to 100 validation prompts; the same for all
    modules.
    """
    validation = question.evaluator("block-influence", "prompts to read")
    contexts = [context for prompts in sample(validation) for context in prompts.contexts]
    return same_for_all_modules(question, -block_influence(question.model, contexts))


RULE = Rule(scores, "prompts", "the block that changes its input least (ShortGPT)")
