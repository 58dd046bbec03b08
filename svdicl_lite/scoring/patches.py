"""What is left out while scores are computed: positions, logits and operations that nobody needs.

Each is a context in which a module of the model computes something else, the same where it is read;
after it, also after an error, the model is as it was. Taught in chapter 08.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.activations import NewGELUActivation

from svdicl_lite.clipping.matrices import blocks, feed_forward, queries_and_output

Forward = Callable[..., Any]


class LastBlock(NamedTuple):
    """The last block, of which only the last positions are read: its number, and its parts that
    need not run at the others.

    Those are its feed-forward part, the output of its attention, and its queries where a layer of
    their own makes them. Found once for all batches: on a small model the finding takes as long as
    a tenth of a batch.
    """

    number: int
    parts: list[nn.Module]

    @classmethod
    def of(cls, model: PreTrainedModel) -> "LastBlock":
        """The last block of the model."""
        *_, block = layers = blocks(model)
        parts = (feed_forward(block), *queries_and_output(block))
        return cls(len(layers) - 1, [part for part in parts if part is not None])


@contextmanager
def only_last_positions(block: LastBlock, n_last: int) -> Iterator[None]:
    """Inside, the last block makes keys and values of all positions, and the rest at the `n_last`
    last ones only: nothing reads the others.
    """
    with ExitStack() as stack:
        for part in block.parts:
            stack.enter_context(forward_replaced(part, _at_last(part.forward, n_last)))
        yield


def _at_last(forward: Forward, n_last: int) -> Forward:
    """`forward` at the last positions; zeros at the others."""

    def last_positions(hidden: Tensor, *args: Any, **kwargs: Any) -> Any:  # (B, T, d)
        skipped = max(hidden.shape[1] - n_last, 0)
        result = forward(hidden[:, skipped:].contiguous(), *args, **kwargs)
        # some mixtures return their router's scores too
        output, *rest = result if isinstance(result, tuple) else (result,)
        flat = output.ndim == 2  # Llama 4's returns all tokens in one row
        by_prompt = output.view(len(hidden), -1, output.shape[-1])
        output = nn.functional.pad(by_prompt, (0, 0, skipped, 0))
        output = output.flatten(0, 1) if flat else output
        return (output, *rest) if rest else output

    return last_positions


@contextmanager
def fused_gelu(model: nn.Module) -> Iterator[None]:
    """Inside, GPT-2's activation is one operation instead of eight, the same function; on small
    models it is a third of the time.
    """
    with ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, NewGELUActivation):
                stack.enter_context(forward_replaced(module, _gelu))
        yield


def _gelu(hidden: Tensor) -> Tensor:
    return nn.functional.gelu(hidden, approximate="tanh")


@contextmanager
def only_logits_of(model: PreTrainedModel, tokens: Tensor) -> Iterator[None]:
    """Inside, the output head computes the logits of these tokens only, (…, len(tokens)) instead of
    (…, vocabulary).
    """
    head: Any = model.get_output_embeddings()
    weight = head.weight[tokens]
    bias = None if head.bias is None else head.bias[tokens]
    with forward_replaced(head, lambda hidden: nn.functional.linear(hidden, weight, bias)):
        yield


@contextmanager
def forward_replaced(module: nn.Module, forward: Forward) -> Iterator[None]:
    """Inside, `module` computes `forward`; after it, what it did before."""
    own = module.__dict__.get("forward")  # another replacement, if there is one
    module.forward = forward
    try:
        yield
    finally:
        if own is None:
            del module.forward
        else:
            module.forward = own
