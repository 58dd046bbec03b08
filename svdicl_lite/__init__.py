"""SVD clipping of transformers, and what it does to in-context learning: the module under the book
of the same repository.

What most users need is here, by name, and is imported when it is first asked for: `import
svdicl_lite` itself loads nothing. The rooms behind it: `clipping`, `scoring`, `search`, `tasks`,
`models`, `training`, `classroom`, `widgets`, `cli`.
"""

from importlib import import_module  # by name here alone: the rest of the module says it plainly
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names as below, for whoever reads without running
    from svdicl_lite.clipping.clip import Clip as Clip
    from svdicl_lite.clipping.clip import clip_ as clip_
    from svdicl_lite.clipping.clip import clipped as clipped
    from svdicl_lite.clipping.factored import factorize_ as factorize_
    from svdicl_lite.clipping.factored import load_factored as load_factored
    from svdicl_lite.clipping.spectra import condition_table as condition_table
    from svdicl_lite.clipping.svd import CLIP_RATES as CLIP_RATES
    from svdicl_lite.clipping.svd import SVD as SVD
    from svdicl_lite.models.loading import load_model as load_model
    from svdicl_lite.scoring.evaluation import Evaluation as Evaluation
    from svdicl_lite.scoring.evaluator import ICLEvaluator as ICLEvaluator
    from svdicl_lite.search.algorithm1 import search_clip_rate as search_clip_rate
    from svdicl_lite.search.experiment import Experiment as Experiment
    from svdicl_lite.search.find_clip import find_clip as find_clip
    from svdicl_lite.search.greedy import greedy_search as greedy_search
    from svdicl_lite.search.journal import Journal as Journal
    from svdicl_lite.search.rules.registry import select_layer as select_layer
    from svdicl_lite.search.sweeps import sweep as sweep
    from svdicl_lite.search.without_rate import calibration as calibration
    from svdicl_lite.search.without_rate import compare as compare
    from svdicl_lite.tasks.loading import load_task as load_task
    from svdicl_lite.tasks.task import Task as Task

__version__ = "0.2.0"

_FILES = {  # name → the file that defines it
    "find_clip": "search.find_clip",
    "load_model": "models.loading",
    "load_task": "tasks.loading",
    "Task": "tasks.task",
    "ICLEvaluator": "scoring.evaluator",
    "Evaluation": "scoring.evaluation",
    "SVD": "clipping.svd",
    "CLIP_RATES": "clipping.svd",
    "Clip": "clipping.clip",
    "clipped": "clipping.clip",
    "clip_": "clipping.clip",
    "factorize_": "clipping.factored",
    "load_factored": "clipping.factored",
    "condition_table": "clipping.spectra",
    "select_layer": "search.rules.registry",
    "search_clip_rate": "search.algorithm1",
    "sweep": "search.sweeps",
    "greedy_search": "search.greedy",
    "compare": "search.without_rate",
    "calibration": "search.without_rate",
    "Experiment": "search.experiment",
    "Journal": "search.journal",
}
__all__ = [*_FILES]


def __getattr__(name: str) -> Any:
    """Imports what is asked for here for the first time."""
    if name not in _FILES:
        raise AttributeError(
            f"svdicl_lite offers no {name!r}, but {', '.join(sorted(_FILES))}; what else there is"
            " lies in its rooms, such as svdicl_lite.stats",
            name=name,
        )
    value = getattr(import_module(f"svdicl_lite.{_FILES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """What completion offers: the names, asked for or not, and what has been imported."""
    hidden = {"TYPE_CHECKING", "Any", "import_module"}
    return sorted({*globals(), *__all__} - hidden)
