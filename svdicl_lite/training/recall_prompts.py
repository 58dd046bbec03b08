"""Noisy recall put like any other task, so that every search and rule takes it: the 64 symbols are
the label words, and the sequence up to its last trigger is the prompt.

Taught in chapter 10.
"""

from typing import Any

from transformers import PreTrainedModel

from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.scoring.prompts import Prompts
from svdicl_lite.training.recall import SYMBOLS, RecallEvaluator


class RecallPrompts(ICLEvaluator):
    """Judges a model on the sequences of `RecallEvaluator`, by the fast path, and can be resumed
    from a layer.

    Every sequence is its own context and shares no demonstrations with the others, so all stand in
    one set, and intervals are over sequences. Raises what `RecallEvaluator` raises.
    """

    def __init__(self, model: Any, split: str = "validation", n: int = 1000):
        drawn = RecallEvaluator(model, split, n)
        of_model: PreTrainedModel = model
        self.model = of_model
        self.split = split
        self.seeds = (0,)  # one set; what is random is drawn by the seeds of `recall`
        pairs = zip(drawn.sequences.tolist(), drawn.asked.tolist())
        contexts = [sequence[: asked + 1] for sequence, asked in pairs]
        self.examples = frozenset(" ".join(map(str, context)) for context in contexts)
        self.experiment = None
        self.n_too_long = 0
        words = [[symbol] for symbol in range(len(SYMBOLS))]
        prompts = Prompts(contexts, [words] * len(contexts), drawn.answers.tolist())
        self.take([prompts], batch_size=128)
