"""The few prompts that a cheap rule looks at. Taught in chapter 08."""

from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.prompts import Prompts

N_PROMPTS = 100
"""Enough to judge a matrix by, says Compress to Impress (arXiv 2510.20800)."""


def sample(evaluator: ICLEvaluator, n: int = N_PROMPTS) -> list[Prompts]:
    """The first prompts of each set of demonstrations, `n` in all, or all there are; of no more
    than `n` sets.
    """
    groups = evaluator.groups[:n]
    found = []
    for number, prompts in enumerate(groups):
        share = n // len(groups) + (number < n % len(groups))
        found.append(
            Prompts(
                prompts.contexts[:share],
                prompts.continuations[:share],
                prompts.labels[:share],
                prompts.of_options,
            )
        )
    return found
