"""How long each assignment runs for a learner who has it right: its notebook with solutions, top to
bottom, in a kernel of its own.

`.venv/bin/python benchmarks/assignments.py [NN …]`. The aim is less than a minute on a laptop.
Processor time is the kernel's, imports and all.
"""

import sys
import tempfile
import time
import zipfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

sys.path.insert(0, str(Path(__file__).parents[1] / "book/_ext"))
from assignments import build  # noqa: E402
from masters import masters  # noqa: E402

USED = (
    "import resource\n_used = resource.getrusage(resource.RUSAGE_SELF)\nprint(_used.ru_utime,"
    " _used.ru_stime, _used.ru_maxrss / 1024)"
)

print(f"{'assignment':<36} {'wall s':>7} {'user s':>7} {'system s':>9} {'peak MB':>8}")
for master in masters():
    if sys.argv[1:] and master.name[:2] not in sys.argv[1:]:
        continue
    with tempfile.TemporaryDirectory() as scratch:
        built = build(master, Path(scratch))
        with zipfile.ZipFile(built / f"{master.name}-student.zip") as archive:
            archive.extractall(built)
        notebook = nbformat.read(built / f"{master.name}-solution.ipynb", as_version=4)
        notebook.cells.append(nbformat.v4.new_code_cell(USED))
        start = time.perf_counter()
        NotebookClient(
            notebook,
            timeout=600,
            kernel_name="python3",
            resources={"metadata": {"path": built / master.name}},
        ).execute()
        wall = time.perf_counter() - start
    checks = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and 'grader.check("' in cell.source
    ]
    failed = [cell.source for cell in checks if "passed" not in str(cell.outputs)]
    assert checks and not failed, f"{master.name}: {failed}"
    user, system, peak = map(float, notebook.cells[-1].outputs[0].text.split())
    print(f"{master.name:<36} {wall:7.1f} {user:7.1f} {system:9.1f} {peak:8.0f}", flush=True)
