"""`svdicl clip`: clip for good and write the model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from svdicl_lite.cli.parameters import (
    AsJson,
    Device,
    Expert,
    Factored,
    Model,
    Module,
    NewFolder,
    OneLayer,
    Rate,
    number,
)
from svdicl_lite.cli.run import run

if TYPE_CHECKING:  # takes long to import
    from svdicl_lite.cli.report import Report

SHORT_HELP = "Clip for good and write the model."
EPILOG = (
    "Example: svdicl clip --model icl-gpt2-noisy --layer 3 --module mlp --clip-rate 0.95 --out"
    " clipped"
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
    place = {"layer": layer, "module": module, "expert": number(expert)}

    def work(journal: Any, map: Any) -> "Report":
        from svdicl_lite.cli.output import whole_folder
        from svdicl_lite.clipping.svd import check_clip_rate
        from svdicl_lite.models.loading import load_model
        from svdicl_lite.search.experiment import placed

        check_clip_rate(clip_rate)
        with whole_folder(out) as folder:
            loaded, tokenizer = load_model(model, placed(device)[0])
            before = loaded.num_parameters()
            rows = _clipped(loaded, place, clip_rate, factored)
            _save(loaded, tokenizer, folder, out)
        document = {"model": model, **place, "clip_rate": clip_rate, "matrices": rows}
        return _report(document, loaded, before, factored, out)

    run("clip", work, as_json)


def _clipped(
    model: Any, place: dict[str, Any], clip_rate: float, factored: bool
) -> list[dict[str, Any]]:
    """Clips for good; a row for each matrix."""
    from svdicl_lite.clipping.clip import Clip
    from svdicl_lite.clipping.factored import factorize_
    from svdicl_lite.clipping.matrices import matrices
    from svdicl_lite.clipping.svd import rank_at

    rows = [
        {
            "matrix": str(matrix),
            "shape": list(matrix.weight.shape),
            "rank": rank_at(min(matrix.weight.shape), clip_rate),
        }
        for matrix in matrices(model, **place)
    ]
    if factored:
        factorize_(model, place["layer"], place["module"], clip_rate, place["expert"])
    else:
        Clip(model, **place).apply(clip_rate)
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
