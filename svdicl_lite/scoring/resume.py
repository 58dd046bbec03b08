"""Judging a model again and again while only one layer changes, without computing again what cannot
have changed.

A clip in layer l leaves the blocks below l as they were. So their output is kept, once, and each
clip rate costs only the blocks from l on. A clip of the MLP leaves its layer's attention as it was
too, so that is kept as well; and in the last layer a clip that spares W_K and W_V leaves all keys
and values of the demonstrations. Nothing is approximated: the model's own code runs, with the kept
outputs in the place of what would compute them. Taught in chapter 08.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import PreTrainedModel

from svdicl_lite.clipping.families import roles_of
from svdicl_lite.clipping.matrices import attention, blocks
from svdicl_lite.scoring.batches import Batch, Plan, batches_of
from svdicl_lite.scoring.fast import (
    by_plan,
    prepared,
    read_batch,
    read_prefixes,
    read_together,
    score_batch,
)
from svdicl_lite.scoring.patches import LastBlock, forward_replaced
from svdicl_lite.scoring.prefix_cache import PrefixCache

Run = tuple[str, int]  # a forward pass: ("prefix", number of its first plan) or ("batch", number)


class AllKept(Exception):
    """All that was to be kept of a forward pass has been seen, so the rest need not run."""


@dataclass
class Replay:
    """The prompts of `plans` on the way through `model`, held at the entrance of `layer`; made by
    `record`.

    `scores` gives the label-word logits as `fast_scores` would, for any change in `layer` and above
    it. A change below makes a replay worthless. It keeps 2d numbers a token.
    """

    model: PreTrainedModel
    plans: Sequence[Plan]
    layer: int
    inputs: dict[Run, Any] = field(default_factory=dict)  # raw output of the block below, by run
    attended: dict[Run, Any] = field(default_factory=dict)  # raw output of the layer's attention
    prefixes: list[PrefixCache] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)

    @classmethod
    def record(
        cls,
        model: PreTrainedModel,
        plans: Sequence[Plan],
        layer: int,
        below: "Replay | None" = None,
    ) -> "Replay":
        """Runs the model as it is, as far as `layer`, and keeps what comes there. `below`, a replay
        of a shallower layer, saves the way up to that one.
        """
        replay = cls(model, plans, layer)
        last = LastBlock.of(model)
        with torch.inference_mode(), prepared(model):
            for start, group in read_together(plans):
                run = "prefix", start
                with below._replaying(run) if below else nullcontext(), replay._keeping(run):
                    replay.prefixes += read_prefixes(model, last, group)
            if below:
                replay._take_prefixes(below, below.layer)
            replay.batches = below.batches if below else batches_of(model, plans, replay.prefixes)
            for number, batch in enumerate(replay.batches):
                run = "batch", number
                with below._replaying(run) if below else nullcontext():
                    with suppress(AllKept), replay._keeping(run, stop=True):
                        read_batch(model, last, batch, replay.prefixes)
        return replay

    @cached_property
    def blocks(self) -> nn.ModuleList:
        """The model's; found once, because finding takes as long as a tenth of a batch."""
        return blocks(self.model)

    @cached_property
    def attention(self) -> nn.Module | None:
        """Of the layer; None where no submodule is all of it."""
        return attention(self.blocks[self.layer])

    def scores(self, module: str = "all") -> list[NDArray[np.float32]]:
        """(N, C) for each plan, the model as it is now; `module` is where in `layer` it may have
        changed.
        """
        roles = set(roles_of(module))
        attention_same = self.attention is not None and not roles & {"q", "k", "v", "o"}
        last = LastBlock.of(self.model)
        keys_same = self.layer == last.number and not roles & {"k", "v"}
        found = []
        with torch.inference_mode(), prepared(self.model):
            prefixes = self.prefixes if keys_same else self._read_again(last, attention_same)
            for number, batch in enumerate(self.batches):
                with self._replaying(("batch", number), attention_same):
                    found.append(score_batch(self.model, last, batch, prefixes))
        return by_plan(self.plans, self.batches, found)

    def _read_again(self, last: LastBlock, attention_same: bool) -> list[PrefixCache]:
        """The prefixes as the model is now. Those of the layers below, and of the layer itself if
        its attention is the same, are as they were.
        """
        prefixes: list[PrefixCache] = []
        for start, group in read_together(self.plans):
            with self._replaying(("prefix", start), attention_same):
                prefixes += read_prefixes(self.model, last, group)
        for prefix, before in zip(prefixes, self.prefixes):
            prefix.take_layers(before, self.layer + attention_same)
        return prefixes

    def _take_prefixes(self, below: "Replay", n_layers: int) -> None:
        for prefix, before in zip(self.prefixes, below.prefixes):
            prefix.take_layers(before, n_layers)

    @contextmanager
    def _replaying(self, run: Run, attention_same: bool = False) -> Iterator[None]:
        """Inside, blocks below `layer`, and its attention if that is the same, return what was kept
        of this run.
        """
        with ExitStack() as stack:
            for block in self.blocks[: self.layer]:
                kept = forward_replaced(block, lambda *args, **kwargs: self.inputs[run])
                stack.enter_context(kept)
            if attention_same and self.attention is not None:
                kept = forward_replaced(self.attention, lambda *args, **kwargs: self.attended[run])
                stack.enter_context(kept)
            yield

    @contextmanager
    def _keeping(self, run: Run, stop: bool = False) -> Iterator[None]:
        """Inside, what comes to the layer in this run is kept; then, with `stop`, AllKept is
        raised.
        """

        def keep_input(block: nn.Module, args: Any, output: Any) -> None:
            self.inputs[run] = output

        def keep_attended(module: nn.Module, args: Any, output: Any) -> None:
            self.attended[run] = _without_weights(output)

        def stop_here(*args: Any) -> None:
            if stop:
                raise AllKept

        layers, of_layer = self.blocks, self.attention
        handles = []
        if self.layer:
            handles.append(layers[self.layer - 1].register_forward_hook(keep_input))
        if of_layer is None:
            handles.append(layers[self.layer].register_forward_pre_hook(stop_here))
        else:
            handles.append(of_layer.register_forward_hook(keep_attended))
            handles.append(of_layer.register_forward_hook(stop_here))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _without_weights(output: Any) -> Any:
    """What attention returns, less its weights (B, heads, T, T) where there are any: no one reads
    them.
    """
    if not isinstance(output, tuple):
        return output
    return tuple(
        part if isinstance(part, torch.Tensor) and part.ndim < 4 else None for part in output
    )
