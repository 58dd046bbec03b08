"""`svdicl experiment`: computes the experiments that are kept, or checks some of their numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from svdicl_lite.cli.parameters import AsJson
from svdicl_lite.cli.run import run

if TYPE_CHECKING:  # takes long to import
    from svdicl_lite.cli.report import Report

SHORT_HELP = "Compute kept experiments, or check some of their numbers."
EPILOG = "Example: svdicl experiment experiments/movies_depth.toml --check 2"

Files = Annotated[
    list[Path], Argument(help="The tomls; outcomes lie beside them.", show_default=False)
]
Check = Annotated[
    int,
    Option(min=0, help="Compute nothing new; compute this many cells of each again and compare."),
]
Draw = Annotated[
    int | None, Option("--seed", help="Which cells are checked; by the clock if left out.")
]
Journals = Annotated[Path, Option(help="Folder for what is finished before all of it is.")]


def experiment(
    files: Files,
    check: Check = 0,
    seed: Draw = None,
    journals: Journals = Path("_build/experiments"),
    as_json: AsJson = False,
) -> None:
    """Computes what is missing or stale of kept experiments; with --check, checks what is there.

    A check draws cells and examples, computes them again one prompt at a time, and fails if a score
    differs by more than 1e-3, or if weights or prompts are others; of spectra it draws matrices,
    and fails if a singular value differs by more than 1e-4 of itself; of searches on shuffled
    labels it makes some again, and fails if a gain differs by more than 0.01; of rules it asks the
    gradient again about some layers, and fails beyond 0.002 of the largest score; of greedy
    searches it judges examples again with all that was clipped, as of cells; of perplexity it reads
    some texts again, and fails beyond 1e-3 nats a token. JSON: experiments (experiment, status, and
    of a check the largest difference), seconds.
    """

    def work(journal: Any, map: Any) -> "Report":
        from svdicl_lite.cli.report import Report

        rows = [
            _checked(file, check, seed) if check else _computed(file, journals) for file in files
        ]
        claims = [_claims(file) for file in files]
        return Report({"experiments": rows}, rows, "\n".join(filter(None, claims)))

    run("experiment", work, as_json)


def _computed(file: Path, journals: Path) -> dict[str, Any]:
    import sys

    from svdicl_lite.search.committed import Kept, stale
    from svdicl_lite.search.committed_greedy import compute_greedy
    from svdicl_lite.search.committed_perplexity import compute_perplexity
    from svdicl_lite.search.committed_rules import compute_rules
    from svdicl_lite.search.committed_shuffled import compute_searches
    from svdicl_lite.search.committed_spectra import compute_spectra
    from svdicl_lite.search.computed import compute

    kept = Kept.read(file)
    why = stale(kept)
    if not why:
        return {"experiment": kept.path.stem, "status": "as its toml says"}
    say = lambda text: print(text, file=sys.stderr)
    if kept.kind == "spectra":
        compute_spectra(kept, say)
    elif kept.kind == "shuffled":
        compute_searches(kept, say)
    elif kept.kind == "rules":
        compute_rules(kept, say)
    elif kept.kind == "greedy":
        compute_greedy(kept, journals / kept.path.stem, say)
    elif kept.kind == "perplexity":
        compute_perplexity(kept, journals / kept.path.stem, say)
    else:
        compute(kept, journals / kept.path.stem, say)
    return {"experiment": kept.path.stem, "status": f"computed, for it was {why}"}


def _checked(file: Path, n_cells: int, seed: int | None) -> dict[str, Any]:
    from svdicl_lite.search.committed import Kept, stale
    from svdicl_lite.search.committed_greedy import check_greedy
    from svdicl_lite.search.committed_perplexity import check_perplexity
    from svdicl_lite.search.committed_rules import check_rules
    from svdicl_lite.search.committed_shuffled import check_searches
    from svdicl_lite.search.committed_spectra import check_spectra, is_here
    from svdicl_lite.search.computed import spot_check

    kept = Kept.read(file)
    if why := stale(kept):
        raise ValueError(f"{file.name}: {why}; `make experiments` computes it")
    if not (kept.checkable if kept.kind == "cells" else is_here(kept)):
        return {"experiment": kept.path.stem, "status": "its model or texts are not here"}
    checks: dict[str, tuple[Callable[..., Any], str]] = {
        "cells": (spot_check, "cells"),
        "spectra": (check_spectra, "spectra"),
        "shuffled": (check_searches, "searches"),
        "rules": (check_rules, "layers"),
        "greedy": (check_greedy, "clips"),
        "perplexity": (check_perplexity, "changes"),
    }
    check, what = checks[kept.kind]
    found = check(kept, n_cells, seed=seed)
    again = f"{len(found)} {what} again"
    return {"experiment": kept.path.stem, "status": again, "largest": float(found["largest"].max())}


def _claims(file: Path) -> str:
    """What searches on shuffled labels claim; empty for the other kinds."""
    from svdicl_lite.search.committed import Kept
    from svdicl_lite.search.committed_shuffled import said_of

    return said_of(file) if Kept.read(file).kind == "shuffled" else ""
