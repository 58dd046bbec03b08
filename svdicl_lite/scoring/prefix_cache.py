"""Caches of what many prompts begin with: the keys and values of demonstrations, read once.

`ReadingCache` is filled while a model reads the demonstrations of some sets, and sees which layers'
attention can meet a prefix apart. `PrefixCache` keeps one set's. `BatchCache` is what a batch of
prompts gets: the prefixes of its sets, one copy for all prompts of a set, never written to. Taught
in chapter 08.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary
from transformers import DynamicCache, PreTrainedConfig
from transformers.cache_utils import Cache


class SharedPrefix(NamedTuple):
    """What the prompts of each set in a batch begin with, in one layer."""

    keys: list[Tensor]  # one for each set: (1, kv heads, T_d, d)
    values: list[Tensor]
    n_prompts: list[int]  # of each set, one set's after the other's; B in all
    n_read: int | None  # in the last block: how many last positions anyone reads; None for all

    @property
    def longest(self) -> int:
        """Of the T_d. A shorter prefix is padded on the left, as the mask says."""
        return max(keys.shape[2] for keys in self.keys)

    def concatenated(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """With a batch's own keys and values (B, kv heads, T, d) after it: (B, kv heads, longest +
        T, d), a copy of the prefix for each prompt.
        """
        past_keys, past_values = self._repeated(self.keys), self._repeated(self.values)
        return torch.cat((past_keys, keys), dim=-2), torch.cat((past_values, values), dim=-2)

    def _repeated(self, tensors: list[Tensor]) -> Tensor:
        """(B, kv heads, longest, d)."""
        repeated = []
        for tensor, n in zip(tensors, self.n_prompts):
            padded = nn.functional.pad(tensor, (0, 0, self.longest - tensor.shape[2], 0))
            repeated.append(padded.expand(n, -1, -1, -1))
        return torch.cat(repeated)


class PrefixCache(DynamicCache):
    """The keys and values of one set's demonstrations, in layers of the kinds that the model wants:
    one with a sliding window keeps what is in the window.
    """

    def __init__(self, config: PreTrainedConfig):
        super().__init__(config=config)
        self.apart: set[int] = set()  # layers whose attention can meet the prefix apart

    @property
    def meets_apart(self) -> bool:
        """Whether attention can, in all layers, meet the prefix and a prompt's own keys apart."""
        layers: list[Any] = self.layers
        return all(
            layer.is_initialized and number in self.apart for number, layer in enumerate(layers)
        )

    def take_layers(self, other: "PrefixCache", n: int) -> None:
        """Has the first `n` layers of `other` from now on."""
        self.layers[:n] = other.layers[:n]
        self.apart = {number for number in self.apart if number >= n}
        self.apart |= {number for number in other.apart if number < n}


class ReadingCache(DynamicCache):
    """Takes the keys and values of demonstrations, those of several sets as one batch.

    It is made without a config, so that it keeps all keys, also those out of a window: the sets
    have several lengths, and so their windows end at several places.
    """

    def __init__(self) -> None:
        super().__init__()
        self.apart: set[int] = set()
        self._handed_out = WeakTensorKeyDictionary()  # keys → their layer

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Keeps the keys and values (sets, kv heads, T, d) of a layer, and hands them on."""
        keys, values = super().update(key_states, value_states, layer_idx, *args, **kwargs)
        self._handed_out[keys] = layer_idx
        return keys, values

    def prefix_before(self, keys: Tensor) -> None:
        """Attention says which `keys` it was given. If they are the very tensor that this cache
        handed on, nothing came between them, and the layer can meet a prefix apart.
        """
        layer = self._handed_out.get(keys)
        if layer is not None:
            self.apart.add(layer)

    def prefix(self, number: int, length: int, config: PreTrainedConfig) -> PrefixCache:
        """What was read of one set, `length` tokens of row `number`."""
        cache = PrefixCache(config)
        layers: list[Any] = self.layers
        for layer_idx, layer in enumerate(layers):
            if layer.is_initialized and length:
                row = slice(number, number + 1)
                cache.update(layer.keys[row, :, :length], layer.values[row, :, :length], layer_idx)
                if layer_idx in self.apart:
                    cache.apart.add(layer_idx)
        return cache


class BatchCache(Cache):
    """The prefixes of a batch that holds `n_prompts` prompts of each set.

    A layer that can meet a prefix apart gets a batch's own keys and values alone, and asks for what
    stands before them (`prefix_before`); any other gets them concatenated. Lengths and masks are
    those of the longest prefix. `n_read` is as in `SharedPrefix`, by layer.
    """

    def __init__(
        self,
        prefixes: Sequence[PrefixCache],
        n_prompts: Sequence[int],
        n_read: dict[int, int],
    ):
        self.longest = max(prefixes, key=lambda prefix: prefix.get_seq_length())
        # read for their kinds and lengths only, since `update` writes nothing
        super().__init__(layers=self.longest.layers)
        self.prefixes, self.n_prompts, self.n_read = list(prefixes), list(n_prompts), n_read
        self._handed_out = WeakTensorKeyDictionary()  # own keys → the prefix before them

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """The keys and values that attention gets, given a batch's own (B, kv heads, T, d)."""
        if self.longest.get_seq_length(layer_idx) == 0:  # no demonstrations
            return key_states, value_states
        layers: list[Any] = [prefix.layers[layer_idx] for prefix in self.prefixes]
        keys = [layer.keys for layer in layers]
        values = [layer.values for layer in layers]
        shared = SharedPrefix(keys, values, self.n_prompts, self.n_read.get(layer_idx))
        if layer_idx not in self.longest.apart:
            return shared.concatenated(key_states, value_states)
        self._handed_out[key_states] = shared
        return key_states, value_states

    def prefix_before(self, keys: Tensor) -> SharedPrefix | None:
        """What stands before the `keys` that attention was given; None if it is in them, or if
        there is nothing.
        """
        shared: SharedPrefix | None = self._handed_out.get(keys)
        return shared
