"""onnxruntime-web, which multiplies matrices in the page at /smollm2/: fetched from npm into the
cache outside the tree, once.

python book/_ext/onnxruntime_web.py       (`make serve` does it first)

33 MB are fetched, of which the 14 MB that the page loads are kept. MIT licence.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from svdicl_lite.models.cache import cached, in_cache

VERSION = "1.30.0"
SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
FOLDER = f"onnxruntime-web-{VERSION}-1"  # the last number grows when other files are kept
MEGABYTES = 50
HERE = "python book/_ext/onnxruntime_web.py"


def folder() -> Path:
    """Where its files are. Raises OSError, with the command that fetches them, if they are not in
    the cache.
    """
    found = in_cache(FOLDER)
    if found is None:
        raise OSError(f"onnxruntime-web is not in the cache; `{HERE}` fetches it from npm (33 MB)")
    return found


def fetch() -> Path:
    """The same, fetched the first time. Raises OSError if npm cannot have it, ValueError if the
    file is not the one that it should be.
    """
    return cached(FOLDER, _make, MEGABYTES)


def _make(unfinished: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise OSError("there is no npm here, which fetches onnxruntime-web; Node.js brings it")
    command = [npm, "pack", "--silent", f"onnxruntime-web@{VERSION}"]
    done = subprocess.run(command, cwd=unfinished, capture_output=True, text=True)
    archives = list(unfinished.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        reason = " ".join(done.stderr.split())[-160:] or "it brought no file"
        raise OSError(f"npm cannot fetch onnxruntime-web {VERSION} ({reason})")
    check_digest(archives[0])
    with tarfile.open(archives[0]) as archive:
        for name in FILES:
            kept = archive.extractfile(f"package/dist/{name}")
            assert kept is not None
            (unfinished / name).write_bytes(kept.read())
    archives[0].unlink()


def check_digest(file: Path) -> None:
    """Raises ValueError unless the file's SHA-256 is the one that is pinned here."""
    if hashlib.sha256(file.read_bytes()).hexdigest() != SHA256:
        raise ValueError(
            f"the file of onnxruntime-web {VERSION} that npm brought is not the one that it should"
            f" be (its SHA-256 must be {SHA256[:12]}…): the download was cut or the file altered"
        )


if __name__ == "__main__":
    try:
        fetch()
    except (OSError, ValueError) as error:
        sys.exit(f"*** The page /smollm2/ will not run: {error}. ***")
