"""`svdicl greedy`: clip layer after layer, keep what helps."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from svdicl_lite.cli.parameters import (
    N_SETS,
    PAPER_RATES,
    AsJson,
    Device,
    DropLong,
    Dtype,
    Guard,
    JournalFile,
    Labels,
    Layers,
    MaxLoss,
    Model,
    Modules,
    NTest,
    NValidation,
    Out,
    Rates,
    Seed,
    Sets,
    Shots,
    TaskName,
    loss_of,
    rates_of,
    task_and_labels,
)
from svdicl_lite.cli.run import run
from svdicl_lite.cli.setting import Setting

if TYPE_CHECKING:  # takes long to import
    from svdicl_lite.cli.report import Report
    from svdicl_lite.search.greedy import GreedyResult

SHORT_HELP = "Clip layer after layer, keep what helps."
EPILOG = (
    "Example: svdicl greedy --model icl-gpt2 --task sentiment --labels flipped --module mlp"
    " --guard topic --max-loss 0.03"
)
JSON = (
    "JSON: steps (layer, module, clip_rate, validation and guard, each with n, accuracy … as for"
    " search, or null), n_tried, guard, guard_labels, max_loss; and, as for search,"
    " validation_before … kind, verdict, experiment, dropped, tokenizer, seconds."
)


def greedy(
    model: Model,
    task: TaskName,
    labels: Labels = "canonical",
    module: Modules = ["mlp", "attn"],  # noqa: B006  typer copies it
    layer: Layers = None,
    clip_rates: Rates = PAPER_RATES,
    guard: Guard = None,
    max_loss: MaxLoss = None,
    shots: Shots = 8,
    seed: Seed = 0,
    sets: Sets = N_SETS,
    n_validation: NValidation = None,
    n_test: NTest = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    drop_long: DropLong = False,
    journal: JournalFile = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Clip layer after layer, the deepest first, and keep what helps on validation; judge all of it
    once on test.
    """
    guard_task, guard_labels = task_and_labels(guard)
    sizes = shots, seed, sets, n_validation, n_test
    setting = Setting(model, task, labels, *sizes, device, dtype, drop_long)
    judges = setting.judges("validation", "test")
    if guard_task is not None:
        guarding = replace(setting, task=guard_task, labels=guard_labels)
        judges["guard"] = lambda: guarding.evaluator("validation")
    where = {"modules": module, "layers": layer or None, "clip_rates": rates_of(clip_rates)}

    def identity() -> dict[str, Any]:
        guarded = judges["guard"]().digest if guard else None
        return {**setting.identity(), "guard": guarded}

    def work(journal: Any, map: Any) -> "Report":
        limits = {
            "guard": guard_task,
            "guard_labels": guard_labels,
            "max_loss": loss_of(max_loss, guard),
        }
        return _found(setting, judges, where, limits, journal)

    run("greedy", work, as_json, out, identity, judges, journal)


def _found(
    setting: Setting,
    judges: dict[str, Any],
    where: dict[str, Any],
    limits: dict[str, Any],
    journal: Any,
) -> "Report":
    from svdicl_lite.search.greedy import greedy_search

    validation, test = judges["validation"](), judges["test"]()
    has_guard = limits["guard"] is not None
    result = greedy_search(
        validation.model,
        validation,
        test,
        guard=judges["guard"]() if has_guard else None,
        max_loss=limits["max_loss"],
        journal=journal,
        **where,
    )
    if not has_guard:
        limits = {**limits, "max_loss": None}
    return _report(setting, limits, result)


def _report(setting: Setting, limits: dict[str, Any], result: "GreedyResult") -> "Report":
    from svdicl_lite.cli.report import Report
    from svdicl_lite.cli.rows import by_set, compared_row, interval, judged_row, of_majority

    steps, rows = [], []
    outcomes = [({"judge": "validation", "clips": 0}, result.validation_before)]
    for number, step in enumerate(result.steps, 1):
        place = {"layer": step.cell.layer, "module": step.cell.module}
        judged: dict[str, Any] = {
            "validation": judged_row(step.validation),
            "guard": step.guard and judged_row(step.guard),
        }
        steps.append({**place, "clip_rate": step.cell.clip_rate, **judged})
        row = {
            **place,
            "ξ": step.cell.clip_rate,
            "validation accuracy": interval(judged["validation"]),
            "balanced": judged["validation"]["balanced_accuracy"],
            "discrimination": judged["validation"]["discrimination"],
            "n": judged["validation"]["n"],
            "guard": judged["guard"] and interval(judged["guard"]),
        }
        rows.append(row)
        outcomes.append(({"judge": "validation", "clips": number}, step.validation))
    outcomes.append(({"judge": "test", "clips": 0}, result.test_before))
    outcomes.append(({"judge": "test", "clips": len(steps)}, result.test_after))
    document = {
        **setting.facts("validation", "test"),
        **limits,
        "steps": steps,
        "n_tried": result.n_tried,
        **compared_row(result),
        "verdict": result.verdict(),
    }
    kept = "" if steps else "no clip kept "  # the table has the steps
    majority = of_majority("validation", judged_row(result.validation_before))
    note = (
        f"{kept}of {result.n_tried} clips tried{majority}\n{result.verdict()}{by_set(result)}"
        f"{setting.note('validation', 'test')}"
    )
    return Report(document, rows, note, outcomes, n_keys=2)
