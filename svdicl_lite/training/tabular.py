"""In-context classification of tables of numbers: rows with labels are the demonstrations, a row
without one is the query.

One row is one token: a linear map of its columns plus an embedding of its label, in front of a
GPT-2 and a linear map to label scores. There is no order to a table, so all tokens share one
position, demonstrations see each other both ways, and queries see the demonstrations and
themselves. The model is trained on the random tables of `tables` and judged on its real ones.
`python -m svdicl_lite.training tab-gpt2` trains it. Taught in chapter 14.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import GPT2Model

from svdicl_lite.models import loading
from svdicl_lite.scoring.evaluation import Answers, Evaluation
from svdicl_lite.tasks.worlds.tables import (
    CLASSES,
    COLUMNS,
    SEEDS,
    SETS,
    Prompt,
    draw_tables,
    prompts,
)
from svdicl_lite.training import loop

NAME = "tab-gpt2"
Predict = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(rows shown, their labels, rows asked) → labels (Q,)."""


@dataclass(frozen=True)
class TabularRecipe:
    """What makes the shipped model."""

    layers: int = 4
    width: int = 64
    heads: int = 4
    batch: int = 32  # tables a step
    shots: tuple[int, int] = (16, 64)  # demonstrations, at least and at most
    queries: int = 16
    steps: int = 7000
    learning_rate: float = 1e-3
    cool_down: float = 0.4
    label_noise: float = 0.05
    seed: int = 0
    threads: int = 1


RECIPE = TabularRecipe()


class TableClassifier(nn.Module):
    """A GPT-2 that reads rows as tokens."""

    def __init__(self, recipe: TabularRecipe = RECIPE):
        super().__init__()
        self.transformer = GPT2Model(
            loop.config(recipe.layers, recipe.width, recipe.heads, positions=1)
        )
        self.read_row = nn.Linear(COLUMNS, recipe.width)
        self.read_label = nn.Embedding(CLASSES + 1, recipe.width)  # the last one stands for "asked"
        self.read_out = nn.Linear(recipe.width, CLASSES)

    def forward(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Label scores (B, Q, classes) of the last Q of rows (B, K + Q, columns), given the labels
        (B, K) of the first K.
        """
        (batch, length), shots = rows.shape[:2], labels.shape[1]
        asked = labels.new_full((batch, length - shots), self.read_label.num_embeddings - 1)
        tokens = self.read_row(rows) + self.read_label(torch.cat((labels, asked), 1))
        # (K + Q, K + Q): every token sees the demonstrations, a query also itself
        sees = torch.eye(length, dtype=torch.bool, device=rows.device)
        sees[:, :shots] = True
        positions = torch.zeros(1, length, dtype=torch.long, device=rows.device)
        hidden = self.transformer(
            inputs_embeds=tokens,
            attention_mask=sees.expand(batch, 1, -1, -1),
            position_ids=positions,
        )
        return self.read_out(hidden.last_hidden_state[:, shots:])


@dataclass(frozen=True)
class TableAnswers(Answers):
    """What a classifier answered on one table, query by query. The interval is for "test", where no
    row is asked twice.
    """

    predictions: np.ndarray  # (Q,)
    labels: np.ndarray  # (Q,)


def judge(predict: Predict, asked: list[Prompt]) -> TableAnswers:
    """Runs `predict(shots, shot_labels, queries) -> (Q,)` on each prompt and joins the answers."""
    answers = [predict(prompt.shots, prompt.shot_labels, prompt.queries) for prompt in asked]
    return TableAnswers(
        np.concatenate(answers), np.concatenate([prompt.labels for prompt in asked])
    )


def in_context(model: TableClassifier) -> Predict:
    """The model as a `predict`: no weight changes, the demonstrations are in the prompt. A class it
    was not shown is never its answer.
    """

    def predict(shots: np.ndarray, shot_labels: np.ndarray, queries: np.ndarray) -> np.ndarray:
        known = np.unique(shot_labels)
        return known[_scores(model, shots, shot_labels, queries)[:, known].argmax(1)]

    return predict


def evaluate(model: TableClassifier, asked: list[Prompt]) -> Evaluation:
    """What the model answers on one table, with its scores, so that discrimination can be told; a
    prompt is a set of demonstrations. Every prompt must show every class, as those of `prompts` do.
    """
    n_classes = 1 + max(int(prompt.labels.max()) for prompt in asked)
    given = ((prompt.shots, prompt.shot_labels, prompt.queries) for prompt in asked)
    scores = [_scores(model, *prompt)[:, :n_classes] for prompt in given]
    labels = [prompt.labels for prompt in asked]
    sets = np.repeat(range(len(asked)), [len(of_prompt) for of_prompt in labels])
    return Evaluation(np.concatenate(scores), np.concatenate(labels), sets)


@torch.inference_mode()
def _scores(model, shots, shot_labels, queries) -> np.ndarray:
    """(Q, CLASSES)"""
    device = model.read_out.weight.device
    rows = torch.from_numpy(np.concatenate((shots, queries)))[None].to(device)
    scores: np.ndarray = (
        model(rows, torch.from_numpy(shot_labels)[None].to(device))[0].cpu().numpy()
    )
    return scores


def logistic_regression(
    shots: np.ndarray, shot_labels: np.ndarray, queries: np.ndarray
) -> np.ndarray:
    """scikit-learn's logistic regression as it comes, trained on the demonstrations."""
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    return LogisticRegression(max_iter=1000).fit(shots, shot_labels).predict(queries)


def nearest_neighbour(
    shots: np.ndarray, shot_labels: np.ndarray, queries: np.ndarray
) -> np.ndarray:
    """The label of the closest demonstration; with 4 rows of a class, more neighbours than one do
    no better.
    """
    from sklearn.neighbors import KNeighborsClassifier  # type: ignore[import-untyped]

    return KNeighborsClassifier(1).fit(shots, shot_labels).predict(queries)


def load() -> TableClassifier:
    """The shipped model, in evaluation mode. Raises ValueError for a checkpoint that is damaged or
    missing.
    """
    return loop.restore(TableClassifier(), loading.CHECKPOINTS / NAME / "model.safetensors")


def figures(model: TableClassifier) -> list[dict]:
    """Test accuracy with n and interval on each real table: the model, and the two baselines on the
    same rows.
    """
    ways = {
        NAME: in_context(model),
        "logistic_regression": logistic_regression,
        "nearest_neighbour": nearest_neighbour,
    }
    rows = []
    for name in SETS:
        asked = prompts(name)
        for way, predict in ways.items():
            outcome = judge(predict, asked)
            low, high = outcome.interval
            rows.append(
                {
                    "table": name,
                    "by": way,
                    "n": outcome.n,
                    "accuracy": round(outcome.accuracy, 4),
                    "low": round(low, 4),
                    "high": round(high, 4),
                }
            )
    return rows


def train(recipe: TabularRecipe = RECIPE) -> tuple[TableClassifier, dict]:
    """The trained model, and what the card says of its training; on a GPU if there is one."""
    torch.manual_seed(recipe.seed)
    device, generator = loop.device(), torch.Generator().manual_seed(recipe.seed)
    model = TableClassifier(recipe).to(device)
    validation = {name: prompts(name, "validation") for name in SETS}

    def loss(step: int) -> tuple[Tensor, Tensor]:
        tables = draw_tables(
            recipe.batch, recipe.shots, recipe.queries, recipe.label_noise, generator
        )
        rows, labels = (numbers.to(device) for numbers in tables)
        shots = labels.shape[1] - recipe.queries
        scores = model(rows, labels[:, :shots])  # (B, Q, classes)
        value = nn.functional.cross_entropy(scores.flatten(0, 1), labels[:, shots:].flatten())
        return value, value

    def probe() -> dict[str, float]:
        predict = in_context(model)
        return {
            name: round(judge(predict, asked).accuracy, 4) for name, asked in validation.items()
        }

    made = loop.fit(model, [loop.Stage(loss, loop.rates([recipe]))], probe, every=250)
    return model.to("cpu"), made


def make() -> None:
    """Trains the model and writes weights and card beside the shipped ones."""
    torch.set_num_threads(RECIPE.threads)
    (model, made), folder = train(), loading.CHECKPOINTS / NAME
    folder.mkdir(parents=True, exist_ok=True)
    model.transformer.config.save_pretrained(folder)
    save_file(model.state_dict(), folder / "model.safetensors")
    parameters = sum(p.numel() for p in model.parameters())
    test = figures(model)
    loop.write_card(folder, parameters, RECIPE, made, context_seeds=SEEDS, test=test)
