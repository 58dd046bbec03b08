"""Compression that is real: a clipped matrix is stored, saved and multiplied as two thin ones.

A dense matrix of rank r has mn numbers still; its two factors have r(m + n), fewer once r < mn / (m
+ n). A factored model is saved by its own `save_pretrained` and loaded by `load_factored`:
`from_pretrained` would look for the layers that are gone. Taught in chapter 05.
"""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import transformers
from torch import Tensor, nn

from svdicl_lite.clipping.clip import Clip, ThinLinear, thin_layers
from svdicl_lite.clipping.matrices import Expert, Matrix
from svdicl_lite.clipping.methods import clip_by
from svdicl_lite.clipping.svd import SVD, check_clip_rate

KEY = "svd_factored"  # in the model's config: {name of the layer: rank}
FULL_RANK = ("scale", "magnitude")
"""The methods of which no low rank is left."""
ROUNDING = 1e-9
"""Singular values below this share of the largest are rounding, and far below float32's: a
truncated W S costs a few digits more when S⁻¹ undoes S."""


@torch.no_grad()
def factorize_(
    model: nn.Module,
    layer: int,
    module: str,
    clip_rate: float,
    expert: Expert = None,
    method: str = "svd",
    sequences: Sequence[Sequence[int]] = (),
    seed: int = 0,
) -> nn.Module:
    """Clips `module` of `layer` for good, in thin layers wherever they are smaller; returns the
    model, whose `config.svd_factored` names those layers, with their ranks.

    Parts of a fused parameter, single experts among them, and matrices of which too much is left
    are clipped as `clip_` does. `method`, `sequences` and `seed` are those of `clip_by`. Raises
    what that raises, and ValueError for a method of `FULL_RANK`.
    """
    if method in FULL_RANK:
        raise ValueError(
            f"method {method!r} leaves no low rank, which two thin matrices could hold; save its"
            " model whole, by svdicl clip without --factored or by clip_by(…).apply, or take a"
            " method that leaves one, such as 'svd'"
        )
    check_clip_rate(clip_rate)
    clip = clip_by(method, model, layer, module, expert, sequences, seed)
    thin = clip.thin(clip_rate) if method == "svd" else _thin(clip, clip_rate)
    clip.apply(clip_rate, skip=thin)
    config: Any = model.config
    ranks = dict(getattr(config, KEY, {}))
    for matrix, layers in thin.items():
        model.set_submodule(matrix.name, layers)
        ranks[matrix.name] = layers[0].out_features
    if ranks:
        setattr(config, KEY, ranks)
    return model


def _thin(clip: Clip, clip_rate: float) -> dict[Matrix, ThinLinear]:
    """What `Clip.thin` gives, by any method: the factors of the very matrices that the clip would
    write, each of the rank that it turns out to have.

    So the rows of the first factor are unit vectors, as truncation's are. Those of V_rᵀ S⁻¹ may be
    as small, and U_r Σ_r as large, as the inputs are large, which half precision cannot hold.
    """
    thin = {}
    for matrix, factors, rank in zip(clip.matrices, clip.factors, clip.ranks(clip_rate)):
        if not matrix.whole or clip_rate == 0:
            continue
        left = SVD.of(clip.how(factors, rank))
        kept = int((left.S[0] * ROUNDING < left.S).sum())
        m, n = matrix.weight.shape
        if kept * (m + n) < m * n:
            thin[matrix] = thin_layers(left, kept, clip.model.get_submodule(matrix.name))
    return thin


def load_factored(folder: str | Path, **kwargs: Any) -> nn.Module:
    """The model that `save_pretrained` wrote to `folder` after `factorize_`; any other model that
    `transformers` knows, too.

    `kwargs` go to `from_pretrained`. Raises ValueError if weights are missing in the folder.
    """
    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
    known: Any = getattr(transformers, (config.architectures or ["AutoModelForCausalLM"])[0])
    ranks = getattr(config, KEY, {})
    factored = _thin_from_the_start(known, ranks) if ranks else known
    model: nn.Module
    model, info = factored.from_pretrained(
        folder, trust_remote_code=False, output_loading_info=True, **kwargs
    )
    if info["missing_keys"]:
        raise ValueError(
            f"the checkpoint in {folder} is damaged or incomplete: it lacks"
            f" {', '.join(sorted(info['missing_keys']))}"
        )
    model.__class__ = known
    return model


def _thin_from_the_start(known: Any, ranks: dict[str, int]) -> Any:
    """A subclass of the model class `known`, thin in the layers that `ranks` names, so that dtypes,
    shards and devices stay the library's business.
    """

    def __init__(self: Any, config: Any, *args: Any, **kwargs: Any) -> None:
        known.__init__(self, config, *args, **kwargs)
        for name, rank in ranks.items():
            holder = self.get_submodule(name)
            m, n = holder.weight.shape if isinstance(holder, nn.Linear) else holder.weight.T.shape
            self.set_submodule(name, ThinLinear(m, n, rank, bias=holder.bias is not None))

    # The module and the name are the family's own, by which the library finds how that family's
    # checkpoints name their weights.
    methods = {"__init__": __init__, "__module__": known.__module__}
    return type(known.__name__, (known,), methods)


@torch.no_grad()
def report(before: nn.Module, after: nn.Module, tokens: Tensor, repeats: int = 7) -> pd.DataFrame:
    """What compression saved: one row per model, `before` and `after`, with `parameters`, `bytes`,
    the median `seconds` of a forward pass over `tokens` (N, T), and `speed_up` = seconds before /
    seconds of this row.

    The two take turns, `repeats` times after one to warm up, so that a busy machine slows both.
    """
    models = {"before": before, "after": after}
    seconds: dict[str, list[float]] = {"before": [], "after": []}
    for turn in range(repeats + 1):
        for name, model in models.items():
            start = time.perf_counter()
            model(tokens)
            if tokens.is_cuda:
                torch.cuda.synchronize(tokens.device)
            elapsed = time.perf_counter() - start
            seconds[name] += [elapsed] if turn else []
    rows = {
        name: {
            "parameters": sum(p.numel() for p in model.parameters()),
            "bytes": sum(p.numel() * p.element_size() for p in model.parameters()),
            "seconds": statistics.median(seconds[name]),
            "speed_up": statistics.median(seconds["before"]) / statistics.median(seconds[name]),
        }
        for name, model in models.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")
