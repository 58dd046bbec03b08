"""A GPT-2 and its tokenizer as the page's own (gpt2.js, bpe.js) read them: 16 bits a weight."""

import json
import zlib

import numpy as np
from torch import Tensor

# tokens that the page's model can read: the position embeddings of longer prompts stay behind
POSITIONS = 256
DIGITS = {"type": "Digits", "individual_digits": True}  # what SmolLM2's tokenizer does first


def packed_tokenizer(tokenizer) -> dict:
    """A byte-level BPE as bpe.js reads it: tokens in order, merges as pairs of their numbers, the
    tokens that are never cut, and whether each digit stands alone.
    """
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    cuts = rules["pre_tokenizer"] or {}
    *before, words = cuts.get("pretokenizers", [cuts])
    if (
        rules["model"]["type"] != "BPE"
        or (words.get("type"), words.get("add_prefix_space")) != ("ByteLevel", False)
        or before not in ([], [DIGITS])
        or rules["normalizer"]
    ):
        raise ValueError(
            "the page can tokenise as GPT-2 does, by byte-level BPE without a normalizer, and this"
            " tokenizer does otherwise; take icl-gpt2"
        )
    numbers = tokenizer.get_vocab()
    merges = [
        pair if isinstance(pair, list) else pair.split(" ") for pair in rules["model"]["merges"]
    ]
    special = [token["content"] for token in rules["added_tokens"]]
    return {
        "tokens": sorted(numbers, key=numbers.get),
        "merges": [[numbers[a], numbers[b]] for a, b in merges],
        "special": special,
        "digits": before == [DIGITS],
    }


def packed_model(model) -> tuple[dict, bytes]:
    """What gpt2.js needs: the shapes, and the weights, deflated.

    First the float32 numbers: the scale of each row of each matrix, then the vectors. Then the
    matrices' entries as 16-bit whole numbers, all high bytes before all low ones, since the high
    ones shrink when deflated.
    """
    config = model.config
    if (
        config.model_type != "gpt2"
        or config.activation_function not in ("gelu_new", "gelu_pytorch_tanh")
        or config.scale_attn_by_inverse_layer_idx
    ):
        raise ValueError(
            f"the page runs a GPT-2 with its own activation, not {config.model_type} with"
            f" {config.activation_function}; take icl-gpt2"
        )
    tensors = weights_of(model)
    matrices = [whole_numbers(W) for W in tensors.values() if W.ndim == 2]
    entries = np.concatenate([numbers.ravel() for numbers, _ in matrices])  # int16
    floats = [scale for _, scale in matrices] + [
        vector for vector in tensors.values() if vector.ndim == 1
    ]
    data = (
        np.concatenate([part.ravel() for part in floats]).astype("<f4").tobytes()
        + (entries >> 8).astype(np.int8).tobytes()
        + entries.astype(np.uint8).tobytes()
    )
    shapes = [[name, *tensor.shape] for name, tensor in tensors.items()]
    about = {
        "layers": config.n_layer,
        "width": config.n_embd,
        "heads": config.n_head,
        "epsilon": config.layer_norm_epsilon,
        "shapes": shapes,
    }
    return about, zlib.compress(data, 9)


def whole_numbers(W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """W (m, n) as int16 (m, n) and scales (m, 1): the largest entry of each row becomes ±32767.
    (float16 is seven times as coarse.)
    """
    scale = np.abs(W).max(1, keepdims=True) / 32767
    scale[scale == 0] = 1
    scale = scale.astype(np.float32)
    return np.rint(W / scale).clip(-32767, 32767).astype(np.int16), scale


def weights_of(model) -> dict[str, np.ndarray]:
    """The weights by the names that gpt2.js knows, matrices (out, in)."""
    body, width = model.transformer, model.config.n_embd
    found: dict[str, Tensor] = {
        "words": body.wte.weight,
        "places": body.wpe.weight[:POSITIONS],
        "norm.weight": body.ln_f.weight,
        "norm.bias": body.ln_f.bias,
    }
    if model.lm_head.weight is not body.wte.weight:
        found["head"] = model.lm_head.weight
    for layer, block in enumerate(body.h):
        parts = {
            role: (block.attn.c_attn, slice(i * width, (i + 1) * width))
            for i, role in enumerate("qkv")
        }
        parts |= {
            "o": (block.attn.c_proj, slice(None)),
            "fc_in": (block.mlp.c_fc, slice(None)),
            "fc_out": (block.mlp.c_proj, slice(None)),
        }
        for role, (holder, columns) in parts.items():
            found[f"{layer}.{role}.weight"] = holder.weight.T[columns]
            found[f"{layer}.{role}.bias"] = holder.bias[columns]
        for number, norm in ((1, block.ln_1), (2, block.ln_2)):
            found[f"{layer}.norm{number}.weight"] = norm.weight
            found[f"{layer}.norm{number}.bias"] = norm.bias
    return {name: tensor.detach().float().cpu().numpy() for name, tensor in found.items()}
