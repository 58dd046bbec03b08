"""Which settings of noisy recall put the noise where a clip finds it: those we looked at before
shipping `recall-gpt2`, and their like.

Trains each setting as long as the shipped one, then chooses on validation among all layers, mlp,
attn and fc_in, and all rates. Half an hour; name a setting to train that one alone.
"""

import sys
from dataclasses import replace

import torch
from torch import nn

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.training import loop
from svdicl_lite.training.recall import RECIPE, SYMBOLS, TRIGGER, RecallEvaluator, draw
from svdicl_lite.training.recall_recipe import best_clip, new_model

# embeddings and head stay random?, weight of symbols that follow no trigger, α, width, seed
SETTINGS = {
    "shipped": (True, 0.0, 0.6, 128, 0),
    "seed-1": (True, 0.0, 0.6, 128, 1),
    "half-noise": (True, 0.0, 0.5, 128, 0),
    "every-symbol": (True, 0.2, 0.6, 128, 0),
    "trained-embeddings": (False, 0.0, 0.6, 128, 0),
    "trained-embeddings-every-symbol": (False, 0.2, 0.6, 64, 0),
}


def weighted_loss(model, generator, recipe, ordinary):
    """What a step trains on: symbols that follow no trigger weigh `ordinary`."""

    def loss(step):
        sequences, _ = draw(recipe.batch, generator, recipe.alpha, recipe)
        losses = nn.functional.cross_entropy(
            model(sequences[:, :-1]).logits.transpose(1, 2), sequences[:, 1:], reduction="none"
        )
        weights = torch.where(sequences[:, :-1] == TRIGGER, 1.0, ordinary)
        value = (losses * weights).sum() / weights.sum()
        return value, value

    return loss


torch.set_num_threads(RECIPE.threads)
for name in sys.argv[1:] or SETTINGS:
    frozen, ordinary, alpha, width, seed = SETTINGS[name]
    recipe = replace(RECIPE, alpha=alpha, width=width, seed=seed)
    model, generator = new_model(recipe), torch.Generator().manual_seed(recipe.seed)
    if not frozen:
        model.transformer.wte.requires_grad_(True)
        model.lm_head = nn.Linear(width, len(SYMBOLS), bias=False)
        model.lm_head.weight = model.transformer.wte.weight  # tied, as GPT-2's
    loss = weighted_loss(model, generator, recipe, ordinary)
    loop.fit(model, [loop.Stage(loss, loop.rates([recipe]))], dict, every=300)
    layer, module, rate = best_clip(model, n=400)
    test = RecallEvaluator(model, "test", 1000)
    before = test()
    with Clip(model, layer, module).at(rate):
        after = test()
    print(f"{name}: answers {before.accuracy:.3f}, noise {before.noise_share:.3f}; ", end="")
    print(
        f"layer {layer} {module} at {rate:g}: answers {after.accuracy:.3f}, noise"
        f" {after.noise_share:.3f}",
        flush=True,
    )
