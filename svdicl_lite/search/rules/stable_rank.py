"""The rule of stable ranks: the deepest of the `top_k` layers with the lowest ‖W‖_F² / ‖W‖₂².

The paper's rule with a number that tiny singular values, or rounding, cannot move: where the stable
rank is low, few components hold most of the matrix. Taught in chapter 07.
"""

import pandas as pd

from svdicl_lite.search.rules.question import Question, Rule
from svdicl_lite.search.rules.spectra import joined


def scores(question: Question) -> pd.DataFrame:
    """The negative stable rank of each module; the question's `reduction` joins the negatives, so
    that "max" takes the lowest stable rank. NaN where all matrices are zero.
    """
    return joined(question, "stable_rank", -1)


def choose(question: Question) -> int:
    """The deepest of the `top_k`. Raises ValueError if a layer is all zero, without a stable
    rank.
    """
    table = scores(question)
    for row in table[table["score"].isna()].itertuples():
        raise ValueError(
            f"the {row.module} of layer {row.layer} is all zero, so stable ranks cannot choose a"
            " layer; name the layer yourself"
        )
    of_layers = table.groupby("layer")["score"].max()
    return int(of_layers.nlargest(question.top_k, keep="last").index.max())


RULE = Rule(scores, "weights", "the deepest of the layers with the lowest stable ranks", choose)
