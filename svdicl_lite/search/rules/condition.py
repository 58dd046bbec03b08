"""The paper's rule: the deepest of the `top_k` layers with the largest condition numbers (Yao et
al. 2024, appendix C.2). Taught in chapters 07 and 08.
"""

import pandas as pd

from svdicl_lite.clipping.matrices import n_layers
from svdicl_lite.clipping.spectra import check_choice, chosen_layer, condition_table
from svdicl_lite.search.rules.question import Question, Rule
from svdicl_lite.search.rules.spectra import joined


def scores(question: Question) -> pd.DataFrame:
    """The condition number of each module: infinite if one of its matrices is singular."""
    return joined(question, "condition_number", +1)


def choose(question: Question) -> int:
    """The deepest of the `top_k`. Raises ValueError if a matrix is singular: an infinite condition
    number would outbid all others, whatever they say.
    """
    model, expert = question.model, question.expert
    check_choice(n_layers(model), question.top_k, question.reduction)
    tables = [condition_table(model, module, expert) for module in question.modules]
    return chosen_layer(pd.concat(tables), question.top_k, question.reduction)


RULE = Rule(
    scores, "weights", "the deepest of the worst conditioned layers, as in the paper", choose
)
