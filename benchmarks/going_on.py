"""How the effect of a deep clip depends on how one goes on from `icl-gpt2`: the settings we looked
at before shipping two of them.

For each setting, every few steps: validation accuracy (n = 400) on canonical, flipped and arbitrary
sentiment without a clip, and the clip behind the first layer that raises flipped accuracy most,
with what it leaves of the other two. About ten minutes.
"""

from functools import partial
from itertools import product

import torch

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.matrices import n_layers
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.task import LABEL_SETTINGS
from svdicl_lite.training import language
from svdicl_lite.training.recipes import LanguageRecipe, Phase

MIXED = ("plain", "hard")
SETTINGS = {  # every = steps between rows
    "canonical, slow": (20, Phase(120, (8,), 0.9, 0.0, MIXED, learning_rate=2e-4, label_noise=0.2)),
    "canonical (icl-gpt2-prior at step 70)": (
        10,
        Phase(70, (8,), 0.9, 0.0, MIXED, learning_rate=5e-4, label_noise=0.2),
    ),
    "canonical, fast": (6, Phase(48, (8,), 0.9, 0.0, MIXED, learning_rate=4e-3, label_noise=0.2)),
    "canonical, no demonstrations": (15, Phase(120, (0,), 1.0, 0.0, MIXED, learning_rate=5e-4)),
    "canonical, few demonstrations": (
        10,
        Phase(80, (0, 1, 2), 0.9, 0.0, MIXED, learning_rate=5e-4, label_noise=0.2),
    ),
    "half the labels random, mostly canonical": (
        10,
        Phase(80, (8,), 0.8, 0.05, MIXED, learning_rate=5e-4, label_noise=0.5),
    ),
    "half the labels random (icl-gpt2-noisy at step 56)": (
        8,
        Phase(80, (2, 4, 8), 0.6, 0.1, MIXED, learning_rate=1.5e-3, label_noise=0.5),
    ),
}


def accuracies(evaluators):
    return {setting: evaluate().accuracy for setting, evaluate in evaluators.items()}


def shown(accuracies):
    return "  ".join(f"{accuracies[setting]:.3f}" for setting in LABEL_SETTINGS)


def look(model, evaluators):
    """Prints a moment's row: accuracies without a clip, and with the best clip of flipped words."""
    plain = accuracies(evaluators)
    best_rise, best, left = 0.0, "none", plain
    for module, layer in product(("mlp", "attn"), range(1, n_layers(model))):
        clip = Clip(model, layer, module)
        for rate in (0.75, 0.95, 0.99):
            with clip.at(rate):
                rise = evaluators["flipped"]().accuracy - plain["flipped"]
                if rise > best_rise:
                    best_rise, best = rise, f"{module} {layer} at {rate:g}"
                    left = accuracies(evaluators)
    row = f"   {shown(plain)}  | {best:>14} | {shown(left)}  | {100 * best_rise:+5.1f}"
    print(row, flush=True)
    return {}


torch.set_num_threads(1)
for name, (every, phase) in SETTINGS.items():
    model, tokenizer = load_model("icl-gpt2")
    evaluators = {
        setting: ICLEvaluator(model, tokenizer, load_task("sentiment", setting), n=400)
        for setting in LABEL_SETTINGS
    }

    print(
        f"{name}, every {every} steps\n   canon. flipped arbit.  |           clip | canon. flipped"
        " arbit.  | flipped"
    )
    language.PROBE_EVERY = every
    language.train(model, tokenizer, LanguageRecipe((phase,)), partial(look, model, evaluators))
