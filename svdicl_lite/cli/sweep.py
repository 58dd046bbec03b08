"""`svdicl sweep`: all layers × modules × clip rates."""

from typing import TYPE_CHECKING, Any

from svdicl_lite.cli.parameters import (
    N_SETS,
    PAPER_RATES,
    AsJson,
    Device,
    DropLong,
    Dtype,
    Expert,
    JournalFile,
    Labels,
    Layers,
    Method,
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
    Workers,
    number,
    rates_of,
)
from svdicl_lite.cli.run import run
from svdicl_lite.cli.setting import Setting

if TYPE_CHECKING:  # takes long to import
    from pandas import DataFrame

    from svdicl_lite.cli.report import Report

SHORT_HELP = "All layers × modules × clip rates."
EPILOG = (
    "Example: svdicl sweep --model icl-gpt2 --task sentiment --labels flipped --module mlp"
    " --workers 2 --journal sweep.jsonl"
)
JSON = (
    "JSON: cells (layer, module, clip_rate, n, accuracy, accuracy_over_sets, low, high,"
    " balanced_accuracy, majority_accuracy, discrimination, discrimination_over_sets,"
    " calibrated_accuracy, calibrated_over_sets, imbalance, imbalance_over_sets, shares, collapsed;"
    " low and high are Wilson's 95 % interval, for these demonstrations; those over sets are for"
    " others too, null below four sets), method, expert, experiment, dropped (rows left out, by"
    " reason), tokenizer (class, bos, eos), seconds."
)


def sweep(
    model: Model,
    task: TaskName,
    labels: Labels = "canonical",
    module: Modules = ["mlp", "attn"],  # noqa: B006  typer copies it
    layer: Layers = None,
    clip_rates: Rates = PAPER_RATES,
    method: Method = "svd",
    expert: Expert = None,
    shots: Shots = 8,
    seed: Seed = 0,
    sets: Sets = N_SETS,
    n_validation: NValidation = None,
    n_test: NTest = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    drop_long: DropLong = False,
    workers: Workers = None,
    journal: JournalFile = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Every layer × module × clip rate on validation, as in the paper's Figure 1.

    A search of the same experiment can resume from the same journal.
    """
    rates, of_expert = rates_of(clip_rates), number(expert)
    sizes = shots, seed, sets, n_validation, n_test
    setting = Setting(model, task, labels, *sizes, device, dtype, drop_long)

    def work(journal: Any, map: Any) -> "Report":
        from svdicl_lite.search.sweeps import sweep as judge_all

        judge = setting.evaluator("validation")
        table = judge_all(
            judge.model,
            judge,
            list(dict.fromkeys(layer)) if layer else None,  # named twice, judged once
            list(dict.fromkeys(module)),
            rates,
            expert=of_expert,
            method=method,
            seed=seed,
            journal=journal,
            map=map,
        )
        return _report(setting, {"method": method, "expert": of_expert}, table)

    judges = setting.judges("validation")
    run("sweep", work, as_json, out, setting.identity, judges, journal, workers)


PLACE = ("layer", "module", "clip_rate")


def _report(setting: Setting, how: dict[str, Any], table: "DataFrame") -> "Report":
    from svdicl_lite.cli.report import Report
    from svdicl_lite.cli.rows import by_rate, judged_row, of_majority

    cells, outcomes = [], []
    for row in table.to_dict("records"):
        place = {name: row[name] for name in PLACE}
        cells.append({**place, **judged_row(row["evaluation"])})
        outcomes.append(({"judge": "validation", **place}, row["evaluation"]))
    ends = [cell["accuracy_over_sets"] or (cell["low"], cell["high"]) for cell in cells]
    widest = max(high - low for low, high in ends) / 2
    collapses = sum(cell["collapsed"] for cell in cells)
    note = (
        f"on validation at clip rate ξ, n = {cells[0]['n']:,}; half an interval of accuracy is"
        f" {widest:.3f} at most{of_majority('validation', cells[0])}"
    )
    if collapses:
        note += f"\n{collapses} of {len(cells)} cells collapse: one label gets nearly all answers"
    note += setting.note("validation")
    document = {**setting.facts("validation"), **how, "cells": cells}
    return Report(document, by_rate(cells), note, outcomes, n_keys=3)
