"""How well a model foretells plain text: −log p of every token after the first, text by text.

Taught in chapter 10.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from svdicl_lite.clipping.matrices import blocks
from svdicl_lite.scoring.patches import forward_replaced
from svdicl_lite.scoring.rotary import as_never_read

POSITIONS_AT_ONCE = 1024  # each has a logit for every word of the vocabulary


class PlainTexts:
    """Texts as a model reads them: each by itself, without demonstrations, cut after `max_tokens`.

    They go in batches of about equal length, filled up on the right, which what stands before
    cannot see. `losses` may be asked again and again while the model changes; what `keep` has kept
    of the blocks below a change is not computed again.
    """

    def __init__(self, tokenizer: Any, texts: Iterable[str], max_tokens: int | None = None):
        """Raises ValueError if no text has two tokens."""
        encoded = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts)
        self.tokens = [ids[:max_tokens] for ids in encoded]
        lengths = np.array([len(ids) for ids in self.tokens], dtype=int)
        self.n_predicted: NDArray[np.int64] = np.maximum(lengths - 1, 0)  # (N,)
        if not self.n_predicted.any():
            raise ValueError("no text has two tokens or more, so there is nothing to predict")
        self.batches: list[list[int]] = [[]]  # numbers of texts
        for i in np.argsort(lengths, kind="stable").tolist():  # the longest of a batch comes last
            if lengths[i] * (len(self.batches[-1]) + 1) > POSITIONS_AT_ONCE and self.batches[-1]:
                self.batches.append([])
            self.batches[-1] += [i] if lengths[i] > 1 else []
        self.kept: dict[tuple[int, int], Any] = {}  # raw output below a layer, by layer and batch

    @torch.inference_mode()
    def losses(self, model: PreTrainedModel, layer: int = 0) -> NDArray[np.float64]:
        """(N,) of each text the sum of −log p of its tokens after the first, in nats, by the model
        as it is now. Blocks below `layer`, for which `keep` was asked, are taken to be as they
        were.
        """
        found = np.zeros(len(self.tokens))
        for number, rows in enumerate(self.batches):
            with self._from(model, layer, number):
                found[rows] = _surprises(model, [self.tokens[i] for i in rows]).cpu().numpy()
        return found

    @torch.inference_mode()
    def keep(self, model: PreTrainedModel, layers: Iterable[int]) -> NDArray[np.float64]:
        """The losses of the model as it is, and keeps what comes to each of these layers."""
        found = np.zeros(len(self.tokens))
        for number, rows in enumerate(self.batches):
            with ExitStack() as stack:
                for layer in set(layers) - {0}:
                    keeper = _keeper(self.kept, (layer, number))
                    handle = blocks(model)[layer - 1].register_forward_hook(keeper)
                    stack.callback(handle.remove)
                found[rows] = _surprises(model, [self.tokens[i] for i in rows]).cpu().numpy()
        return found

    @torch.inference_mode()
    def one(self, model: PreTrainedModel, number: int) -> float:
        """The loss of one text, read by itself, by the model as it is now."""
        return float(_surprises(model, [self.tokens[number]])[0])

    @contextmanager
    def _from(self, model: nn.Module, layer: int, number: int) -> Iterator[None]:
        """Inside, the blocks below `layer` return what was kept of this batch."""
        with ExitStack() as stack:
            for block in blocks(model)[:layer]:
                stack.enter_context(forward_replaced(block, _giving(self.kept[layer, number])))
            yield


def _keeper(kept: dict[tuple[int, int], Any], key: tuple[int, int]) -> Any:
    def keep(block: nn.Module, args: Any, output: Any) -> None:
        kept[key] = output

    return keep


def _giving(kept: Any) -> Any:
    return lambda *args, **kwargs: kept


def _surprises(model: PreTrainedModel, tokens: list[list[int]]) -> Tensor:
    """(B,) the sum of −log p of each text's tokens after the first, float64."""
    as_never_read(model)
    width = max(map(len, tokens))
    ids = torch.tensor([row + [row[-1]] * (width - len(row)) for row in tokens]).to(model.device)
    lengths = torch.tensor([len(row) for row in tokens], device=ids.device)
    logits = model(ids, use_cache=False).logits[:, :-1].float()  # (B, T − 1, V)
    losses = nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
    is_there = torch.arange(1, width, device=ids.device) < lengths[:, None]
    return (losses.double() * is_there).sum(1)
