"""The cache: a folder outside the tree for what was fetched or converted once.

It is `~/.cache/svdicl_lite`, or what the environment variable SVDICL_CACHE names. What it holds is
made in a folder beside its place and renamed when it is whole, so that a process that is killed
leaves nothing that could be taken for the real thing; a lock lets one process make it while others
wait.
"""

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

SIZES = ".sizes.json"  # in each folder of the cache: {file: bytes}, written last
FULL = (errno.ENOSPC, errno.EDQUOT)


def cache_folder() -> Path:
    """Where the cache is, whether it exists or not."""
    return Path(os.environ.get("SVDICL_CACHE") or "~/.cache/svdicl_lite").expanduser().absolute()


def in_cache(name: str) -> Path | None:
    """The folder `name` of the cache if it is there and whole, else None.

    Whole means that every file has the size that it was written with: a disk that ran full or lost
    power can leave a file shorter than that.
    """
    folder = cache_folder() / name
    try:
        sizes = json.loads((folder / SIZES).read_text())
        whole = all((folder / file).stat().st_size == size for file, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return None
    return folder if whole else None


def cached(name: str, make: Callable[[Path], None], megabytes: float) -> Path:
    """The folder `name` of the cache, which `make(folder)` fills the first time.

    `megabytes` is the room that making it needs. Safe if two processes ask at once. Raises OSError
    in one sentence if the cache cannot be written or its disk is too full, and what `make` raises.
    """
    found = in_cache(name)
    if found is not None:
        return found  # without the lock: a cache that cannot be written can still be read
    from filelock import FileLock

    root = cache_folder()
    try:
        root.mkdir(parents=True, exist_ok=True)
        _check_room(root, megabytes)
        with FileLock(root / f".{name}.lock"):
            if in_cache(name) is None:  # else another process made it while this one waited
                _make(root, name, make)
    except OSError as error:
        raise _told(error, root, megabytes) from error
    return root / name


def _make(root: Path, name: str, make: Callable[[Path], None]) -> None:
    unfinished, place = root / f".{name}.unfinished", root / name
    shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed
    unfinished.mkdir()
    try:
        make(unfinished)
        files = sorted(file for file in unfinished.rglob("*") if file.is_file())
        sizes = {file.relative_to(unfinished).as_posix(): file.stat().st_size for file in files}
        (unfinished / SIZES).write_text(json.dumps(sizes))
        shutil.rmtree(place, ignore_errors=True)  # what is there is not whole
        unfinished.rename(place)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _check_room(root: Path, megabytes: float) -> None:
    if shutil.disk_usage(root).free < megabytes * 1e6:
        raise OSError(errno.ENOSPC, "no space left on device")


def _told(error: OSError, root: Path, megabytes: float) -> OSError:
    """The sentence for an error of the file system; an error that is a sentence already stays."""
    if error.errno is None:
        return error
    if error.errno in FULL:
        return OSError(
            f"the disk of the cache folder {root} has no room for {megabytes:,.0f} MB; make room,"
            " or name a folder on another disk by the environment variable SVDICL_CACHE"
        )
    return OSError(
        f"the cache folder {root} cannot be written ({error.strerror}); name one that can by the"
        " environment variable SVDICL_CACHE"
    )
