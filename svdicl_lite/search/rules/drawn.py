"""The rule of chance: a layer drawn by the seed, against which all others are measured. Taught in
chapter 08.
"""

import random

import pandas as pd

from svdicl_lite.clipping.matrices import n_layers
from svdicl_lite.search.rules.question import Question, Rule, same_for_all_modules


def scores(question: Question) -> pd.DataFrame:
    """A random order of the layers, n for the first, 1 for the last; the same for all modules."""
    n = n_layers(question.model)
    rng = random.Random(f"layer {question.seed}")
    first = rng.randrange(n)
    others = [layer for layer in range(n) if layer != first]
    rng.shuffle(others)
    of_layers = {layer: float(n - place) for place, layer in enumerate([first, *others])}
    return same_for_all_modules(question, [of_layers[layer] for layer in range(n)])


RULE = Rule(scores, "weights", "a layer drawn by the seed")
