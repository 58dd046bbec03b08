"""The command line: `svdicl condition · sweep · search · greedy · clip`.

Results go to stdout, a table or, with --json, one JSON object and nothing else; progress and
complaints go to stderr. Exit codes: 0 done, 1 it cannot be done (one sentence says why), 2 the
command line itself is wrong, 130 broken off by ctrl-C (after what was finished by then). Whatever
takes long to import is imported by the commands. Taught in chapter 13.
"""

import typer

from svdicl_lite.cli import grade
from svdicl_lite.cli.options import (
    PAPER_RATES,
    AsJson,
    Device,
    Dtype,
    Expert,
    Factored,
    Guard,
    JournalFile,
    Labels,
    LayerChoice,
    Layers,
    MaxLoss,
    Method,
    Model,
    Module,
    Modules,
    NewFolder,
    NTest,
    NValidation,
    OneLayer,
    Out,
    Rate,
    Rates,
    Reduction,
    Seed,
    Sets,
    Shots,
    TaskName,
    TopK,
    Workers,
)
from svdicl_lite.cli.run import experiment_of, judges_of, number, rates_of, run, task_and_labels

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help=(
        "SVD clipping of transformers, judged by what it does to in-context learning. Every command"
        " prints a table, or JSON with --json."
    ),
    epilog=(
        "Exit codes: 0 done, 1 it cannot be done (one sentence says why), 2 wrong usage, 130 broken"
        " off by ctrl-C."
    ),
)


@app.command(
    short_help="Condition numbers, and the layer they choose.",
    epilog="Example: svdicl condition --model icl-gpt2-noisy --module mlp",
)
def condition(
    model: Model,
    module: Module = "all",
    expert: Expert = None,
    top_k: TopK = 2,
    reduction: Reduction = "max",
    device: Device = "auto",
    dtype: Dtype = "auto",
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Condition numbers of all matrices, and the layer that Algorithm 1 would choose by them.

    JSON: matrices (layer, role, sigma_max, sigma_min, condition_number, stable_rank; null where
    infinite or undefined), chosen_layer (null if a matrix is singular), note, module, expert,
    top_k, reduction, model, device, dtype, seconds.
    """
    expert = number(expert)

    def work(journal, map):
        from svdicl_lite.cli.report import Report
        from svdicl_lite.clipping.matrices import n_layers
        from svdicl_lite.clipping.spectra import check_choice, chosen_layer, condition_table
        from svdicl_lite.search.experiment import Experiment

        experiment = Experiment(model, task="none", device=device, dtype=dtype).here()
        loaded, _ = experiment.load()
        check_choice(n_layers(loaded), top_k, reduction)
        table = condition_table(loaded, module, expert)
        try:
            chosen = chosen_layer(table, top_k, reduction)
            note = (
                f"layer {chosen} would be chosen: the deepest of the {top_k} with the largest"
                f" condition numbers ({reduction} over {module})"
            )
        except ValueError as error:  # a singular matrix; the table is still worth showing
            chosen, note = None, str(error)
        document = {
            "model": model,
            "device": experiment.device,
            "dtype": experiment.dtype,
            "module": module,
            "expert": expert,
            "top_k": top_k,
            "reduction": reduction,
        }
        rows = table.to_dict("records")
        return Report(
            {**document, "matrices": rows, "chosen_layer": chosen, "note": note}, rows, note
        )

    run("condition", work, as_json, out)


@app.command(
    short_help="All layers × modules × clip rates.",
    epilog=(
        "Example: svdicl sweep --model icl-gpt2 --task sentiment --labels flipped --module mlp"
        " --workers 2 --journal sweep.jsonl"
    ),
)
def sweep(
    model: Model,
    task: TaskName,
    labels: Labels = "canonical",
    module: Modules = ["mlp", "attn"],
    layer: Layers = None,  # noqa: B006  typer copies it
    clip_rates: Rates = PAPER_RATES,
    method: Method = "svd",
    expert: Expert = None,
    shots: Shots = 8,
    seed: Seed = 0,
    sets: Sets = 1,
    n_validation: NValidation = 200,
    n_test: NTest = 1000,
    device: Device = "auto",
    dtype: Dtype = "auto",
    workers: Workers = None,
    journal: JournalFile = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Every layer × module × clip rate on validation, as in the paper's Figure 1.

    JSON: cells (layer, module, clip_rate, n, accuracy, low, high, balanced_accuracy; low and high
    are Wilson's 95 % interval), method, expert, experiment, seconds. A search of the same
    experiment can go on from the same journal.
    """
    rates, expert = rates_of(clip_rates), number(expert)

    def work(journal, map):
        from svdicl_lite.cli.report import Report, by_rate, experiment_row, judged_row
        from svdicl_lite.search.sweeps import sweep as judge_all

        validation = judges["validation"]()
        table = judge_all(
            validation.model,
            validation,
            layer or None,
            module,
            rates,
            expert,
            method,
            seed,
            journal,
            map,
        ).to_dict("records")
        cells = [
            {
                **{name: row[name] for name in ("layer", "module", "clip_rate")},
                **judged_row(row["evaluation"]),
            }
            for row in table
        ]
        document = {
            "experiment": experiment_row(experiment()),
            "method": method,
            "expert": expert,
            "cells": cells,
        }
        widest = max(cell["high"] - cell["low"] for cell in cells) / 2
        note = (
            f"accuracy on validation at clip rate ξ, n = {n_validation:,}; half a 95 % interval is"
            f" {widest:.3f} at most"
        )
        outcomes = [
            (
                {
                    "judge": "validation",
                    **{name: row[name] for name in ("layer", "module", "clip_rate")},
                },
                row["evaluation"],
            )
            for row in table
        ]
        return Report(document, by_rate(cells), note, outcomes)

    experiment = experiment_of(
        model, task, labels, shots, seed, sets, n_validation, n_test, device, dtype
    )
    judges = judges_of(experiment, "validation")
    run("sweep", work, as_json, out, lambda: experiment().identity(), judges, journal, workers)


@app.command(
    short_help="Algorithm 1: choose on validation, judge on test.",
    epilog=(
        "Example: svdicl search --model icl-gpt2-noisy --task sentiment --labels flipped --module"
        " mlp --sets 4"
    ),
)
def search(
    model: Model,
    task: TaskName,
    labels: Labels = "canonical",
    module: Module = "mlp",
    layer: LayerChoice = "auto",
    top_k: TopK = 2,
    reduction: Reduction = "max",
    clip_rates: Rates = PAPER_RATES,
    method: Method = "svd",
    expert: Expert = None,
    shots: Shots = 8,
    seed: Seed = 0,
    sets: Sets = 1,
    n_validation: NValidation = 200,
    n_test: NTest = 1000,
    device: Device = "auto",
    dtype: Dtype = "auto",
    workers: Workers = None,
    journal: JournalFile = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Algorithm 1: choose a layer by condition number and a clip rate on validation, then judge
    that choice once on test.

    JSON: layer, module, clip_rate, method, expert (the choice); validation (clip_rate, n, accuracy,
    low, high, balanced_accuracy of each candidate); validation_before, validation_after,
    test_before, test_after (n, accuracy, low, high, balanced_accuracy); validation_gain, test_gain,
    test_gain_low, test_gain_high (paired bootstrap, 95 %), p_value (McNemar), optimism,
    test_gain_by_set and p_value_by_set (sign flips, null for one set), verdict, experiment,
    seconds. The methods drop-block (the layer passes on what it gets) and calibration have no
    rates, journal or workers: module, expert and clip_rate are null then and validation is empty;
    so is layer for calibration.
    """
    rates, expert, layer = (
        rates_of(clip_rates),
        number(expert),
        {"auto": None, "random": "random"}.get(layer, number(layer)),
    )
    if isinstance(layer, str) and layer != "random":
        raise typer.BadParameter(
            f"{layer!r} is neither auto, random nor a number", param_hint="--layer"
        )

    def work(journal, map):
        from svdicl_lite.cli.report import (
            Report,
            by_set,
            compared_row,
            experiment_row,
            interval,
            judged_row,
        )
        from svdicl_lite.search.algorithm1 import search_clip_rate
        from svdicl_lite.search.without_rate import WITHOUT_RATE, control

        validation, test = judges["validation"](), judges["test"]()
        if method in WITHOUT_RATE:
            if expert is not None or workers is not None:
                raise ValueError(
                    f"method {method!r} is of a whole model, done here; leave --expert and"
                    " --workers out"
                )
            where, result = control(validation, test, method, module, layer, top_k, reduction, seed)
            found = {
                "layer": where,
                "module": None,
                "clip_rate": None,
                "method": method,
                "expert": None,
            }
            document = {
                "experiment": experiment_row(experiment()),
                **found,
                "validation": [],
                **compared_row(result),
                "verdict": str(result),
            }
            pairs = [
                ("validation", result.validation_before, result.validation_after),
                ("test", result.test_before, result.test_after),
            ]
            outcomes = [
                ({"judge": judge, "after": after}, both[after])
                for judge, *both in pairs
                for after in (0, 1)
            ]
            rows = [
                {
                    "": judge,
                    "before": interval(judged_row(before)),
                    "after": interval(judged_row(after)),
                    "n": after.n,
                }
                for judge, before, after in pairs
            ]
            title = method if where is None else f"{method} of layer {where}"
            return Report(document, rows, f"{title}\n{result}{by_set(result)}", outcomes)
        result = search_clip_rate(
            validation.model,
            validation,
            test,
            module,
            layer,
            top_k,
            reduction,
            rates,
            expert,
            method,
            seed,
            journal,
            map,
        )
        found = {
            "layer": result.layer,
            "module": module,
            "clip_rate": result.clip_rate,
            "method": method,
            "expert": expert,
        }
        candidates = [
            {"clip_rate": rate, **judged_row(outcome)}
            for rate, outcome in zip(result.clip_rates, result.validation)
        ]
        document = {
            "experiment": experiment_row(experiment()),
            **found,
            "validation": candidates,
            **compared_row(result),
            "verdict": str(result),
        }
        rows = [
            {
                "ξ": row["clip_rate"],
                "validation accuracy": interval(row),
                "balanced": row["balanced_accuracy"],
                "n": row["n"],
                "": "← chosen" if row["clip_rate"] == result.clip_rate else "",
            }
            for row in candidates
        ]
        place = {"layer": result.layer, "module": module}
        outcomes = [
            ({"judge": "validation", **place, "clip_rate": rate}, outcome)
            for rate, outcome in zip(result.clip_rates, result.validation)
        ]
        tested = {0.0: result.test_before, result.clip_rate: result.test_after}
        outcomes += [
            ({"judge": "test", **place, "clip_rate": rate}, outcome)
            for rate, outcome in tested.items()
        ]
        return Report(document, rows, f"{result}{by_set(result)}", outcomes)

    experiment = experiment_of(
        model, task, labels, shots, seed, sets, n_validation, n_test, device, dtype
    )
    judges = judges_of(experiment, "validation", "test")
    run("search", work, as_json, out, lambda: experiment().identity(), judges, journal, workers)


@app.command(
    short_help="Clip layer after layer, keep what helps.",
    epilog=(
        "Example: svdicl greedy --model icl-gpt2 --task sentiment --labels flipped --module mlp"
        " --guard topic --max-loss 0.03"
    ),
)
def greedy(
    model: Model,
    task: TaskName,
    labels: Labels = "canonical",
    module: Modules = ["mlp", "attn"],
    layer: Layers = None,  # noqa: B006  typer copies it
    clip_rates: Rates = PAPER_RATES,
    guard: Guard = None,
    max_loss: MaxLoss = 0.02,
    shots: Shots = 8,
    seed: Seed = 0,
    sets: Sets = 1,
    n_validation: NValidation = 200,
    n_test: NTest = 1000,
    device: Device = "auto",
    dtype: Dtype = "auto",
    journal: JournalFile = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Clip layer after layer, the deepest first, and keep what helps on validation; judge all of it
    once on test.

    JSON: steps (layer, module, clip_rate, validation and guard: n, accuracy, low, high,
    balanced_accuracy, or null), n_tried, guard, guard_labels, max_loss; and, as for search,
    validation_before … p_value_by_set, verdict, experiment, seconds.
    """
    rates, (guard_task, guard_labels) = rates_of(clip_rates), task_and_labels(guard)

    def guarding():
        from dataclasses import replace

        return replace(experiment(), task=guard_task, labels=guard_labels)

    def identity():
        return {
            **experiment().identity(),
            "guard": [guard_task, guard_labels, judges["guard"]().digest] if guard else None,
        }

    def work(journal, map):
        from svdicl_lite.cli.report import (
            Report,
            by_set,
            compared_row,
            experiment_row,
            interval,
            judged_row,
        )
        from svdicl_lite.search.greedy import greedy_search

        validation, test = judges["validation"](), judges["test"]()
        judge = judges["guard"]() if guard else None
        result = greedy_search(
            validation.model,
            validation,
            test,
            module,
            layer or None,
            rates,
            judge,
            max_loss,
            journal,
        )
        steps = [
            {
                "layer": step.cell.layer,
                "module": step.cell.module,
                "clip_rate": step.cell.clip_rate,
                "validation": judged_row(step.validation),
                "guard": step.guard and judged_row(step.guard),
            }
            for step in result.steps
        ]
        limits = {
            "guard": guard_task,
            "guard_labels": guard_labels,
            "max_loss": max_loss if guard else None,
        }
        document = {
            "experiment": experiment_row(experiment()),
            **limits,
            "steps": steps,
            "n_tried": result.n_tried,
        }
        rows = [
            {
                "layer": s["layer"],
                "module": s["module"],
                "ξ": s["clip_rate"],
                "validation accuracy": interval(s["validation"]),
                "n": s["validation"]["n"],
                "guard": s["guard"] and interval(s["guard"]),
            }
            for s in steps
        ]
        outcomes = [({"judge": "validation", "clips": 0}, result.validation_before)]
        outcomes += [
            ({"judge": "validation", "clips": number}, step.validation)
            for number, step in enumerate(result.steps, 1)
        ]
        outcomes += [
            ({"judge": "test", "clips": 0}, result.test_before),
            ({"judge": "test", "clips": len(steps)}, result.test_after),
        ]
        note = (  # the table has the steps
            f"{'' if steps else 'no clip kept '}of {result.n_tried} clips"
            f" tried\n{result.verdict()}{by_set(result)}"
        )
        return Report(
            {**document, **compared_row(result), "verdict": result.verdict()}, rows, note, outcomes
        )

    experiment = experiment_of(
        model, task, labels, shots, seed, sets, n_validation, n_test, device, dtype
    )
    judges = {
        **judges_of(experiment, "validation", "test"),
        "guard": lambda: guarding().evaluator("validation"),
    }
    run("greedy", work, as_json, out, identity, judges, journal)


@app.command(
    short_help="Clip for good and write the model.",
    epilog=(
        "Example: svdicl clip --model icl-gpt2-noisy --layer 3 --module mlp --clip-rate 0.95 --out"
        " clipped"
    ),
)
def clip(
    model: Model,
    layer: OneLayer,
    clip_rate: Rate,
    out: NewFolder,
    module: Module = "mlp",
    expert: Expert = None,
    factored: Factored = False,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Clip for good and write the model, with its tokenizer and in its own dtype, for
    from_pretrained to load.

    JSON: matrices (matrix, shape, rank), layer, module, expert, clip_rate, factored (the layers
    that became two thin ones), parameters_before, parameters, bytes, out, load (how to load it),
    model, seconds.
    """
    expert = number(expert)

    def work(journal, map):
        from svdicl_lite.cli.report import Report
        from svdicl_lite.clipping.clip import Clip
        from svdicl_lite.clipping.factored import KEY, factorize_
        from svdicl_lite.clipping.matrices import matrices
        from svdicl_lite.clipping.svd import check_clip_rate, rank_at
        from svdicl_lite.models.loading import load_model
        from svdicl_lite.search.experiment import placed

        check_clip_rate(clip_rate)
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise FileExistsError(
                f"{str(out)!r} is there already and not an empty folder; name another --out"
            )
        loaded, tokenizer = load_model(model, placed(device)[0])
        before = loaded.num_parameters()
        rows = [
            {
                "matrix": str(matrix),
                "shape": list(matrix.weight.shape),
                "rank": rank_at(min(matrix.weight.shape), clip_rate),
            }
            for matrix in matrices(loaded, layer, module, expert)
        ]
        if factored:
            factorize_(loaded, layer, module, clip_rate, expert)
        else:
            Clip(loaded, layer, module, expert).apply(clip_rate)
        loaded.save_pretrained(out)
        tokenizer.save_pretrained(out)
        thin = sorted(getattr(loaded.config, KEY, {}))
        load = (
            f"svdicl_lite.clipping.factored.load_factored({str(out)!r})"
            if thin
            else f"transformers.AutoModelForCausalLM.from_pretrained({str(out)!r})"
        )
        document = {
            "model": model,
            "layer": layer,
            "module": module,
            "expert": expert,
            "clip_rate": clip_rate,
            "matrices": rows,
            "factored": thin,
            "parameters_before": before,
            "parameters": loaded.num_parameters(),
            "bytes": sum(p.numel() * p.element_size() for p in loaded.parameters()),
            "out": str(out),
            "load": load,
        }
        dense = "; no matrix became smaller as two thin ones" if factored and not thin else ""
        return Report(
            document,
            rows,
            f"{before:,} parameters → {document['parameters']:,}{dense}\nload it by {load}",
        )

    run("clip", work, as_json)


app.command("grade", short_help="Grade what learners handed in.", epilog=grade.EPILOG)(grade.grade)
