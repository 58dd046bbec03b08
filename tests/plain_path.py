"""Models, prompts and options to score, and the plain path that all other ways must equal."""

import random

import families
import numpy as np
import pytest

from svdicl_lite.scoring.plain import plain_scores
from svdicl_lite.scoring.prompts import Prompts

# The models are 32 wide and 3 deep, their logits of order 1 to 10, in float32 (6e-8 a rounding):
# two orders of computing them
# differ by some 1e-5, and the clips below move them by more than a hundred times that.
ATOL = 1e-4
EVERY = [*families.FAMILIES, *families.OTHERS]


@pytest.fixture(scope="module", params=EVERY)
def model(request):
    return families.build(request.param)


def prompts(n_shared=9, seed=0, tails=(3, 5, 5, 2, 3, 5)) -> Prompts:
    """Unequal lengths behind one beginning; three label tokens that change with the prompt."""
    rng = random.Random(seed)
    shared = [rng.randrange(1, families.VOCAB) for _ in range(n_shared)]
    tokens = [
        shared + [rng.randrange(1, families.VOCAB) for _ in range(length)] for length in tails
    ]
    words = [[[word] for word in rng.sample(range(families.VOCAB), 3)] for _ in tails]
    return Prompts(tokens, words, [0] * len(tails))


def options(seed=1) -> Prompts:
    rng = random.Random(seed)
    draw = lambda n: [rng.randrange(1, families.VOCAB) for _ in range(n)]
    shared, contexts, answers = draw(6), [], []
    for n_query in (3, 5, 4):
        contexts.append(shared + draw(n_query))
        answers.append([draw(n) for n in (rng.randint(1, 3), rng.randint(1, 3))])
    return Prompts(contexts, answers, [0, 1, 0], of_options=True)


def assert_plain(model, scores, sets):
    for fast, given in zip(scores, sets, strict=True):
        np.testing.assert_allclose(fast, plain_scores(model, given), rtol=0, atol=ATOL)
