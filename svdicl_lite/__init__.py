"""SVD clipping of transformers, and what it does to in-context learning: the module under the book
of the same repository.

What most users need is here, by name, and is imported when it is first asked for: `import
svdicl_lite` itself loads nothing. The rooms behind it: `clipping`, `scoring`, `search`, `tasks`,
`models`, `training`, `classroom`, `widgets`, `cli`.
"""

from importlib import import_module

__version__ = "0.2.0"

_FRONT = {  # name → the file that defines it
    "load_model": "models.loading", "load_task": "tasks.loading", "Task": "tasks.task",
    "ICLEvaluator": "scoring.evaluator", "Evaluation": "scoring.evaluation",
    "SVD": "clipping.svd", "CLIP_RATES": "clipping.svd", "Clip": "clipping.clip", "clipped": "clipping.clip", "clip_": "clipping.clip",
    "factorize_": "clipping.factored", "load_factored": "clipping.factored",
    "condition_table": "clipping.spectra", "select_layer": "clipping.spectra",
    "search_clip_rate": "search.algorithm1", "sweep": "search.sweeps", "greedy_search": "search.greedy",
    "compare": "search.without_rate", "calibration": "search.without_rate", "Experiment": "search.experiment", "Journal": "search.journal",
}  # fmt: skip
__all__ = [*_FRONT]


def __getattr__(name: str):
    if name not in _FRONT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_FRONT[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
