"""The clips of a kept experiment, each compared with the model as it is. Taught in chapter 08."""

import numpy as np
import pandas as pd
from scipy import stats

from svdicl_lite.search.compared import ComparedScores

RUN = ["task", "labels", "split", "n_shots"]  # what a run of an experiment is told by


def against_whole(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each clip of `table`, as `committed.outcomes` returns it, with a column `compared`:
    the `ComparedScores` of the model without a clip and with it, on the same examples.

    Raises ValueError if a run has no row without a clip.
    """
    whole = table[table["clip_rate"] == 0].drop_duplicates(RUN)
    before = {tuple(row[RUN]): row["evaluation"] for _, row in whole.iterrows()}
    clips = table[table["clip_rate"] > 0].reset_index(drop=True)
    compared = []
    for _, row in clips.iterrows():
        if (run := tuple(row[RUN])) not in before:
            raise ValueError(
                f"the run {run} has no row with clip_rate 0 to compare its clips with; keep it in"
                " the table"
            )
        pair = before[run], row["evaluation"]
        compared.append(ComparedScores(*pair, *pair))
    return clips.assign(compared=pd.Series(compared, dtype=object))


def p_of_sets(outcomes: np.ndarray, sets: np.ndarray) -> float:
    """Two-sided p of Student's t over the sets: is the mean of `outcomes` (N,) other than 0 for new
    demonstrations? 1 where every set's mean is 0.
    """
    means = pd.Series(outcomes).groupby(np.asarray(sets)).mean().to_numpy()
    if not means.any():
        return 1.0
    return float(stats.ttest_1samp(means, 0).pvalue)


def best_clip(table: pd.DataFrame, layer: int, module: str) -> pd.Series:
    """The row of the clip rate above 0 with the highest accuracy; the first of equals.

    Algorithm 1 would keep the model as it is where even this one does not gain.
    """
    here = (table["layer"] == layer) & (table["module"] == module) & (table["clip_rate"] > 0)
    clips = table[here].sort_values("clip_rate")
    if clips.empty:
        raise ValueError(f"the table has no clip of {module} in layer {layer}")
    return clips.loc[clips["evaluation"].map(lambda outcome: outcome.accuracy).idxmax()]
