"""Changes without a clip rate, judged as a search judges its choice: a whole block dropped,
components that the gradient names taken out, calibration. Taught in chapter 09.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from svdicl_lite.clipping.controls import dropped
from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.scoring.calibration import batch_bias, calibrate
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.checks import check_evaluators
from svdicl_lite.search.gradient_sign import gradient_sign
from svdicl_lite.search.results import Comparison
from svdicl_lite.search.rules.question import Question
from svdicl_lite.search.rules.registry import layer_of


def compare(
    validation: ICLEvaluator,
    test: ICLEvaluator,
    change: Callable[[], AbstractContextManager[Any]],
) -> Comparison:
    """Before and after any change of the model: `change()` is a context in which it is in force,
    such as `controls.dropped`.
    """
    check_evaluators(validation.model, validation, test)
    validation_before, test_before = validation(), test()
    with change():
        return Comparison(validation_before, validation(), test_before, test())


def calibration(validation: ICLEvaluator, test: ICLEvaluator) -> Comparison:
    """What subtracting each prompt's preference for a label word gains without any clip (batch
    calibration, Zhou et al. 2023).

    The preference is measured on validation, set of demonstrations by set, without its labels, so
    both evaluators must share their sets.
    """
    if validation.seeds != test.seeds:
        raise ValueError(
            f"validation has the demonstration seeds {validation.seeds} and test {test.seeds}, but"
            " a bias belongs to its demonstrations"
        )
    check_evaluators(validation.model, validation, test)
    validation_before, test_before = validation(), test()
    sets = validation_before.demonstration_sets
    bias = np.stack(
        [
            batch_bias(validation_before.scores[sets == number])
            for number in range(len(validation.seeds))
        ]
    )  # (sets, C)

    def calibrated(outcome: Evaluation) -> Evaluation:
        return calibrate(outcome, bias[outcome.demonstration_sets])

    return Comparison(
        validation_before, calibrated(validation_before), test_before, calibrated(test_before)
    )


WITHOUT_RATE = ("drop-block", "gradient-sign", "calibration")
"""Changes that have no clip rate, and so nothing to choose by validation. Gradient sign learns from
validation's labels all the same, so that what it gains there is no promise for test.
"""


def control(
    validation: ICLEvaluator,
    test: ICLEvaluator,
    method: str,
    module: str = "mlp",
    layer: int | str | None = None,
    top_k: int = 2,
    reduction: str = "max",
    seed: int = 0,
) -> tuple[int | None, Comparison]:
    """A change of `WITHOUT_RATE`, and the layer it was done to: that which `search_clip_rate`
    would clip, none for calibration.
    """
    if method not in WITHOUT_RATE:
        raise ValueError(
            f"method is {method!r}, but must be one of {', '.join(WITHOUT_RATE)}; search_clip_rate"
            " takes the others"
        )
    if method == "calibration":
        return None, calibration(validation, test)
    question = Question(
        validation.model,
        (module,),
        validation=validation,
        seed=seed,
        top_k=top_k,
        reduction=reduction,
    )
    layer = layer_of(layer, question)
    if method == "gradient-sign":
        found = matrices(validation.model, layer, module)
        return layer, compare(validation, test, lambda: gradient_sign(validation, found))
    return layer, compare(validation, test, lambda: dropped(validation.model, layer))
