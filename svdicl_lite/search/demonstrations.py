"""The demonstrations of an evaluator as tokens, read back from its prompts: the texts that a clip
by inputs may look at. Taught in chapter 09.
"""

from svdicl_lite.clipping.whitened import OF_INPUTS
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.prompts import Tokens


def demonstration_tokens(evaluator: ICLEvaluator) -> list[Tokens]:
    """Of each set what all its prompts begin with, up to its last label word, so that it does not
    depend on how alike the queries begin (of options, which have no label words, all of it). Empty
    without demonstrations.
    """
    found = []
    for plan, prompts in zip(evaluator.plans, evaluator.groups):
        tokens: Tokens = plan.prefix[0].tolist()
        if not prompts.of_options:
            words = {word for row in prompts.label_tokens for word in row}
            ends = [place + 1 for place, token in enumerate(tokens) if token in words]
            tokens = tokens[: ends[-1]] if ends else []
        found.append(tokens)
    return found


def check_same_demonstrations(method: str, validation: ICLEvaluator, test: ICLEvaluator) -> None:
    """Raises ValueError if the method fits inputs and the two would show it others: the clip that
    is tested would not be the one that was chosen.
    """
    if method in OF_INPUTS and demonstration_tokens(validation) != demonstration_tokens(test):
        raise ValueError(
            f"method {method!r} is made of the demonstrations, but validation and test have others;"
            " give both the same seeds and n_shots"
        )
