"""What clipping does to in-context regression: each layer and module of `linreg-gpt2`, at each
stage of its training.

The rate with the lowest squared error on validation prompts is judged on test prompts, behind few
examples (1 to d) and behind many. A gain is a fall of the normalised squared error, paired prompt
by prompt, with a 95 % interval of the mean. About two minutes.
"""

import torch

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.training import linreg
from svdicl_lite.training.linreg import RECIPE, squared_errors

torch.set_num_threads(1)
VALIDATION_SEEDS = (1, 2, 3, 4)
BEHIND = {"few": slice(1, RECIPE.dims + 1), "many": slice(RECIPE.dims + 1, None)}
print("stage  clip               behind  error without  fall [95 %]")
for stage in range(1, len(RECIPE.stages) + 1):
    model = linreg.load(stage)
    validation, plain = squared_errors(model, 1024, seeds=VALIDATION_SEEDS), squared_errors(model)
    for layer in range(RECIPE.layers):
        for module in ("mlp", "attn"):
            clip, errors = Clip(model, layer, module), {0.0: validation.mean(0)}
            for rate in CLIP_RATES[1:]:
                with clip.at(rate):
                    errors[rate] = squared_errors(model, 1024, seeds=VALIDATION_SEEDS).mean(0)
            for behind, examples in BEHIND.items():
                best = min(errors, key=lambda rate: errors[rate][examples].mean())
                with clip.at(best):
                    fall = (plain - squared_errors(model))[:, examples].mean(1)
                half = 1.96 * fall.std() / len(fall) ** 0.5
                where = f"layer {layer} {module} at {best:g}"
                print(
                    f"{stage:5}  {where:18} {behind:6}  {plain[:, examples].mean():13.4f} "
                    f" {fall.mean():+.4f} ± {half:.4f}",
                    flush=True,
                )
