"""Writes requirements.lock and environment.yml from what is installed: one list of pins for pip,
conda and Binder.
"""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]


def pin(line: str) -> str:
    """A line of `pip freeze` as `name==version`: without the build of torch (2.13.0+cpu), which is
    the reader's choice, and without the file from which something was installed.
    """
    name, from_file, _ = line.partition(" @ ")
    return f"{name}=={version(name)}" if from_file else line.partition("+")[0]


def main() -> None:
    """Writes both files."""
    frozen = subprocess.run(
        [sys.executable, "-m", "pip", "freeze", "--exclude-editable"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    pins = [pin(line) for line in frozen.splitlines()]
    (ROOT / "requirements.lock").write_text(
        "# Every version the book was built with. Written by `make lock`.\n"
        + "".join(f"{line}\n" for line in pins)
    )
    (ROOT / "environment.yml").write_text(
        "# The pins of requirements.lock for conda and Binder. Written by `make lock`.\n"
        "name: svdicl\nchannels: [conda-forge]\ndependencies:\n"
        f"  - python={sys.version_info.major}.{sys.version_info.minor}\n  - pip\n  - pip:\n"
        + "".join(f"      - {line}\n" for line in pins)
        + "      - --editable .\n"
    )


if __name__ == "__main__":
    main()
