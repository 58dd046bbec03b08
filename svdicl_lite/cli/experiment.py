"""`svdicl experiment`: computes the experiments that are kept, or checks some of their numbers."""

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
    and fails if a singular value differs by more than 1e-4 of itself. JSON: experiments
    (experiment, status, and of a check the largest difference), seconds.
    """

    def work(journal: Any, map: Any) -> "Report":
        from svdicl_lite.cli.report import Report

        rows = [
            _checked(file, check, seed) if check else _computed(file, journals) for file in files
        ]
        return Report({"experiments": rows}, rows)

    run("experiment", work, as_json)


def _computed(file: Path, journals: Path) -> dict[str, Any]:
    import sys

    from svdicl_lite.search.committed import Kept, stale
    from svdicl_lite.search.committed_spectra import compute_spectra
    from svdicl_lite.search.computed import compute

    kept = Kept.read(file)
    why = stale(kept)
    if not why:
        return {"experiment": kept.path.stem, "status": "as its toml says"}
    say = lambda text: print(text, file=sys.stderr)
    if kept.kind == "spectra":
        compute_spectra(kept, say)
    else:
        compute(kept, journals / kept.path.stem, say)
    return {"experiment": kept.path.stem, "status": f"computed, for it was {why}"}


def _checked(file: Path, n_cells: int, seed: int | None) -> dict[str, Any]:
    from svdicl_lite.search.committed import Kept, stale
    from svdicl_lite.search.committed_spectra import check_spectra, is_here
    from svdicl_lite.search.computed import spot_check

    kept = Kept.read(file)
    if why := stale(kept):
        raise ValueError(f"{file.name}: {why}; `make experiments` computes it")
    spectra = kept.kind == "spectra"
    if not (is_here(kept) if spectra else kept.checkable):
        return {"experiment": kept.path.stem, "status": "its model or texts are not here"}
    found = (check_spectra if spectra else spot_check)(kept, n_cells, seed=seed)
    again = f"{len(found)} {'spectra' if spectra else 'cells'} again"
    return {"experiment": kept.path.stem, "status": again, "largest": float(found["largest"].max())}
