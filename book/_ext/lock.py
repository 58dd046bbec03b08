"""Writes requirements.lock and environment.yml from what is installed: one list of pins for pip,
conda and Binder.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
frozen = subprocess.run(
    [sys.executable, "-m", "pip", "freeze", "--exclude-editable"],
    capture_output=True,
    text=True,
    check=True,
).stdout
pins = [
    line.split("+")[0] for line in frozen.splitlines()
]  # torch 2.13.0+cpu is pinned as 2.13.0: the build is the reader's choice
(ROOT / "requirements.lock").write_text(
    "# Every version the book was built with. Written by `make lock`.\n" + "\n".join(pins) + "\n"
)
(ROOT / "environment.yml").write_text(
    "# The pins of requirements.lock for conda and Binder. Written by `make lock`.\n"
    "name: svdicl\nchannels: [conda-forge]\ndependencies:\n"
    f"  - python={sys.version_info.major}.{sys.version_info.minor}\n  - pip\n  - pip:\n"
    + "".join(f"      - {pin}\n" for pin in pins)
    + "      - --editable .\n"
)
