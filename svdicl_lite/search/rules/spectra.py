"""What the rules of spectra share: a number for each matrix, joined for each module. Taught in
chapter 07.
"""

import pandas as pd

from svdicl_lite.clipping.matrices import n_layers
from svdicl_lite.clipping.spectra import check_choice, condition_table
from svdicl_lite.search.rules.question import Question


def joined(question: Question, column: str, sign: int) -> pd.DataFrame:
    """A row for each layer and module: the `column` of `condition_table`, times `sign`, joined by
    the question's `reduction`.

    Raises what `condition_table` and `check_choice` raise.
    """
    check_choice(n_layers(question.model), question.top_k, question.reduction)
    parts = []
    for module in question.modules:
        table = condition_table(question.model, module, question.expert)
        of_layers = (sign * table[column]).groupby(table["layer"]).agg(question.reduction)
        part = of_layers.rename("score").reset_index()
        part.insert(1, "module", module)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
