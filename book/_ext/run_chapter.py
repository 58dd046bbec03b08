"""Runs one chapter: MyST Markdown → notebook → papermill. `python run_chapter.py CHAPTER.md
OUT.ipynb --profile ci`.

The executed notebook appears only when every cell ran; a failing cell leaves OUT.failed.ipynb
beside it and a line that names the chapter, the cell and the error.
"""

import argparse
import platform
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path

import jupytext
import papermill
from jupytext.myst import MystMetadataParsingError
from papermill.exceptions import PapermillExecutionError

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("chapter", type=Path)
parser.add_argument("out", type=Path)
parser.add_argument("--profile", choices=("ci", "book", "full"), default="book")
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()

failed = args.out.with_suffix(".failed.ipynb")
failed.unlink(missing_ok=True)
args.out.parent.mkdir(parents=True, exist_ok=True)
try:
    notebook = jupytext.read(args.chapter)
except MystMetadataParsingError as error:
    sys.exit(f"{args.chapter}: {error}")
unexecuted = args.out.with_suffix(".input.ipynb")
jupytext.write(notebook, unexecuted)
start = time.perf_counter()
try:
    done = papermill.execute_notebook(
        unexecuted,
        failed,
        parameters={"profile": args.profile, "seed": args.seed},
        kernel_name="python3",
        progress_bar=sys.stderr.isatty(),
        execution_timeout=1800,
        # nothing is left to be said, and taking leave of torch lasts two seconds
        shutdown_kernel="immediate",
        # each kernel would warn that whoever shares this machine may listen to it
        extra_arguments=["--log-level=ERROR"],
    )
except PapermillExecutionError as error:
    sys.exit(
        f"{args.chapter}, cell {error.cell_index} [{error.exec_count}]: {error.ename}:"
        f" {error.evalue}\n--- the cell ---\n{error.source}\n--- (all outputs so far: {failed})"
    )
finally:
    unexecuted.unlink()
for cell in done.cells:
    if "injected-parameters" in cell.metadata.get("tags", []):
        cell.metadata.tags.append("remove-cell")  # readers of the page need not see the plumbing
seconds = time.perf_counter() - start
megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
versions = {"python": platform.python_version()} | {
    name: version(name) for name in ("torch", "transformers", "numpy", "svdicl-lite")
}
done.metadata["status"] = {
    "profile": args.profile,
    "seed": args.seed,
    "seconds": round(seconds, 1),
    "megabytes": round(megabytes),
    "versions": versions,
}
jupytext.write(done, args.out)
failed.unlink()
print(f"{args.chapter}: {seconds:.0f} s, {megabytes:.0f} MB at its peak ({args.profile})")
