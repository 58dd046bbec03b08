"""The parameters of the commands, as `typer` reads them, and what their texts mean."""

from pathlib import Path
from typing import Annotated

from typer import BadParameter, Option

Model = Annotated[
    str,
    Option(
        help=(
            "A shipped model (icl-gpt2, icl-gpt2-noisy, icl-gpt2-prior), a folder, or a name on the"
            " Hugging Face hub."
        )
    ),
]
TaskName = Annotated[
    str,
    Option(
        "--task",
        help=(
            "sentiment, topic, one of the paper's (sst2, agnews, …), or a .toml that describes data"
            " of yours."
        ),
    ),
]
Labels = Annotated[str, Option(help="canonical, flipped or arbitrary label words.")]
Module = Annotated[
    str, Option(help="mlp, attn, all, or one role: q, k, v, o, fc_in, gate, up, fc_out.")
]
Modules = Annotated[
    list[str],
    Option("--module", help="mlp, attn, all, or one role; give it several times for several."),
]
Layers = Annotated[
    list[int] | None,
    Option(
        "--layer", help="Give it several times for several; all if left out.", show_default=False
    ),
]
LayerChoice = Annotated[
    str,
    Option(
        "--layer",
        help="Its number, from 0, or what chooses it: auto (condition, the paper's rule),"
        " stable-rank, last, random, block-influence, gradient, oracle (a whole sweep).",
    ),
]
OneLayer = Annotated[int, Option("--layer", help="Its number, from 0.")]
Rate = Annotated[
    float, Option("--clip-rate", help="ξ in [0, 1]: 0.9 keeps a tenth of the singular values.")
]
NewFolder = Annotated[Path, Option("--out", help="A folder that is empty or not there yet.")]
Factored = Annotated[
    bool,
    Option(
        "--factored",
        help="Store two thin matrices wherever they are smaller; by any method but scale and"
        " magnitude, which leave no low rank.",
    ),
]
Guard = Annotated[
    str | None, Option(help="TASK or TASK:LABELS that must not suffer.", show_default=False)
]
MaxLoss = Annotated[
    float | None,
    Option(help="How much accuracy the guard may lose, in [0, 1].", show_default="0.02"),
]
Rates = Annotated[
    str,
    Option(
        help="Candidates ξ in order, the first 0; default is the paper's list. For search also"
        " auto: each matrix cut at its noise (Gavish and Donoho)."
    ),
]
Method = Annotated[
    str,
    Option(
        help=(
            "svd, or a control: random-subspace, smallest, scale, magnitude, drop; or another"
            " clip: whitened, asvd, gavish-donoho, row-clusters; for search drop-block,"
            " gradient-sign and calibration too."
        )
    ),
]
Expert = Annotated[
    str | None,
    Option(help="Keep to this expert of a mixture: a number, or shared.", show_default=False),
]
TopK = Annotated[
    int, Option(help="Choose the deepest of this many layers with the largest condition numbers.")
]
Reduction = Annotated[
    str,
    Option(help="How the condition numbers of a module's matrices become one: max, mean, median."),
]
ChooseBy = Annotated[
    str,
    Option(
        help="The validation score that decides: accuracy (the paper), or calibrated (accuracy) or"
        " discrimination, which no lean to a label can move."
    ),
]
Shots = Annotated[int, Option(help="Demonstrations in each prompt.")]
Seed = Annotated[int, Option(help="Of demonstrations, random methods and random layers.")]
Sets = Annotated[
    int,
    Option(
        help="Sets of demonstrations among which the examples are dealt out; an interval for other"
        " demonstrations takes 4, better 12 or more."
    ),
]
NValidation = Annotated[
    int | None, Option(help="Examples to choose by.", show_default="200, or all there are")
]
NTest = Annotated[
    int | None,
    Option(
        help="Examples to judge the choice by; a sweep does without.",
        show_default="1000, or all there are",
    ),
]
DropLong = Annotated[
    bool,
    Option("--drop-long", help="Leave out examples that the model has no positions for; counted."),
]
Device = Annotated[
    str, Option(help="auto (cuda where there is one, else cpu), cpu, cuda, cuda:1 …")
]
Dtype = Annotated[
    str, Option(help="auto (bfloat16 on cuda, else float32), float32, bfloat16, float16.")
]
Workers = Annotated[
    str | None,
    Option(
        help="N processes on this machine, or dask://HOST:PORT; they share the layers out.",
        show_default=False,
    ),
]
JournalFile = Annotated[
    Path | None,
    Option(
        "--journal",
        help="Keep finished cells in this file; the same command resumes from there.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    Option(
        help="Folder for result.json and outcomes.csv, which has a row for every example.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, Option("--json", help="JSON on stdout instead of a table.")]

N_SETS = 12
"""Sets of demonstrations where nobody asks for another number, as for `find_clip`."""
RULE_NAMES = (
    "condition",
    "stable-rank",
    "last",
    "random",
    "block-influence",
    "gradient",
    "oracle",
)
"""As in `search.rules.registry`, which takes long to import."""
PAPER_RATES = "0,0.1,0.5,0.75,0.9,0.95,0.99,0.995"
MAX_LOSS = 0.02


def rates_of(text: str) -> tuple[float, ...]:
    """The numbers in a list such as 0,0.5,0.9."""
    try:
        return tuple(float(rate) for rate in text.split(","))
    except ValueError:
        raise BadParameter(
            f"{text!r} is not a list of numbers such as 0,0.5,0.9", param_hint="--clip-rates"
        ) from None


def number(text: str | None) -> int | str | None:
    """The number that `text` is, or `text`."""
    if text is None or not text.isascii() or not text.removeprefix("-").isdecimal():
        return text
    return int(text)


def layer_of(text: str) -> int | str | None:
    """A layer's number, the name of a rule that chooses it, or None for the paper's rule."""
    layer = None if text == "auto" else number(text)
    if isinstance(layer, str) and layer not in RULE_NAMES:
        raise BadParameter(
            f"{text!r} is neither auto, a number, nor one of {', '.join(RULE_NAMES)}",
            param_hint="--layer",
        )
    return layer


def task_and_labels(text: str | None) -> tuple[str | None, str]:
    """TASK:LABELS, or TASK alone, in which a colon may be part of a path."""
    task, colon, labels = (text or "").rpartition(":")
    if colon and labels in ("canonical", "flipped", "arbitrary"):
        return task, labels
    return text, "canonical"


def loss_of(max_loss: float | None, guard: str | None) -> float:
    """How much the guard may lose. Raises ValueError for what is no loss, and for a loss of
    nothing.
    """
    if max_loss is None:
        return MAX_LOSS
    if guard is None:
        raise ValueError(
            f"--max-loss is {max_loss:g}, but there is no guard that could lose it; say --guard"
            " TASK, or leave --max-loss out"
        )
    if not 0 <= max_loss <= 1:  # so for nan
        raise ValueError(
            f"--max-loss is {max_loss:g}, but must be a loss of accuracy in [0, 1], such as 0.02"
        )
    return max_loss
