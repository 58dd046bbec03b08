"""What clipping does to noisy recall: every module of `recall-gpt2` at every rate on validation,
then the best clip of each module on test.

Whether the answer comes back is judged behind noisy contexts, as in training, and behind clean
ones. About five minutes.
"""

import torch

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.models.loading import load_model
from svdicl_lite.stats import holm, mcnemar
from svdicl_lite.training.recall import RECIPE, RecallEvaluator

torch.set_num_threads(1)
model, _ = load_model("recall-gpt2")
validate = RecallEvaluator(model, "validation", 1000)
chosen = {}
print(
    f"validation, n = 1,000, α = {RECIPE.alpha}: share of answers at each clip rate\n{'':15}"
    + "".join(f"{rate:>7g}" for rate in CLIP_RATES)
)
for layer in range(model.config.n_layer):
    for module in ("mlp", "fc_in", "fc_out", "attn"):
        clip, accuracies = Clip(model, layer, module), {}
        for rate in CLIP_RATES:
            with clip.at(rate):
                accuracies[rate] = validate().accuracy
        print(
            f"layer {layer} {module:7}"
            + "".join(f"{accuracy:7.3f}" for accuracy in accuracies.values()),
            flush=True,
        )
        chosen[layer, module] = max(accuracies, key=accuracies.get)  # the first one wins a tie

for context, alpha in (("noisy", RECIPE.alpha), ("clean", 0.0)):
    test = RecallEvaluator(model, "test", 2000, alpha)
    plain, rows = test(), []
    for (layer, module), rate in chosen.items():
        with Clip(model, layer, module).at(rate):
            rows.append((f"layer {layer} {module} at {rate:g}", test()))
    adjusted = holm([mcnemar(plain.correct, outcome.correct) for _, outcome in rows])
    print(
        f"test, {context} contexts, n = {plain.n:,}: answers [95 %], noise, p(answer), p(noise),"
        " McNemar after Holm"
    )
    for (name, outcome), p in zip([("no clip", plain), *rows], [1.0, *adjusted]):
        (low, high), (answer, noise) = outcome.interval, outcome.probabilities()
        print(
            f"{name:24} {outcome.accuracy:.3f} [{low:.3f}, {high:.3f}]  {outcome.noise_share:.3f} "
            f" {answer:.3f}  {noise:.3f}  {p:.1e}",
            flush=True,
        )
