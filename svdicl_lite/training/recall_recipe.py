"""The recipe of `recall-gpt2`, a model of noisy in-context recall, and the clip that helps it.

Like the model of Chen, Bruna and Bietti (`recall`), it has two layers, embeddings and head stay
random, and only what comes after a trigger is in the loss. Source, size and optimiser are ours.
The effect is not everywhere: with α = 0.5, or with every symbol in the loss, no clip helped
(`benchmarks/recall_settings.py`). `python -m svdicl_lite.training recall-gpt2` trains it. Taught in
chapter 14.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from transformers import GPT2LMHeadModel

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.models import loading
from svdicl_lite.stats import mcnemar
from svdicl_lite.training import loop
from svdicl_lite.training.recall import (
    RECIPE,
    SEEDS,
    SYMBOLS,
    TRIGGER,
    Recall,
    RecallEvaluator,
    RecallRecipe,
    draw,
    tokenizer,
)

NAME = "recall-gpt2"
CURVE_N = 400  # validation sequences behind each row of the training curve


def new_model(recipe: RecallRecipe = RECIPE) -> GPT2LMHeadModel:
    """An untrained model whose token embeddings and head are random and stay so: what comes after
    what must be learned elsewhere.
    """
    torch.manual_seed(recipe.seed)
    config = loop.config(recipe.layers, recipe.width, recipe.heads, recipe.length, len(SYMBOLS))
    config.tie_word_embeddings = False
    model = GPT2LMHeadModel(config)
    loop.sinusoids_(model.transformer)
    for frozen in (model.transformer.wte, model.lm_head):
        frozen.requires_grad_(False)
    return model


def train(recipe: RecallRecipe = RECIPE) -> tuple[GPT2LMHeadModel, dict]:
    """The trained model, and what the card says of its training; on a GPU if there is one."""
    model = loop.moved(new_model(recipe), loop.device())
    generator = torch.Generator().manual_seed(recipe.seed)
    validate = RecallEvaluator(model, "validation", CURVE_N)

    def loss(step: int) -> tuple[Tensor, Tensor]:
        sequences = draw(recipe.batch, generator, recipe.alpha, recipe)[0].to(model.device)
        behind = sequences[:, :-1] == TRIGGER
        hidden = model.transformer(sequences[:, :-1], use_cache=False).last_hidden_state
        value = nn.functional.cross_entropy(model.lm_head(hidden[behind]), sequences[:, 1:][behind])
        return value, value

    def probe() -> dict[str, float]:
        return {key: round(value, 4) for key, value in _measured(validate()).items()}

    made = loop.fit(model, [loop.Stage(loss, loop.rates([recipe]))], probe, every=100)
    return loop.moved(model, "cpu"), made


def _measured(outcome: Recall) -> dict[str, float]:
    answer, noise = outcome.probabilities()
    return {
        "accuracy": outcome.accuracy,
        "noise_share": outcome.noise_share,
        "p_answer": answer,
        "p_noise": noise,
    }


def best_clip(
    model: GPT2LMHeadModel, modules: tuple[str, ...] = ("mlp", "attn", "fc_in"), n: int = 1000
) -> tuple[int, str, float]:
    """(layer, module, clip rate) of the highest validation accuracy, the first one met on a tie;
    rate 0 if no clip does better than none.
    """
    validate = RecallEvaluator(model, "validation", n)
    best, found = validate().accuracy, (0, modules[0], 0.0)
    for layer in range(model.config.n_layer):
        for module in modules:
            clip = Clip(model, layer, module)
            for rate in CLIP_RATES[1:]:
                with clip.at(rate):
                    accuracy = validate().accuracy
                if accuracy > best:
                    best, found = accuracy, (layer, module, rate)
    return found


def figures(
    model: GPT2LMHeadModel, clips: Iterable[tuple[int, str, float]], n: int = 2000
) -> list[dict]:
    """Test figures without a clip and with each of `clips`, after contexts with noise and
    without.
    """
    rows = []
    for context, alpha in (("noisy", RECIPE.alpha), ("clean", 0.0)):
        test = RecallEvaluator(model, "test", n, alpha)
        plain = test()
        rows.append(_row(context, None, plain, plain))
        for layer, module, rate in clips:
            with Clip(model, layer, module).at(rate):
                rows.append(_row(context, (layer, module, rate), plain, test()))
    return rows


def _row(context: str, clip: tuple[int, str, float] | None, plain: Recall, outcome: Recall) -> dict:
    low, high = outcome.interval
    measured = _measured(outcome)
    values = {
        "accuracy": measured.pop("accuracy"),
        "low": low,
        "high": high,
        **measured,
        "mcnemar_p": mcnemar(plain.correct, outcome.correct),
    }
    rounded = {key: float(f"{value:.4g}") for key, value in values.items()}
    return {"context": context, "clip": clip, "n": outcome.n, **rounded}


def make() -> None:
    """Trains the model and writes weights, tokenizer and card beside the shipped ones."""
    torch.set_num_threads(RECIPE.threads)
    (model, made), folder = train(), loading.CHECKPOINTS / NAME
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    loop.write_card(
        folder,
        model.num_parameters(),
        RECIPE,
        made,
        curve_n=CURVE_N,
        other_settings="benchmarks/recall_settings.py",
        split_seeds=SEEDS,
        test=figures(model, [best_clip(model)]),
    )
