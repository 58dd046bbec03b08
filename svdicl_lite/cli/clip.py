"""`svdicl clip`: clip for good and write the model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from svdicl_lite.cli.parameters import (
    N_SETS,
    AsJson,
    Device,
    DropLong,
    Expert,
    Factored,
    Labels,
    Method,
    Model,
    Module,
    NewFolder,
    NValidation,
    OneLayer,
    Rate,
    Seed,
    Sets,
    Shots,
    number,
)
from svdicl_lite.cli.run import run
from svdicl_lite.cli.setting import Setting

if TYPE_CHECKING:  # takes long to import
    from svdicl_lite.cli.report import Report

SHORT_HELP = "Clip for good and write the model."
EPILOG = (
    "Example: svdicl clip --model icl-gpt2-noisy --layer 3 --module mlp --clip-rate 0.95 --out"
    " clipped"
)
Shown = Annotated[
    str | None,
    Option(
        "--task",
        help="Whose demonstrations whitened and asvd fit: give all options from here to --drop-long"
        " as the search had them. Other methods read none.",
        show_default=False,
    ),
]
BY_RATE = ("svd", "whitened", "asvd", "random-subspace", "smallest")
"""The methods that leave the rank which the clip rate says."""


def clip(
    model: Model,
    layer: OneLayer,
    clip_rate: Rate,
    out: NewFolder,
    module: Module = "mlp",
    expert: Expert = None,
    factored: Factored = False,
    method: Method = "svd",
    task: Shown = None,
    labels: Labels = "canonical",
    shots: Shots = 8,
    seed: Seed = 0,
    sets: Sets = N_SETS,
    n_validation: NValidation = None,
    drop_long: DropLong = False,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Clip for good and write the model for from_pretrained, with its tokenizer, in its dtype.

    JSON: matrices (matrix, shape, rank, null where the clip rate does not set it, stored: whole or
    two thin), layer, module, expert, clip_rate, method, seed, demonstrations (task, labels, shots,
    sets; null where the method reads none), factored (the layers that became two thin ones),
    parameters_before, parameters, bytes, out, load (how to load it), model, seconds.
    """
    place = {"layer": layer, "module": module, "expert": number(expert)}
    sizes = shots, seed, sets, n_validation, None
    setting = Setting(model, task or "", labels, *sizes, device, "auto", drop_long)

    def work(journal: Any, map: Any) -> "Report":
        from svdicl_lite.cli.output import whole_folder
        from svdicl_lite.clipping.svd import check_clip_rate
        from svdicl_lite.models.loading import load_model
        from svdicl_lite.search.experiment import placed

        check_clip_rate(clip_rate)
        shown = _demonstrations(setting, method)
        with whole_folder(out) as folder:
            loaded, tokenizer = load_model(model, placed(device)[0])
            before = loaded.num_parameters()
            read = _read(setting, loaded, tokenizer) if shown else []
            how = {"method": method, "sequences": read, "seed": seed}
            rows = _clipped(loaded, place, clip_rate, factored, how)
            _save(loaded, tokenizer, folder, out)
        said = {"method": method, "seed": seed, "demonstrations": shown}
        document = {"model": model, **place, "clip_rate": clip_rate, **said, "matrices": rows}
        return _report(document, loaded, before, factored, out)

    run("clip", work, as_json)


def _demonstrations(setting: Setting, method: str) -> dict[str, Any] | None:
    """What JSON says of the demonstrations that the method fits, None if it reads none. Raises
    ValueError for a method that wants a task and has none, or the other way round.
    """
    from svdicl_lite.clipping.controls import how_of
    from svdicl_lite.clipping.whitened import OF_INPUTS

    how_of(method)  # raises for what is no method
    if method not in OF_INPUTS:
        if setting.task:
            raise ValueError(
                f"--task is {setting.task!r}, but the method {method!r} reads no demonstrations;"
                f" leave --task out, or take the method {' or '.join(OF_INPUTS)}"
            )
        return None
    if not setting.task:
        raise ValueError(
            f"method {method!r} fits the demonstrations of a task; say --task TASK, as for search,"
            " or take the method svd"
        )
    return {name: getattr(setting, name) for name in ("task", "labels", "shots", "sets")}


def _read(setting: Setting, model: Any, tokenizer: Any) -> list[list[int]]:
    """The demonstrations, as a search with the same options shows them."""
    from svdicl_lite.scoring.evaluator import ICLEvaluator
    from svdicl_lite.search.demonstrations import demonstration_tokens

    recipe = setting.experiment()
    evaluator = ICLEvaluator(
        model,
        tokenizer,
        recipe.load_task(),
        "validation",
        recipe.n_validation,
        recipe.n_shots,
        recipe.seeds,
        drop_long=recipe.drop_long,
    )
    return demonstration_tokens(evaluator)


def _clipped(
    model: Any, place: dict[str, Any], clip_rate: float, factored: bool, how: dict[str, Any]
) -> list[dict[str, Any]]:
    """Clips for good, `how` as `clip_by` has it; a row for each matrix."""
    from svdicl_lite.clipping.factored import KEY, factorize_
    from svdicl_lite.clipping.matrices import matrices
    from svdicl_lite.clipping.methods import clip_by
    from svdicl_lite.clipping.svd import rank_at

    found = matrices(model, **place)
    if factored:
        factorize_(model, clip_rate=clip_rate, **place, **how)
    else:
        clip_by(model=model, **place, **how).apply(clip_rate)
    thin, rows = getattr(model.config, KEY, {}), []
    for matrix in found:
        m, n = matrix.weight.shape
        by_rate = how["method"] in BY_RATE or clip_rate == 0
        rank = thin.get(matrix.name, rank_at(min(m, n), clip_rate) if by_rate else None)
        stored = "two thin" if matrix.name in thin else "whole"
        rows.append({"matrix": str(matrix), "shape": [m, n], "rank": rank, "stored": stored})
    return rows


def _save(model: Any, tokenizer: Any, folder: Path, out: Path) -> None:
    """Raises OSError with the name of `out` if the model cannot be written."""
    from safetensors import SafetensorError

    try:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except (SafetensorError, OSError) as error:
        reason = " ".join(str(error).split())
        raise OSError(
            f"{str(out)!r} cannot be written, and nothing was left there ({reason})"
        ) from None


def _report(
    document: dict[str, Any], model: Any, before: int, factored: bool, out: Path
) -> "Report":
    from svdicl_lite.cli.report import Report
    from svdicl_lite.clipping.factored import KEY

    thin = sorted(getattr(model.config, KEY, {}))
    load = (
        f"svdicl_lite.clipping.factored.load_factored({str(out)!r})"
        if thin
        else f"transformers.AutoModelForCausalLM.from_pretrained({str(out)!r})"
    )
    after = model.num_parameters()
    document = {
        **document,
        "factored": thin,
        "parameters_before": before,
        "parameters": after,
        "bytes": sum(p.numel() * p.element_size() for p in model.parameters()),
        "out": str(out),
        "load": load,
    }
    dense = "; no matrix became smaller as two thin ones" if factored and not thin else ""
    note = f"{before:,} parameters → {after:,}{dense}\nload it by {load}"
    return Report(document, document["matrices"], note)
