"""Judging a model again and again while only one layer changes, without computing again what cannot
have changed.

A clip in layer l leaves the blocks below l as they were. So their output is kept, once, and each
clip rate costs only the blocks from l on. A clip of the MLP leaves its layer's attention as it was
too, so that is kept as well; and in the last layer a clip that spares W_K and W_V leaves all keys
and values of the demonstrations. Nothing is approximated: the model's own code runs, with the kept
outputs in the place of what would compute them. Taught in chapter 07.
"""

from contextlib import ExitStack, contextmanager, suppress

import numpy as np
import torch
from transformers import DynamicCache

from svdicl_lite.clipping.matrices import attention, blocks, roles_of
from svdicl_lite.scoring.batches import Batch, Plan, batches_of
from svdicl_lite.scoring.fast import End, fused, patched, run_batch, run_batches, run_prefixes


class Stop(Exception):
    """All that was to be kept has been seen."""


class Replay:
    """The prompts of `plans` on the way through `model`, held at the entrance of `layer`.

    `scores` gives the label-word logits as `fast_scores` would, for any change in `layer` and above
    it. A change below makes a replay worthless. It keeps 2d numbers a token. `below`, a replay of a
    shallower layer, saves the way up to that one.
    """

    def __init__(self, model, plans: list[Plan], layer: int, below: "Replay | None" = None):
        self.model, self.plans, self.layer = model, plans, layer
        self.inputs, self.attended = (
            {},
            {},
        )  # raw outputs of the block below and of the layer's attention, by run
        self.prefixes: list[DynamicCache] = []
        self.batches: list[Batch] = []
        self.clock = (
            below.clock if below else {}
        )  # "run" is what is on: ("prefix", number of a plan) or ("batch", its number)
        self.attention = attention(blocks(model)[layer])
        self._record(below)

    def scores(self, module: str = "all") -> list[np.ndarray]:
        """(N, C) for each plan, the model as it is now; `module` is where in `layer` it may have
        changed.
        """
        roles = set(roles_of(module))
        attention_same = self.attention is not None and not roles & {"q", "k", "v", "o"}
        end = End.of(self.model)
        keys_same = self.layer == end.number and not roles & {"k", "v"}
        with torch.inference_mode(), fused(self.model), self._replaying(attention_same):
            prefixes = (
                self.prefixes if keys_same else self._prefixes(end, self.layer + attention_same)
            )
            return run_batches(
                self.model,
                end,
                self.plans,
                self.batches,
                prefixes,
                lambda number: self._start("batch", number),
            )

    def _prefixes(self, end: End, n_same: int) -> list[DynamicCache]:
        """The keys and values of the demonstrations as the model is now; those of the first
        `n_same` layers are as they were.
        """
        prefixes = run_prefixes(
            self.model, end, self.plans, lambda number: self._start("prefix", number)
        )
        for prefix, before in zip(prefixes, self.prefixes):
            prefix.layers[:n_same] = before.layers[:n_same]
        return prefixes

    @contextmanager
    def _replaying(self, attention_same: bool):
        """Inside, blocks below `layer`, and its attention if that is the same, return what was kept
        of this run.
        """
        with ExitStack() as stack:
            for block in blocks(self.model)[: self.layer]:
                stack.enter_context(
                    patched(block, lambda *args, **kwargs: self.inputs[self.clock["run"]])
                )
            if attention_same:
                stack.enter_context(
                    patched(
                        self.attention, lambda *args, **kwargs: self.attended[self.clock["run"]]
                    )
                )
            yield

    def _record(self, below: "Replay | None") -> None:
        layers, end, stopping = blocks(self.model), End.of(self.model), False

        def keep_input(block, args, output):
            self.inputs[self.clock["run"]] = output

        def keep_attended(module, args, output):
            if isinstance(
                output, tuple
            ):  # attention weights (B, heads, T, T), where there are any, are read by no one
                output = tuple(
                    part if isinstance(part, torch.Tensor) and part.ndim < 4 else None
                    for part in output
                )
            self.attended[self.clock["run"]] = output

        def stop(*args):
            if stopping:
                raise Stop

        with torch.inference_mode(), fused(self.model), ExitStack() as stack:
            if below is not None:
                stack.enter_context(below._replaying(attention_same=False))
            if self.layer:
                stack.callback(layers[self.layer - 1].register_forward_hook(keep_input).remove)
            if self.attention is None:
                stack.callback(layers[self.layer].register_forward_pre_hook(stop).remove)
            else:
                stack.callback(self.attention.register_forward_hook(keep_attended).remove)
                stack.callback(self.attention.register_forward_hook(stop).remove)
            self.prefixes = (
                self._prefixes(end, 0) if below is None else below._prefixes(end, below.layer)
            )
            self.batches = (
                batches_of(self.model, self.plans, self.prefixes)
                if below is None
                else below.batches
            )
            stopping = True
            for number, batch in enumerate(self.batches):
                self._start("batch", number)
                with suppress(Stop):
                    run_batch(self.model, end, batch, self.prefixes)

    def _start(self, what: str, number: int) -> None:
        self.clock["run"] = what, number
