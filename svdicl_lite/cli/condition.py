"""`svdicl condition`: condition numbers, and the layer they choose."""

from typing import TYPE_CHECKING, Any, cast

from svdicl_lite.cli.parameters import (
    AsJson,
    Device,
    Dtype,
    Expert,
    Model,
    Module,
    Out,
    Reduction,
    TopK,
    number,
)
from svdicl_lite.cli.run import run

if TYPE_CHECKING:  # takes long to import
    from svdicl_lite.cli.report import Report

SHORT_HELP = "Condition numbers, and the layer they choose."
EPILOG = "Example: svdicl condition --model icl-gpt2-noisy --module mlp"


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

    def work(journal: Any, map: Any) -> "Report":
        from svdicl_lite.search.experiment import placed

        asked = {
            "model": model,
            **dict(zip(("device", "dtype"), placed(device, dtype))),
            "module": module,
            "expert": number(expert),
            "top_k": top_k,
            "reduction": reduction,
        }
        return _report(asked)

    run("condition", work, as_json, out)


def _report(asked: dict[str, Any]) -> "Report":
    from svdicl_lite.cli.report import Report
    from svdicl_lite.clipping.matrices import n_layers
    from svdicl_lite.clipping.spectra import check_choice, chosen_layer, condition_table
    from svdicl_lite.search.experiment import loaded

    module, top_k, reduction = asked["module"], asked["top_k"], asked["reduction"]
    model, _ = loaded(asked["model"], asked["device"], asked["dtype"])
    check_choice(n_layers(model), top_k, reduction)
    table = condition_table(model, module, asked["expert"])
    try:
        chosen = chosen_layer(table, top_k, reduction)
        note = (
            f"layer {chosen} would be chosen: the deepest of the {top_k} with the largest"
            f" condition numbers ({reduction} over {module})"
        )
    except ValueError as error:  # a singular matrix; the table is still worth showing
        chosen, note = None, str(error)
    rows = cast(list[dict[str, Any]], table.to_dict("records"))
    document = {**asked, "matrices": rows, "chosen_layer": chosen, "note": note}
    return Report(document, rows, note, n_keys=2)
