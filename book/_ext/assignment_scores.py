"""Writes what assignment 7 hands out: `python book/_ext/assignment_scores.py [PARQUET [OUT]]`.

Scores of the committed experiment `movies_depth`, of the model without a clip and of some cells
that were named before they were computed: numbers only, no text. The same experiment gives the same
bytes. A test holds the file against the experiment.
"""

import sys
from itertools import product
from pathlib import Path

import numpy as np

from svdicl_lite.search.committed import outcomes

ROOT = Path(__file__).parents[2]
EXPERIMENT = ROOT / "experiments/movies_depth.parquet"
FILE = ROOT / "book/assignments/07_real_model/files/scores.npz"
LAYERS, MODULES, CLIP_RATES = (0, 6, 14, 24, 29), ("mlp", "attn"), (0.5, 0.95)


def arrays(experiment: Path = EXPERIMENT) -> dict[str, np.ndarray]:
    """`right` (n,) and `sets` (n,), then (n, 2) scores by the name of a cell: "no clip",
    "mlp 0 0.5" and so on.
    """
    table = outcomes(experiment).set_index(["module", "layer", "clip_rate"])["evaluation"]
    without = table[table.index.get_level_values("clip_rate") == 0].iloc[0]
    found = {"right": without.labels, "sets": without.demonstration_sets}
    found["no clip"] = without.scores
    for module, layer, rate in product(MODULES, LAYERS, CLIP_RATES):
        found[f"{module} {layer} {rate:g}"] = table[module, layer, rate].scores
    return found


if __name__ == "__main__":
    given = [Path(word) for word in sys.argv[1:]]
    np.savez_compressed(FILE if len(given) < 2 else given[1], **arrays(*given[:1]))
