"""Experiments of the fourth kind: what each rule says of every clip, before any is measured.

A toml with `kind = "rules"` names a model, tasks, rules, modules and clip rates. The parquet has a
row for each task, rule, module and layer with the score of every rate (of a rule that does not tell
rates apart, with one score), and says how long each rule took. Rules of weights are asked once, for
all tasks. `rule_scores` reads it, `asked_by` makes of it what `rivals` judges.
Taught in chapter 10.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from transformers import PreTrainedModel

from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.svd import CLIP_RATES
from svdicl_lite.models.digest import weights_digest
from svdicl_lite.models.loading import load_model
from svdicl_lite.scoring.evaluator import ICLEvaluator
from svdicl_lite.search.committed import Kept, about, outcomes_path
from svdicl_lite.search.computed import check_same, described, the_same, write
from svdicl_lite.search.rivals import Asked, asked
from svdicl_lite.search.rules.gradient import gradient_table
from svdicl_lite.search.rules.question import Question
from svdicl_lite.search.rules.registry import rule_named
from svdicl_lite.tasks.loading import load_task

ANY = "any"  # the task of a rule that looks at none
TOLERANCE = 2e-3  # of the largest promise of a gradient: machines add in different orders


@dataclass(frozen=True)
class Asking:
    """What the toml says is asked of every rule."""

    tasks: tuple[str, ...]
    n: int
    seeds: tuple[int, ...]
    labels: str = "canonical"
    split: str = "validation"
    n_shots: int = 8
    batch_size: int = 16
    modules: tuple[str, ...] = ("mlp", "attn")
    clip_rates: tuple[float, ...] = CLIP_RATES
    rules: tuple[str, ...] = ("condition", "stable-rank", "last", "block-influence", "gradient")

    @classmethod
    def of(cls, kept: Kept) -> "Asking":
        """As the toml says. Raises ValueError for what nobody understands, or what is missing."""
        return cls(**kept.settings(cls, ("tasks", "n", "seeds"), "rules"))

    def evaluator(self, model: PreTrainedModel, tokenizer: Any, task: str) -> ICLEvaluator:
        """The prompts that the rules may read."""
        loaded = load_task(task, self.labels)
        sizes = self.n, self.n_shots, self.seeds, self.batch_size
        return ICLEvaluator(model, tokenizer, loaded, self.split, *sizes)

    def question(self, model: PreTrainedModel, module: str, prompts: ICLEvaluator) -> Question:
        """About one module."""
        return Question(model, (module,), self.clip_rates, prompts)


def compute_rules(kept: Kept, say: Callable[[str], object] = print) -> Path:
    """Asks every rule of every task and writes the parquet, which appears only when all is there.

    Raises what the rules, the model and the tasks raise.
    """
    started = time.time()
    wanted = Asking.of(kept)
    model, tokenizer = load_model(kept.said["model"])
    rows: list[dict[str, Any]] = []
    prompts, costs = {}, []
    for number, task in enumerate(wanted.tasks):
        evaluator = wanted.evaluator(model, tokenizer, task)
        prompts[task] = evaluator.digest
        for rule in wanted.rules:
            of_weights = rule_named(rule).needs == "weights"
            if of_weights and number:
                continue
            for module, found in _of_modules(rule, wanted, model, evaluator).items():
                place = {"task": ANY if of_weights else task, "rule": rule, "module": module}
                rows += [{**place, **row} for row in _rows(found)]
                cost = {"seconds": found.seconds, "forwards": found.forwards}
                costs.append({**place, **cost, "layer": found.layer})
            say(f"{kept.path.stem}: {task}, {rule}, {time.time() - started:.0f} s")
    more = {"prompts_of": prompts, "costs": costs}
    said = described(kept, weights_digest(model), started)
    write(kept.outcomes, rows, {**said, **more}, "scores")
    return kept.outcomes


def _of_modules(
    rule: str, wanted: Asking, model: PreTrainedModel, evaluator: ICLEvaluator
) -> dict[str, Asked]:
    """What the rule says of each module. A rule that reads prompts is asked about all at once, as
    one reading serves them all; its cost is then that of all.
    """
    questions = {module: wanted.question(model, module, evaluator) for module in wanted.modules}
    if rule_named(rule).needs == "weights":
        return {module: asked(rule, question) for module, question in questions.items()}
    together = asked(rule, Question(model, wanted.modules, wanted.clip_rates, evaluator))
    found = {}
    for module in wanted.modules:
        table = together.table[together.table["module"] == module].reset_index(drop=True)
        layer = int(table.loc[table["score"].idxmax(), "layer"])
        rest = together.tells_rates, together.seconds, together.forwards
        found[module] = Asked(rule, table, layer, *rest)
    return found


def _rows(found: Asked) -> list[dict[str, Any]]:
    """A row a layer: a score for each rate in order, or one if they are not told apart."""
    rows = []
    for layer, of_layer in found.table.groupby("layer", sort=True):
        scores = of_layer.sort_values("clip_rate")["score"].to_numpy(dtype=np.float32)
        rows.append({"layer": layer, "scores": scores if found.tells_rates else scores[:1]})
    return rows


def rule_scores(path: str | Path) -> pd.DataFrame:
    """The kept scores, a row a clip: task ("any" for a rule of weights), rule, layer, module,
    clip_rate, score.

    `path` is the toml or the parquet, or the name alone. Raises FileNotFoundError if it was not
    computed, ValueError for a file that is damaged or holds something else.
    """
    from pyarrow import parquet

    path = outcomes_path(path)
    said = about(path)["said"]
    if said.get("kind") != "rules":
        raise ValueError(f"{path.name} holds no scores of rules")
    rates = sorted(rate for rate in said.get("clip_rates", CLIP_RATES) if rate > 0)
    table: pd.DataFrame = parquet.read_table(path).to_pandas()
    rows = []
    for row in table.itertuples():
        scores = np.broadcast_to(np.asarray(row.scores, dtype=float), len(rates))
        place = {"task": row.task, "rule": row.rule, "layer": row.layer, "module": row.module}
        rows += [{**place, "clip_rate": rate, "score": s} for rate, s in zip(rates, scores)]
    return pd.DataFrame(rows)


def asked_by(path: str | Path, task: str, module: str) -> list[Asked]:
    """What the kept rules say of a module of this task, as `rivals.asked` would have found it.

    Raises ValueError for a task or module of which nothing was kept, and what `rule_scores` raises.
    """
    table, said = rule_scores(path), about(outcomes_path(path))
    table = table[(table["module"] == module) & table["task"].isin((task, ANY))]
    if task not in said["prompts_of"] or table.empty:
        raise ValueError(f"{Path(path).stem} has no rule's scores of {module} on {task!r}")
    found = []
    for cost in said["costs"]:
        if cost["task"] in (task, ANY) and cost["module"] == module:
            of_rule = table[table["rule"] == cost["rule"]].reset_index(drop=True)
            clips = of_rule[["layer", "module", "clip_rate", "score"]]
            tells_rates = bool(clips.groupby("layer")["score"].nunique().max() > 1)
            rest = cost["layer"], tells_rates, cost["seconds"], cost["forwards"]
            found.append(Asked(cost["rule"], clips, *rest))
    return found


def check_rules(kept: Kept, n_layers: int = 1, seed: int | None = None) -> pd.DataFrame:
    """Asks the gradient again about `n_layers` layers of one task, drawn by `seed` (None: the
    clock): one row a layer and module with `largest`, the largest difference of a score as a share
    of the largest score.

    Raises ValueError if weights, prompts or a score are others, or if the gradient was not asked.
    """
    rng = random.Random(seed if seed is not None else time.time_ns())
    wanted, said = Asking.of(kept), about(kept.path)
    if "gradient" not in wanted.rules:
        raise ValueError(f"{kept.path.stem} did not ask the gradient, the one rule that is checked")
    model, tokenizer = load_model(kept.said["model"])
    check_same(kept, "weights", said["weights"], weights_digest(model))
    task = rng.choice(wanted.tasks)
    evaluator = wanted.evaluator(model, tokenizer, task)
    check_same(kept, f"prompts of {task}", said["prompts_of"][task], evaluator.digest)
    table, rows = rule_scores(kept.path), []
    table = table[(table["task"] == task) & (table["rule"] == "gradient")]
    layers = sorted(set(table["layer"]))
    for layer in rng.sample(layers, min(n_layers, len(layers))):
        # one backward pass for the modules together
        found = {module: matrices(model, layer, module) for module in wanted.modules}
        every = {str(matrix): matrix for part in found.values() for matrix in part}
        rates = sorted(set(table["clip_rate"]))
        again = gradient_table(evaluator, list(every.values()), rates)
        for module, part in found.items():
            here = table[(table["layer"] == layer) & (table["module"] == module)]
            mine = again[again["role"].isin([matrix.role for matrix in part])]
            scores = -mine.groupby("clip_rate")["predicted_change"].sum().loc[rates]
            before = here.set_index("clip_rate")["score"].loc[rates]
            largest = (scores - before).abs().max() / before.abs().max()
            rows.append({"task": task, "layer": layer, "module": module, "largest": largest})
    found = pd.DataFrame(rows)
    return the_same(kept, found, TOLERANCE, "a score found again", " of the largest")
