"""A clip by the name of its method: truncation, one of its rivals, or a control.

Taught in chapter 10.
"""

from collections.abc import Sequence
from functools import partial

from torch import nn

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.controls import how_of
from svdicl_lite.clipping.matrices import Expert
from svdicl_lite.clipping.whitened import OF_INPUTS, factors_of_inputs


def clip_by(
    method: str,
    model: nn.Module,
    layer: int,
    module: str,
    expert: Expert = None,
    sequences: Sequence[Sequence[int]] = (),
    seed: int = 0,
) -> Clip:
    """The `Clip` of this method, one of `CONTROLS` or `CLIPS`. A method of `OF_INPUTS` fits what
    goes into the matrices while the model reads the `sequences` of tokens; `seed` decides what is
    random.

    Raises ValueError for another method, and what `Clip` and `inputs_of` raise.
    """
    how = how_of(method, seed)
    fits = method in OF_INPUTS
    factor = partial(factors_of_inputs, model, method, sequences) if fits else None
    return Clip(model, layer, module, expert, how, factor)
