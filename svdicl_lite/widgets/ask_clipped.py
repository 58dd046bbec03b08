"""Ask the clipped model: a shipped GPT-2 that runs in the page, tokenizer and all, and is clipped
there.
"""

from collections.abc import Sequence
from functools import cached_property

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import traitlets

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.families import MODULES
from svdicl_lite.clipping.matrices import n_layers
from svdicl_lite.clipping.svd import CLIP_RATES, check_clip_rate
from svdicl_lite.scoring.prompts import draw_demonstrations, encode, render
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.widgets.base import Widget, script
from svdicl_lite.widgets.packed_gpt2 import packed_model, packed_tokenizer

# of each prompt to start from: fifty that are always asked, and fifty for what was chosen by them
N_QUERIES = 100
N_HELD = 50
# words that turn a sentence's meaning round
NEGATIONS = {"not", "no", "never", "nobody"}
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
    and the first test sentences; it begins with the first plain one that this clip turns from wrong
    to right, if there is one among them (`turned`). Raises ValueError for a model that is not such
    a GPT-2, or whose tokenizer is no byte-level BPE. Taught in chapter 08.
    """

    _esm = script("ask_clipped")
    height = (567, 740)
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
    # values; `shares`, without a clip and clipped, of the label words and all other tokens; and
    # `held`, the fifty queries' labels, scores and how many named a label
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
        labels, scores, named = self.held
        self.told = {
            "of": {name: getattr(self, name) for name in asked},
            "shares": shares.to_numpy().tolist(),
            "held": {
                "labels": labels.tolist(),
                "scores": scores.round(4).tolist(),
                "named": named.tolist(),
            },
        }

    @cached_property
    def held(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the real model says to the first N_HELD queries of the first prompt, without a clip
        and clipped: right classes (n,), the logits of the label words (2, n, C), and of how many
        queries the likeliest token is a label word (2,).
        """
        task = load_task(*STARTS[0])
        examples = list(task.splits["test"].select(range(N_HELD)))
        prompts = encode(self.tokenizer, task, task.words(), self.first, examples)
        clip, scores, named = Clip(self.model, self.layer, self.module), [], []
        for rate in (0, self.clip_rate):
            with clip.at(rate), torch.inference_mode():
                said = [
                    self.model(torch.tensor([context], device=self.model.device)).logits[0, -1]
                    for context in prompts.contexts
                ]
            pairs = list(zip(said, prompts.label_tokens, strict=True))
            scores.append([logits[tokens].tolist() for logits, tokens in pairs])
            named.append(sum(int(logits.argmax()) in tokens for logits, tokens in pairs))
        labels = np.array([example["label"] for example in examples])
        return labels, np.array(scores), np.array(named)

    @cached_property
    def turned(self) -> int:
        """Of the first prompt the first query without a negation that the clip turns from a wrong
        answer to the right one: where a page begins. Labels are exchanged there, and whoever reads
        should have no more than that to turn round. If the clip turns none, the first of them.
        """
        labels, scores, _ = self.held
        right = scores.argmax(-1) == labels
        queries = self.starts[0]["queries"][:N_HELD]
        plain = [i for i, (text, _) in enumerate(queries) if not NEGATIONS & set(text.split())]
        return next((i for i in plain if right[1, i] and not right[0, i]), plain[0])

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
