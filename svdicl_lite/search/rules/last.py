"""The rule that looks at nothing: the last layer.

Late layers are where clips are known to help (Sharma et al. 2023, LASER, section 4), and the
cheapest guess that any other rule must beat. Taught in chapter 08.
"""

import pandas as pd

from svdicl_lite.clipping.matrices import n_layers
from svdicl_lite.search.rules.question import Question, Rule, same_for_all_modules


def scores(question: Question) -> pd.DataFrame:
    """The layer's number."""
    return same_for_all_modules(question, range(n_layers(question.model)))


RULE = Rule(scores, "weights", "the last layer")
