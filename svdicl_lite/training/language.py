"""The recipe of the language models that read the small world: `icl-gpt2` and all that follow it in
`recipes.RECIPES`.

They read the documents of `documents.py`. `python -m svdicl_lite.training NAME` trains one of them.
Taught in chapter 03.
"""

import random
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from svdicl_lite.models import loading
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.tasks.grammar_tasks import TASKS
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.task import LABEL_SETTINGS
from svdicl_lite.training import architectures, loop
from svdicl_lite.training.documents import LABEL_WEIGHT, draw_batch
from svdicl_lite.training.recipes import RECIPES, LanguageRecipe
from svdicl_lite.training.tokenizer import train_tokenizer

PROBE_EVERY, PROBE_N = 100, 200  # steps, prompts


def loss_of(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, recipe: LanguageRecipe
) -> Callable[[int], tuple[Tensor, Tensor]]:
    """The loss of each step: of all words, weighted, to be minimised, and of labels alone."""
    rng = random.Random(recipe.seed)
    schedule = [phase for phase in recipe.phases for _ in range(phase.steps)]
    routed = {"output_router_logits": True} if recipe.family == "mixtral" else {}

    def loss(step: int) -> tuple[Tensor, Tensor]:
        batch = draw_batch(rng, schedule[step - 1], tokenizer)
        tokens, weights = (tensor.to(model.device) for tensor in batch)
        half = recipe.dtype == "bfloat16"
        with torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=half):
            output = model(tokens, use_cache=False, **routed)
        target, weight = tokens[:, 1:].flatten(), weights[:, 1:].flatten()
        losses = nn.functional.cross_entropy(
            output.logits[:, :-1].float().flatten(0, 1), target, reduction="none"
        )  # (B (T − 1),)
        whole = (losses * weight).sum() / weight.sum()
        if routed:  # experts are to be used alike
            whole = whole + model.config.router_aux_loss_coef * output.aux_loss
        return whole, losses.detach()[weight == 1].mean()

    return loss


def train(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    recipe: LanguageRecipe,
    probe: Callable[[], dict] = dict,
) -> dict:
    """Trains `model` in place; returns what the card says of it.

    The curve has a row every 100 steps, and at the end, with the loss on labels and what `probe()`
    says.
    """
    torch.manual_seed(recipe.seed)
    stage = loop.Stage(loss_of(model, tokenizer, recipe), loop.rates(recipe.phases))
    made = loop.fit(model, [stage], probe, PROBE_EVERY, column="label_loss")
    del made["cpu_seconds"]  # what the cards of these models have never said
    return {"label_weight": LABEL_WEIGHT, **made}


def probe_of(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast
) -> Callable[[], dict[str, float]]:
    """What judges the model along the way: both tasks in every label setting, on validation."""
    evaluators = {
        f"{task} {setting}": ICLEvaluator(
            model, tokenizer, load_task(task, setting), n=PROBE_N, seeds=range(5)
        )
        for task in TASKS
        for setting in LABEL_SETTINGS
    }
    return lambda: {key: round(evaluate().accuracy, 4) for key, evaluate in evaluators.items()}


def figures(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    split: str,
    n: int,
    shots: Iterable[int],
    seeds: Sequence[int] = range(20),
) -> list[dict]:
    """Accuracy with n and interval on every task and label setting, at each number of shots."""
    cases = [(name, setting, k) for name in TASKS for setting in LABEL_SETTINGS for k in shots]
    rows = []
    for name, setting, n_shots in cases:
        task = load_task(name, setting)
        outcome = ICLEvaluator(model, tokenizer, task, split, n, n_shots, seeds)()
        low, high = outcome.interval
        rows.append(
            {
                "task": name,
                "labels": setting,
                "shots": n_shots,
                "n": outcome.n,
                "accuracy": round(outcome.accuracy, 4),
                "low": round(low, 4),
                "high": round(high, 4),
            }
        )
    return rows


def begun(recipe: LanguageRecipe) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The model that a recipe starts from, and its tokenizer."""
    if not recipe.start_from:
        tokenizer = train_tokenizer()
        return architectures.new_model(recipe, tokenizer), tokenizer
    model, tokenizer = load_model(recipe.start_from)
    if recipe.family == "mixtral":
        model = architectures.upcycled(model, recipe, tokenizer)
    return model, tokenizer


def make(name: str) -> None:
    """Trains the model `name` and writes weights, tokenizer and card beside the shipped ones; with
    a GPU if there is one.
    """
    recipe = RECIPES[name]
    torch.set_num_threads(recipe.threads)
    model, tokenizer = begun(recipe)
    loop.moved(model, loop.device()).eval()
    made = train(model, tokenizer, recipe, probe_of(model, tokenizer))
    loop.moved(model, "cpu")
    folder = loading.CHECKPOINTS / name
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    test = figures(model, tokenizer, "test", n=1000, shots=(0, 2, 4, 8, 16))
    loop.write_card(folder, model.num_parameters(), recipe, made, curve_n=PROBE_N, test=test)
