"""A block of a Llama as an ONNX graph, its weights inside, as the page at /smollm2/ runs it.

Two kinds: `block`, as the model has it, and `clipped_block`, in which the matrices of a module are
products of two thin ones. How many singular values they keep is an input, so that moving the slider
costs nothing but the blocks above.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx_file import INT64, Graph
from torch import Tensor, nn

from svdicl_lite.clipping.families import MODULES
from svdicl_lite.clipping.matrices import blocks
from svdicl_lite.clipping.svd import SVD

END = 1 << 30  # a slice that ends here ends where its array does


def check_llama(model: nn.Module) -> None:
    """Raises ValueError for a model that these graphs would not say the same as."""
    config: Any = model.config
    plain = config.model_type == "llama" and config.hidden_act == "silu"
    rotary = (config.rope_parameters or {}).get("rope_type", "default")
    biased = config.attention_bias or config.mlp_bias if plain else False
    if not plain or biased or rotary != "default" or not config.tie_word_embeddings:
        raise ValueError(
            "the page runs a Llama without biases, with the usual rotary positions and its"
            f" embeddings as output head; this {config.model_type} is not one"
        )


def block(model: nn.Module, layer: int) -> bytes:
    """Reads `hidden` (1, T, d), `cos` and `sin` (1, T, head / 2); gives `between`, the hidden
    states behind attention, and `out`, those behind the MLP; of the last block at the last position
    alone.
    """
    part = _Block(model, layer, {})
    part.mlp(part.attention())
    return part.graph.file()


def clipped_block(model: nn.Module, layer: int, factors: Mapping[str, SVD]) -> bytes:
    """The same with `factors` (role → SVD) in the place of its matrices; reads `rank k` besides,
    what is kept of k singular values, for each k among them. If attention is left as it is, it
    begins behind it, with `between`.
    """
    part = _Block(model, layer, factors)
    if factors.keys() & set(MODULES["attn"]):
        part.mlp(part.attention())
    else:
        part.mlp(part.graph.input("between", (1, "n", model.config.hidden_size)))
    return part.graph.file()


class _Block:
    def __init__(self, model: Any, layer: int, factors: Mapping[str, SVD]):
        self.graph, self.config, self.factors = Graph(), model.config, factors
        self.block: Any = blocks(model)[layer]
        self.is_last = layer == model.config.num_hidden_layers - 1
        self.ranks: dict[int, str] = {}  # k → the input that says what is kept of k

    def attention(self) -> str:
        graph, config, attn = self.graph, self.config, self.block.self_attn
        heads, groups = config.num_attention_heads, config.num_key_value_heads
        hidden = graph.input("hidden", (1, "T", config.hidden_size))
        cos, sin = (graph.input(name, (1, "T", attn.head_dim // 2)) for name in ("cos", "sin"))
        normed = self.norm(hidden, self.block.input_layernorm)
        queries = self.linear(self.end(normed), "q", attn.q_proj)
        queries = graph.op(
            "RotaryEmbedding", queries, self.end(cos), self.end(sin), num_heads=heads
        )
        keys = self.linear(normed, "k", attn.k_proj)
        keys = graph.op("RotaryEmbedding", keys, cos, sin, num_heads=groups)
        values = self.linear(normed, "v", attn.v_proj)
        # ONNX counts positions from the left: the one query of the last block would be the first
        how = {"q_num_heads": heads, "kv_num_heads": groups, "is_causal": int(not self.is_last)}
        read = graph.op("Attention", queries, keys, values, **how)
        between = graph.op("Add", self.end(hidden), self.linear(read, "o", attn.o_proj))
        graph.output(between, "between", (1, "n", config.hidden_size))
        return between

    def mlp(self, between: str) -> None:
        graph, mlp = self.graph, self.block.mlp
        normed = self.norm(between, self.block.post_attention_layernorm)
        gate = self.linear(normed, "gate", mlp.gate_proj)
        gate = graph.op("Mul", gate, graph.op("Sigmoid", gate))
        wide = graph.op("Mul", gate, self.linear(normed, "up", mlp.up_proj))
        out = graph.op("Add", between, self.linear(wide, "fc_out", mlp.down_proj))
        graph.output(out, "out", (1, "n", self.config.hidden_size))

    def norm(self, x: str, layer: Any) -> str:
        weight = self.graph.constant(_array(layer.weight))
        return self.graph.op("RMSNormalization", x, weight, epsilon=float(layer.variance_epsilon))

    def linear(self, x: str, role: str, layer: Any) -> str:
        """x Wᵀ; or, cut at rank r, (x V_r) (U_r S_r)ᵀ."""
        graph = self.graph
        if role not in self.factors:
            return graph.op("MatMul", x, graph.constant(_array(layer.weight).T))
        found = self.factors[role]
        k = len(found.S)
        if k not in self.ranks:
            self.ranks[k] = graph.input(f"rank {k}", (1,), INT64)
        kept = graph.whole(0), self.ranks[k]
        across = graph.op("Slice", graph.constant(_array(found.Vh.T)), *kept, graph.whole(1))
        back = graph.constant(_array((found.U * found.S).T))
        back = graph.op("Slice", back, *kept, graph.whole(0))
        x = graph.op("MatMul", graph.op("MatMul", x, across), back)
        # a length that is unknown behind a slice is 0 to Attention, when onnxruntime reads shapes
        return graph.op("Reshape", x, graph.constant(np.array([1, -1, len(found.U)])))

    def end(self, x: str) -> str:
        """In the last block the last position, all that is read above it; elsewhere x itself."""
        if not self.is_last:
            return x
        graph = self.graph
        return graph.op(
            "Slice", x, graph.constant(np.array([-1])), graph.whole(END), graph.whole(1)
        )


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().float().numpy()
