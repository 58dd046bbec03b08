"""The recipe of `suite-llama`, a model of six layers for all seven tasks of the suite, grown from
`icl-llama`.

`icl-llama` knows two tasks and 400 words. `suite-llama` begins as that model, two new blocks and
the suite's words added in a way that changes nothing yet (`grown`), and is trained on all seven
tasks (`suite_documents`). The relation of two sentences is what is hard, and this is the way to it:
single pairs first, which tell one event or two that have nothing in common; then pairs that differ
in one word, after more and more demonstrations; then hard sentences. Only when that stands do most
documents ask for what a prompt has to teach. `python -m svdicl_lite.training suite-llama` trains
it; its card says how hard each task is for it. Taught in chapter 03.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from svdicl_lite.models import loading
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.tasks import suite
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.suite import SUITE
from svdicl_lite.tasks.task import ARBITRARY_WORDS, LABEL_SETTINGS
from svdicl_lite.training import loop
from svdicl_lite.training.documents import LABEL_WEIGHT
from svdicl_lite.training.suite_documents import (
    STAGES,
    TOKENS_PER_STEP,
    SuitePhase,
    draw_batch,
)
from svdicl_lite.training.tokenizer import bpe

NAME = "suite-llama"
PROBE_EVERY, PROBE_N = 500, 80  # steps, prompts
CASES = [
    (name, setting)
    for name, task in SUITE.items()
    for setting in (LABEL_SETTINGS[:1] if task.options else LABEL_SETTINGS)
]
"""Each task in each label setting that it has."""


@dataclass(frozen=True)
class SuiteRecipe:
    """What makes the shipped model."""

    stages: tuple[tuple[SuitePhase, ...], ...] = STAGES
    start_from: str = "icl-llama"
    layers: int = 6
    tokens_per_step: int = TOKENS_PER_STEP
    seed: int = 0
    threads: int = 2


RECIPE = SuiteRecipe()


def suite_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer for the suite: every word is one token after a space."""
    words = [
        *suite.vocabulary(),
        *ARBITRARY_WORDS,
        *(word for task in SUITE.values() for word in task.label_words),
    ]
    frames = [re.sub(r"\{\w+\}", "", task.template) + "\n" for task in SUITE.values()]
    return bpe(words, frames, 4096)


def grown(
    small: LlamaForCausalLM,
    small_tokenizer: PreTrainedTokenizerFast,
    tokenizer: PreTrainedTokenizerFast,
    recipe: SuiteRecipe = RECIPE,
) -> LlamaForCausalLM:
    """A model of six layers and the suite's words that begins as `small`: its blocks in order, and
    between the first of them new ones that add nothing.

    The new blocks stand before those that read the demonstrations: what is still to be learned,
    comparing two sentences, has to be done by then (growth that keeps the function: Net2Net, Chen
    et al. 2016). Words that `small` knew keep their embeddings.
    """
    torch.manual_seed(recipe.seed)
    size = {"num_hidden_layers": recipe.layers, "vocab_size": len(tokenizer)}
    model = LlamaForCausalLM(LlamaConfig(**{**small.config.to_dict(), **size}))
    n_new = recipe.layers - small.config.num_hidden_layers
    new_places = range(1, 2 * n_new, 2)  # between the first blocks of `small`
    old_places = [layer for layer in range(recipe.layers) if layer not in new_places]
    known, old = tokenizer.get_vocab(), small_tokenizer.get_vocab()
    with torch.no_grad():
        for layer, block in enumerate(model.model.layers):
            if layer in old_places:
                block.load_state_dict(small.model.layers[old_places.index(layer)].state_dict())
            else:
                for output in (block.self_attn.o_proj, block.mlp.down_proj):
                    output.weight.zero_()
        model.model.norm.load_state_dict(small.model.norm.state_dict())
        for token, row in known.items():
            if token in old:
                model.model.embed_tokens.weight[row] = small.model.embed_tokens.weight[old[token]]
    return model


def loss_of(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    phases: tuple[SuitePhase, ...],
    seed: int,
    n_tokens: int,
) -> Callable[[int], tuple[Tensor, Tensor]]:
    """The loss of each step of a stage: of answers and some words, weighted, to be minimised, and
    of answers alone.
    """
    rng = random.Random(seed)
    schedule = [(phase, i) for phase in phases for i in range(phase.steps)]

    def loss(step: int) -> tuple[Tensor, Tensor]:
        phase, i = schedule[step - 1]
        batch = draw_batch(rng, phase, tokenizer, i, n_tokens)
        tokens, weights = (tensor.to(model.device) for tensor in batch)
        read = weights[:, 1:] > 0  # a word without a weight needs no logits
        hidden = model.base_model(tokens, use_cache=False).last_hidden_state[:, :-1][read]
        target, weight = tokens[:, 1:][read], weights[:, 1:][read]
        losses = nn.functional.cross_entropy(
            model.get_output_embeddings()(hidden), target, reduction="none"
        )
        return (losses * weight).sum() / weight.sum(), losses.detach()[weight == 1].mean()

    return loss


def train(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    recipe: SuiteRecipe = RECIPE,
    probe: Callable[[], dict] = dict,
) -> dict:
    """Trains `model`, any causal one, in place; returns what the card says of it."""
    torch.manual_seed(recipe.seed)
    stages = []
    for i, phases in enumerate(recipe.stages):
        loss = loss_of(model, tokenizer, phases, recipe.seed + i, recipe.tokens_per_step)
        stages.append(loop.Stage(loss, loop.rates(phases)))
    made = loop.fit(model, stages, probe, PROBE_EVERY, column="label_loss")
    return {"label_weight": LABEL_WEIGHT, **made}


def probe_of(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast
) -> Callable[[], dict[str, float]]:
    """What judges the model along the way: every task and label setting on validation, after 8
    demonstrations.
    """
    evaluators = {
        f"{name} {setting}": ICLEvaluator(model, tokenizer, load_task(name, setting), n=PROBE_N)
        for name, setting in CASES
    }
    return lambda: {name: round(evaluate().accuracy, 4) for name, evaluate in evaluators.items()}


def figures(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> list[dict]:
    """Test accuracy with n and interval after 8 demonstrations, and whether the task is as hard as
    one wants: `level`.

    A task serves if balanced accuracy lies between 15 points above chance and 95 %: clipping can
    then both hurt and help. Where the classes are unequal (in `emotion` four of five are one
    class), plain accuracy would praise a model that always gives one answer.
    """
    rows = []
    for name, setting in CASES:
        data = load_task(name, setting)
        n = min(1000, len(data.splits["test"]))
        outcome = ICLEvaluator(model, tokenizer, data, "test", n, seeds=range(20))()
        low, high = outcome.interval
        reached = outcome.balanced_accuracy
        rows.append(
            {
                "task": name,
                "labels": setting,
                "shots": 8,
                "n": outcome.n,
                "accuracy": round(outcome.accuracy, 4),
                "low": round(float(low), 4),
                "high": round(float(high), 4),
                "balanced_accuracy": round(reached, 4),
                "level": _level(reached, len(data.classes)),
            }
        )
    return rows


def _level(balanced_accuracy: float, n_classes: int) -> str:
    if balanced_accuracy < 1 / n_classes + 0.15:
        return "too hard"
    return "too easy" if balanced_accuracy > 0.95 else "as wanted"


def make() -> None:
    """Trains the model and writes weights, tokenizer and card beside the shipped ones; with a GPU
    if there is one.
    """
    torch.set_num_threads(RECIPE.threads)
    tokenizer = suite_tokenizer()
    small, small_tokenizer = load_model(RECIPE.start_from)
    model = loop.moved(grown(small, small_tokenizer, tokenizer), loop.device()).eval()
    made = train(model, tokenizer, RECIPE, probe_of(model, tokenizer))
    loop.moved(model, "cpu")
    folder = loading.CHECKPOINTS / NAME
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    test = figures(model, tokenizer)
    loop.write_card(folder, model.num_parameters(), RECIPE, made, curve_n=PROBE_N, test=test)
