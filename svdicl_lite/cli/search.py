"""`svdicl search`: choose on validation, judge on test."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Option

from svdicl_lite.cli.parameters import (
    N_SETS,
    PAPER_RATES,
    AsJson,
    ChooseBy,
    Device,
    DropLong,
    Dtype,
    Expert,
    JournalFile,
    Labels,
    LayerChoice,
    Method,
    Model,
    Module,
    NTest,
    NValidation,
    Out,
    Rates,
    Reduction,
    Seed,
    Sets,
    Shots,
    TaskName,
    TopK,
    Workers,
    layer_of,
    number,
    rates_of,
)
from svdicl_lite.cli.run import run
from svdicl_lite.cli.setting import Setting

if TYPE_CHECKING:  # takes long to import
    from svdicl_lite.cli.report import Report
    from svdicl_lite.search.results import Comparison, SearchResult

SHORT_HELP = "Algorithm 1: choose on validation, judge on test."
EPILOG = (
    "Example: svdicl search --model icl-gpt2-noisy --task sentiment --labels flipped --module"
    " mlp --sets 16"
)
JSON = (
    "JSON: layer, module, clip_rate, method, expert (the choice), choose_by; validation (of each"
    " candidate its clip_rate, n, accuracy, accuracy_over_sets, low, high, balanced_accuracy,"
    " majority_accuracy, discrimination, discrimination_over_sets, calibrated_accuracy,"
    " calibrated_over_sets, imbalance, imbalance_over_sets, shares, collapsed; low and high are"
    " Wilson's, for these demonstrations); validation_before, validation_after, test_before,"
    " test_after (the same); validation_gain, test_gain, test_gain_low, test_gain_high"
    " (paired bootstrap, 95 %, for these demonstrations), p_value (McNemar), optimism,"
    " test_gain_by_set and p_value_by_set (sign flips, null for one set) with smallest_p_by_set;"
    " test_gain_over_sets, reading_over_sets, lean_over_sets, discrimination_gain_over_sets"
    " (95 % intervals for new demonstrations, null"
    " below four sets), where reading and lean are the two parts of the gain; discrimination_gain,"
    " smallest_gain_seen, kind (one of reading, lean, both, loss, unclear, none, collapse);"
    " halving (null, or prompts judged, of how many, and their share; candidates that left the"
    " race have a smaller n, and are not in outcomes.csv), verdict, experiment, dropped (rows left"
    " out, by reason), tokenizer (class, bos, eos), seconds. The methods drop-block (the layer"
    " passes on what it gets), gradient-sign (components go whose removal is predicted to lower"
    " the loss, large or small) and calibration have no rates, journal or workers: expert and"
    " clip_rate are null then and validation is empty; so is module for all but gradient-sign, and"
    " layer for calibration."
)
AGREED = "50 to 100 %"
"""In how many of 200 simulated searches halving chose as the full search, over the places that
`experiments/movies_depth` measured; `tests/test_halving_cli.py` computes it.
"""
Halving = Annotated[
    bool,
    Option(
        "--halving",
        help="Judge all rates on a quarter of validation, the better half on the next, and so on:"
        f" about half the cost. The choice was the full search's in {AGREED} of 200 simulated"
        " searches, by place (SmolLM2, 24 places).",
    ),
]


def search(
    model: Model,
    task: TaskName,
    labels: Labels = "canonical",
    module: Module = "mlp",
    layer: LayerChoice = "auto",
    top_k: TopK = 2,
    reduction: Reduction = "max",
    clip_rates: Rates = PAPER_RATES,
    choose_by: ChooseBy = "accuracy",
    halving: Halving = False,
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
    """Algorithm 1: choose a layer by condition number and a clip rate on validation, then judge
    that choice once on test.
    """
    asked = _Asked(
        place={"module": module, "layer": layer_of(layer), "top_k": top_k, "reduction": reduction},
        how={"method": method, "seed": seed},
        rates="auto" if clip_rates == "auto" else rates_of(clip_rates),
        expert=number(expert),
        choose_by=choose_by,
        halving=halving,
    )
    sizes = shots, seed, sets, n_validation, n_test
    setting = Setting(model, task, labels, *sizes, device, dtype, drop_long)

    def work(journal: Any, map: Any) -> "Report":
        return _found(setting, asked, journal, map)

    judges = setting.judges("validation", "test")
    run("search", work, as_json, out, setting.identity, judges, journal, workers)


@dataclass(frozen=True)
class _Asked:
    """What is to be searched."""

    place: dict[str, Any]
    how: dict[str, Any]
    rates: tuple[float, ...] | Literal["auto"]
    expert: int | str | None
    choose_by: str
    halving: bool


def _found(setting: Setting, asked: _Asked, journal: Any, map: Any) -> "Report":
    """The report of Algorithm 1, or of a change without a rate."""
    from svdicl_lite.search.algorithm1 import search_clip_rate
    from svdicl_lite.search.without_rate import WITHOUT_RATE, control

    validation, test = setting.evaluator("validation"), setting.evaluator("test")
    method = asked.how["method"]
    if method not in WITHOUT_RATE:
        result = search_clip_rate(
            validation.model,
            validation,
            test,
            clip_rates=asked.rates,
            expert=asked.expert,
            journal=journal,
            map=map,
            choose_by=asked.choose_by,
            halving=asked.halving,
            **asked.place,
            **asked.how,
        )
        return _of_rates(setting, result, asked.halving)
    if asked.choose_by != "accuracy":
        raise ValueError(f"method {method!r} has no rates to choose from; leave --choose-by out")
    if asked.halving:
        raise ValueError(f"method {method!r} has no rates to choose from; leave --halving out")
    if asked.expert is not None or map is not None:
        raise ValueError(
            f"method {method!r} is of a whole model, done here; leave --expert and --workers out"
        )
    changed, compared = control(validation, test, **asked.place, **asked.how)
    module = asked.place["module"] if method == "gradient-sign" else None
    return _without_rate(setting, method, (changed, module), compared)


def _of_rates(setting: Setting, result: "SearchResult", halving: bool) -> "Report":
    """The report of Algorithm 1."""
    from svdicl_lite.cli.report import Report
    from svdicl_lite.cli.rows import by_set, compared_row, interval, judged_row, of_majority

    chosen = result.chosen_cell
    place = {"layer": chosen.layer, "module": chosen.module}
    candidates, rows, outcomes = [], [], []
    for rate, outcome in zip(result.clip_rates, result.validation):
        candidate = {"clip_rate": rate, **judged_row(outcome)}
        row = {
            "ξ": rate,
            "validation accuracy": interval(candidate),
            "balanced": candidate["balanced_accuracy"],
            "discrimination": candidate["discrimination"],
            "calibrated": candidate["calibrated_accuracy"],
            "imbalance": candidate["imbalance"],
            "n": candidate["n"],
            "": "← chosen" if rate == result.clip_rate else "",
        }
        candidates.append(candidate)
        rows.append(row)
        if outcome.n == result.validation_before.n:  # else its examples are not the others'
            outcomes.append(({"judge": "validation", **place, "clip_rate": rate}, outcome))
    tested = {0.0: result.test_before, result.clip_rate: result.test_after}
    for rate, outcome in tested.items():
        outcomes.append(({"judge": "test", **place, "clip_rate": rate}, outcome))
    found = {"clip_rate": chosen.clip_rate, "method": chosen.method, "expert": chosen.expert}
    found |= {"choose_by": result.choose_by, "halving": _race(result) if halving else None}
    document = {
        **setting.facts("validation", "test"),
        **place,
        **found,
        "validation": candidates,
        **compared_row(result),
        "verdict": str(result),
    }
    majority = of_majority("validation", candidates[0])
    raced = _said_of_race(result) if halving else ""
    note = f"{result}{by_set(result)}{raced}{majority}{setting.note('validation', 'test')}"
    return Report(document, rows, note, outcomes)


def _race(result: "SearchResult") -> dict[str, float]:
    """What halving took."""
    seen = sum(outcome.n for outcome in result.validation)
    whole = len(result.validation) * result.validation_before.n
    return {"judged": seen, "of": whole, "share": seen / whole}


def _said_of_race(result: "SearchResult") -> str:
    """The same as a line."""
    race = _race(result)
    return (
        f"\nhalving judged {race['judged']:,} of {race['of']:,} prompts ({100 * race['share']:.0f}"
        f" %); it may have chosen otherwise than the full search, which agreed in {AGREED} of 200"
        " simulated searches, by place"
    )


def _without_rate(
    setting: Setting, method: str, place: tuple[int | None, str | None], result: "Comparison"
) -> "Report":
    """The report of a change of a layer and module, if of one, that has no clip rate."""
    from svdicl_lite.cli.report import Report
    from svdicl_lite.cli.rows import by_set, compared_row, interval, judged_row

    rows, outcomes = [], []
    for judge, before, after in (
        ("validation", result.validation_before, result.validation_after),
        ("test", result.test_before, result.test_after),
    ):
        row = {
            "": judge,
            "before": interval(judged_row(before)),
            "after": interval(judged_row(after)),
            "balanced before": before.balanced_accuracy,
            "balanced after": after.balanced_accuracy,
            "majority": after.majority_accuracy,
            "n": after.n,
        }
        rows.append(row)
        outcomes.append(({"judge": judge, "after": 0}, before))
        outcomes.append(({"judge": judge, "after": 1}, after))
    layer, module = place
    document = {
        **setting.facts("validation", "test"),
        "layer": layer,
        "module": module,
        "clip_rate": None,
        "method": method,
        "expert": None,
        "choose_by": None,
        "halving": None,
        "validation": [],
        **compared_row(result),
        "verdict": str(result),
    }
    of_module = "" if module is None else f" of the {module}"
    title = method if layer is None else f"{method}{of_module} of layer {layer}"
    note = f"{title}\n{result}{by_set(result)}{setting.note('validation', 'test')}"
    return Report(document, rows, note, outcomes)
