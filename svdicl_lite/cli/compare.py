"""`svdicl compare`: two results on the same examples."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from svdicl_lite.cli.parameters import AsJson, Out
from svdicl_lite.cli.run import run

if TYPE_CHECKING:  # takes long to import
    from svdicl_lite.cli.report import Report

SHORT_HELP = "Two results on the same examples, paired."
EPILOG = "Example: svdicl compare out/before out/after"

A = Annotated[
    Path,
    Argument(help="A folder that --out made, or a .jsonl of lm_eval --log_samples.", metavar="A"),
]
B = Annotated[Path, Argument(help="Another of its kind.", metavar="B")]
Metric = Annotated[
    str | None,
    Option(help="Of a .jsonl: what says that an answer is right.", show_default="acc"),
]

JSON = (
    "JSON: a, b, n, accuracy_a, accuracy_b, only_a and only_b (examples that one alone has right),"
    " gain (B less A), gain_low, gain_high (paired bootstrap, 95 %), p_value (McNemar);"
    " gain_over_sets, p_value_by_set, reading, reading_over_sets, lean, lean_over_sets,"
    " discrimination_gain, kind (null without scores or sets); differ_in, verdict, seconds."
)


def compare(a: A, b: B, metric: Metric = None, out: Out = None, as_json: AsJson = False) -> None:
    """Compares two results example by example: of ours the test of what each search chose, of
    lm-evaluation-harness the samples.
    """

    def work(journal: Any, map: Any) -> "Report":
        return _report(a, b, metric)

    run("compare", work, as_json, out)


def _report(a: Path, b: Path, metric: str | None) -> "Report":
    from svdicl_lite.cli.report import Report
    from svdicl_lite.search.compared import compared, row_of

    result = compared(a, b, metric)
    rows = []
    for name, judged in (("A", result.a), ("B", result.b)):
        scored = judged.evaluation
        row = {
            "": name,
            "from": judged.source,
            "accuracy": float(judged.correct.mean()),
            "balanced": scored and scored.balanced_accuracy,
            "discrimination": scored and scored.discrimination,
            "imbalance": scored and scored.imbalance,
            "n": len(judged.keys),
        }
        rows.append(row)
    document = {"a": str(a), "b": str(b), **row_of(result), "verdict": str(result)}
    differ = f"\nA and B differ in {', '.join(result.differ_in)}" if result.differ_in else ""
    return Report(document, rows, f"{result}{differ}")
