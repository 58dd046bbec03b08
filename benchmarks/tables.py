"""What clipping does to `tab-gpt2`: each layer and module at each rate on the validation rows of
four real tables, the best clip of each on test.

Accuracy is over the queries of all tables together; on test no row is asked twice. About two
minutes.
"""

import numpy as np
import torch

from svdicl_lite.clipping.clip import Clip
from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.stats import holm, mcnemar, paired_bootstrap, wilson_interval
from svdicl_lite.tasks.worlds.tables import SETS, prompts
from svdicl_lite.training import tabular
from svdicl_lite.training.tabular import in_context, judge, logistic_regression, nearest_neighbour

torch.set_num_threads(1)
model = tabular.load()
asked = {split: {name: prompts(name, split) for name in SETS} for split in ("validation", "test")}


def correct(split: str, way=None) -> dict[str, np.ndarray]:
    """For each table, query by query: right or wrong."""
    return {
        name: judge(way or in_context(model), tables).correct
        for name, tables in asked[split].items()
    }


def everywhere(of_tables: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([*of_tables.values()])


print(f"test, 40 demonstrations\n{'':22}" + "".join(f"{name:>15}" for name in SETS))
for by, way in (
    ("tab-gpt2", None),
    ("logistic regression", logistic_regression),
    ("nearest neighbour", nearest_neighbour),
):
    print(
        f"{by:22}"
        + "".join(f"{right.mean():9.3f} {len(right):5,}" for right in correct("test", way).values())
    )

print(
    f"\nvalidation, all tables: accuracy at each clip rate\n{'':15}"
    + "".join(f"{rate:>7g}" for rate in CLIP_RATES)
)
chosen, n_layers = {}, model.transformer.config.n_layer
for layer in range(n_layers):
    for module in ("mlp", "attn"):
        clip, accuracies = Clip(model, layer, module), {}
        for rate in CLIP_RATES:
            with clip.at(rate):
                accuracies[rate] = np.mean(
                    [right.mean() for right in correct("validation").values()]
                )  # a table counts as much as another
        print(
            f"layer {layer} {module:7}"
            + "".join(f"{accuracy:7.3f}" for accuracy in accuracies.values()),
            flush=True,
        )
        chosen[layer, module] = max(accuracies, key=accuracies.get)

before, rows = correct("test"), []
for (layer, module), rate in chosen.items():
    with Clip(model, layer, module).at(rate):
        rows.append((f"layer {layer} {module} at {rate:g}", correct("test")))
adjusted = holm([mcnemar(everywhere(before), everywhere(after)) for _, after in rows])
n = len(everywhere(before))
low, high = wilson_interval(everywhere(before).sum(), n)
print(
    f"\ntest, all tables, n = {n:,}: {everywhere(before).mean():.3f} [{low:.3f}, {high:.3f}]"
    " without a clip"
)
print(
    "then, for the best clip of each module: points gained [95 %], McNemar after Holm, points on"
    " each table"
)
for (name, after), p in zip(rows, adjusted):
    gain = everywhere(after).mean() - everywhere(before).mean()
    low, high = paired_bootstrap(everywhere(before), everywhere(after))
    tables = "".join(
        f"{100 * (after[table].mean() - before[table].mean()):+7.1f}" for table in SETS
    )
    print(
        f"{name:24} {100 * gain:+5.1f} [{100 * low:+5.1f}, {100 * high:+5.1f}]  {p:.2g}  {tables}"
    )
