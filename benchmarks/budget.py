"""What the project promises about sizes and speeds, each beside what this machine measures now.

`python benchmarks/budget.py` builds the whole book anew (minutes).
"""

import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book/_ext"))
from resources import named  # noqa: E402

LONGEST_BUILD = 720  # seconds, of fifteen chapters


def seconds(*command: str) -> tuple[float, str]:
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - start, done.stdout


def import_seconds(statement: str) -> float:
    return statistics.median(seconds(sys.executable, "-c", statement)[0] for _ in range(5))


def row(what: str, measured: str, budget: str, kept: bool) -> None:
    print(f"{what:46} {measured:>12} {budget:>10}  {'kept' if kept else 'BROKEN'}")


base = import_seconds("import torch, transformers")
extra = import_seconds("import torch, transformers, svdicl_lite") - base
row("import svdicl_lite, beyond torch + transformers", f"{extra:+.2f} s", "< 0.3 s", extra < 0.3)

for weights in sorted((ROOT / "svdicl_lite/models/checkpoints").glob("*/*.safetensors")):
    size = weights.stat().st_size / 2**20
    row(
        f"weights of {weights.parent.name}, {weights.stem}",
        f"{size:.1f} MiB",
        "8 MB",
        size <= 8e6 / 2**20,
    )

for profile in ("ci", "book"):
    subprocess.run(["rm", "-rf", f"_build/{profile}"], cwd=ROOT, check=True)
    total, said = seconds("make", "book", f"PROFILE={profile}")
    for chapter, took, megabytes in re.findall(r"(chapters/\S+): (\d+) s, (\d+) MB", said):
        named_seconds, most = named((ROOT / chapter).read_text())  # what readers are told
        longest = 60 if profile == "ci" else named_seconds
        row(f"{chapter} ({profile})", f"{took} s", f"{longest} s", int(took) <= longest)
        row(f"{chapter} ({profile}), peak", f"{megabytes} MB", f"{most} MB", int(megabytes) <= most)
    if profile == "book":
        kept = total <= LONGEST_BUILD
        row("make book, environment standing", f"{total:.0f} s", f"{LONGEST_BUILD} s", kept)
        again, _ = seconds("make", "book")
        row("make book again, nothing touched", f"{again:.1f} s", "5 s", again <= 5)
