"""Ask the clipped model: a shipped GPT-2 that runs in the page, tokenizer and all, and is clipped
there.
"""

import json
import zlib
from collections.abc import Sequence
from functools import cached_property

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import traitlets
from torch import Tensor

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.families import MODULES
from svdicl_lite.clipping.matrices import n_layers
from svdicl_lite.clipping.svd import CLIP_RATES, check_clip_rate
from svdicl_lite.scoring.plain import plain_scores
from svdicl_lite.scoring.prompts import draw_demonstrations, encode, render
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.widgets.base import Widget, script

# tokens that the page's model can read: the position embeddings of longer prompts stay behind
POSITIONS = 256
# of each prompt to start from: fifty that are always asked, and fifty for what was chosen by them
N_QUERIES = 100
STARTS = (
    ("sentiment", "flipped"),
    ("sentiment", "canonical"),
    ("topic", "flipped"),
    ("topic", "canonical"),
)


class AskClippedModel(Widget):
    """Type demonstrations and a query, clip `module` of `layer` at `clip_rate`, and see what
    becomes of the label words' probabilities.

    The page computes it all: it tokenises as `tokenizer` does, runs `model`, a GPT-2, and factors
    the matrices. The weights ride along with 16 bits each, every row of a matrix with its own
    scale, so that logits differ from the model's by less than 1e-3 (`tests/test_widget_model.py`).
    The prompts to start from are the offline tasks' own: `n_shots` demonstrations drawn by `seed`,
    and the first test sentences; it begins with one that this clip turns from wrong to right, if
    there is one among them. Raises ValueError for a model that is not such a GPT-2, or whose
    tokenizer is no byte-level BPE. Taught in chapter 08.
    """

    _esm = script("ask_clipped")
    height = (1105, 1655)
    layer = traitlets.Int(min=0).tag(sync=True)
    module = traitlets.Enum((*MODULES, "q", "k", "v", "o", "fc_in", "fc_out"), "mlp").tag(sync=True)
    clip_rate = traitlets.Float(0.9, min=0, max=1).tag(sync=True)
    demonstrations = traitlets.Unicode().tag(sync=True)
    query = traitlets.Unicode().tag(sync=True)
    label_words = traitlets.Unicode().tag(sync=True)
    # of dicts: name, demonstrations, words, queries [text, class]
    starts = traitlets.List().tag(sync=True)
    config = traitlets.Dict().tag(sync=True)
    vocabulary = traitlets.Dict().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    # what the model says where the page begins, shown until it is there itself: `of`, the traits'
    # values, and `shares`, without a clip and clipped, of the label words and all other tokens
    told = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        model,
        tokenizer,
        layer: int | None = None,
        module: str = "mlp",
        clip_rate: float = 0.9,
        n_shots: int = 8,
        seed: int = 0,
    ):
        self.model, self.tokenizer = model, tokenizer
        self.first = draw_demonstrations(load_task(*STARTS[0]), n_shots, seed)
        starts = [start(name, setting, n_shots, seed) for name, setting in STARTS]
        config, weights = packed_model(model)
        super().__init__(
            layer=n_layers(model) - 1 if layer is None else layer,
            module=module,
            clip_rate=check_clip_rate(clip_rate),
            config=config,
            weights=weights,
            vocabulary=packed_tokenizer(tokenizer),
            starts=starts,
            demonstrations=starts[0]["demonstrations"],
            label_words=", ".join(starts[0]["words"]),
        )
        self.query = starts[0]["queries"][self.turned][0]
        asked = ("layer", "module", "clip_rate", "demonstrations", "query", "label_words")
        shares = self.shares_at((0, self.clip_rate)).iloc[:, 1:]
        self.told = {
            "of": {name: getattr(self, name) for name in asked},
            "shares": shares.to_numpy().tolist(),
        }

    @cached_property
    def turned(self) -> int:
        """Of the first prompt the query that the clip turns most clearly from a wrong answer to the
        right one: where a page begins. 0 if there is none.
        """
        task = load_task(*STARTS[0])
        examples = list(task.splits["test"].select(range(N_QUERIES // 4)))
        labels = np.array([example["label"] for example in examples])
        prompts = encode(self.tokenizer, task, task.words(), self.first, examples)
        clip, leads = Clip(self.model, self.layer, self.module), []
        for rate in (0, self.clip_rate):
            with clip.at(rate):
                scores = plain_scores(self.model, prompts)
            # by how much class 1 leads, or trails where class 0 is right: positive if it is right
            leads.append((scores[:, 1] - scores[:, 0]) * np.where(labels == 1, 1, -1))
        return int(np.argmax(np.where(leads[0] < 0, leads[1], -np.inf)))

    @cached_property
    def probabilities(self) -> pd.DataFrame:
        """`shares_at` all candidate rates, clipped where the widget was made."""
        return self.shares_at(CLIP_RATES)

    def shares_at(self, rates: Sequence[float]) -> pd.DataFrame:
        """What the real model says to the first prompt, clipped at `layer` and `module`: a row a
        clip rate, a column a label word, and all other tokens.
        """
        task = load_task(*STARTS[0])
        words = task.words()
        prompts = encode(
            self.tokenizer, task, words, self.first, [task.splits["test"][self.turned]]
        )
        clip, rows = Clip(self.model, self.layer, self.module), []
        for rate in rates:
            with clip.at(rate), torch.inference_mode():
                tokens = torch.tensor(prompts.contexts, device=self.model.device)
                logits = self.model(tokens).logits[0, -1]
            shares = logits.double().softmax(-1)[prompts.label_tokens[0]].tolist()
            row = {"clip rate ξ": rate, **dict(zip(words, shares))}
            rows.append(row | {"any other token": 1 - sum(shares)})
        return pd.DataFrame(rows)

    def table(self) -> pd.DataFrame:
        """The same data in numbers, as the page folds them below the widget."""
        return self.probabilities.map(lambda share: f"{share:.4g}")

    def figure(self) -> plt.Figure:
        """The same data as a picture, for print and for pages without a script."""
        told = self.probabilities
        fig, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
        for word, mark in zip(told.columns[1:], ("o-", "s--", "^:")):
            ax.plot(range(len(told)), told[word], mark, label=word)
        ax.set_xticks(range(len(told)), [f"{rate:g}" for rate in told["clip rate ξ"]])
        ax.set(xlabel="clip rate ξ", ylabel="probability", ylim=(-0.03, 1.03))
        ax.legend(frameon=False)
        plt.close(fig)
        return fig

    def alt(self) -> str:
        """The picture told in words."""
        told, (query, label) = self.probabilities, self.starts[0]["queries"][self.turned]
        said = ", ".join(
            f"{word} {told[word].iloc[0]:.2f} without a clip and {told[word].iloc[-1]:.2f} at 0.995"
            for word in told.columns[1:-1]
        )
        return (
            f"The probabilities of the label words behind {self.starts[0]['name']} demonstrations"
            f" and the query “{query}”, at eight clip rates of {self.module.upper()} in layer"
            f" {self.layer}: {said}. By the demonstrations"
            f" {self.starts[0]['words'][label]} is right."
        )


def start(name: str, setting: str, n_shots: int, seed: int) -> dict:
    """A prompt to start from, and the queries that may follow it."""
    task = load_task(name, setting)
    words = task.words()
    shown = "".join(
        render(task, example, words[example["label"]])
        for example in draw_demonstrations(task, n_shots, seed)
    )
    queries = [
        [render(task, example), example["label"]]
        for example in task.splits["test"].select(range(N_QUERIES))
    ]
    return {
        "name": f"{name}, {setting} label words",
        "words": list(words),
        "demonstrations": shown,
        "queries": queries,
    }


def packed_tokenizer(tokenizer) -> dict:
    """A byte-level BPE as bpe.js reads it: tokens in order, merges as pairs of their numbers, and
    the tokens that are never cut.
    """
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    words = rules["pre_tokenizer"] or {}
    if (
        rules["model"]["type"] != "BPE"
        or (words.get("type"), words.get("add_prefix_space")) != ("ByteLevel", False)
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
