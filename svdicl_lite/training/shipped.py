"""What trains each shipped model, by its name."""

from collections.abc import Callable
from functools import partial

from svdicl_lite.training import language, linreg, polyglot, recall_recipe, suite_llama, tabular
from svdicl_lite.training.recipes import RECIPES

MAKERS: dict[str, Callable[[], None]] = {name: partial(language.make, name) for name in RECIPES} | {
    "recall-gpt2": recall_recipe.make,
    "linreg-gpt2": linreg.make,
    "tab-gpt2": tabular.make,
    "icl-gpt2-polyglot": polyglot.make,
    "suite-llama": suite_llama.make,
}
"""In the order of training: a model may start from one that stands before it."""
