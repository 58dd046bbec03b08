"""A process of the learner's own: what it can reach, and that nothing it started outlives it.

On Linux it gets namespaces: other processes, the network and all files but Python, the module and
an empty working folder are not there for it. Started by root it also becomes another user. What a
system refuses is left out, and the grader says so.
"""

import contextlib
import ctypes
import os
import platform
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

NEWNS, NEWUTS, NEWIPC = 0x00020000, 0x04000000, 0x08000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
READ_ONLY, NO_SUID, NO_DEVICES, REMOUNT = 1, 2, 4, 32
BIND, MOVE, RECURSIVE, PRIVATE = 4096, 8192, 16384, 1 << 18
NOBODY = 65534
PR_PDEATHSIG, PR_DUMPABLE, PR_CAPBSET_DROP, PR_SUBREAPER, PR_NO_NEW_PRIVS = 1, 4, 24, 36, 38
MOUNT_SETATTR, PIVOT_ROOT = 442, {"x86_64": 155, "aarch64": 41}.get(platform.machine(), -1)
SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin")
ETC = ("ld.so.cache", "passwd", "group", "localtime", "fonts", "alternatives", "mime.types")
DEVICES = ("null", "zero", "full", "random", "urandom")
HOME = "/home/learner"

_libc: Any = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _check(result, what):
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def _mount(source, target, kind=None, flags=0, options=None):
    words = [w.encode() if w is not None else None for w in (source, target, kind, options)]
    _check(_libc.mount(*words[:3], ctypes.c_ulong(flags), words[3]), f"mount {target}")


def prctl(option: int, value: int) -> None:
    """The system call of this name, where there is one."""
    if _libc is not None:
        _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0)


def enter_namespaces() -> bool:
    """Takes this process's children out of the machine's lists of processes; True if it could."""
    if _libc is None:
        return False
    mine = (os.getuid(), os.getgid())
    root = mine[0] == 0
    flags = NEWPID | (0 if root else NEWUSER)
    if _libc.unshare(ctypes.c_int(flags)) == -1:
        return False
    if not root:
        Path("/proc/self/setgroups").write_text("deny")
        for name, number in zip(("uid_map", "gid_map"), mine, strict=True):
            Path(f"/proc/self/{name}").write_text(f"{number} {number} 1")
    return True


def narrow_files(root: str, readable: list[str], disk_mb: int) -> None:
    """A root of our own, put together in the empty folder `root`: `readable` and the system's
    programs, read-only, and an empty home.
    """
    _check(_libc.unshare(ctypes.c_int(NEWNS | NEWNET | NEWIPC | NEWUTS)), "unshare")
    _mount("none", "/", flags=RECURSIVE | PRIVATE)
    _mount("tmpfs", root, "tmpfs", NO_SUID | NO_DEVICES, "size=1m,mode=755")
    for folder, size in ((HOME, disk_mb), ("/tmp", disk_mb), ("/dev/shm", disk_mb)):
        os.makedirs(root + folder, exist_ok=True)
        _mount("tmpfs", root + folder, "tmpfs", NO_SUID | NO_DEVICES, f"size={size}m,mode=1777")
    for path in _outermost([*SYSTEM, *readable]):
        _show(path, root + path)
    for name in ETC:
        if os.path.exists(f"/etc/{name}"):
            _show(f"/etc/{name}", f"{root}/etc/{name}")
    for name in DEVICES:
        _bind(f"/dev/{name}", f"{root}/dev/{name}")
    os.makedirs(root + "/proc")
    with contextlib.suppress(OSError):  # containers that hide parts of it allow no other
        _mount("proc", root + "/proc", "proc", NO_SUID | NO_DEVICES)
    os.chdir(root)
    if _libc.syscall(PIVOT_ROOT, b".", b".") == -1:  # the first root of a machine is none to leave
        _mount(".", "/", flags=MOVE)
        os.chroot(".")
    else:
        _check(_libc.umount2(b".", 2), "umount")
    _mount(None, "/", flags=REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEVICES)
    os.chdir(HOME)


def _outermost(paths):
    """Without those that lie in another of them; links stay links."""
    found = sorted({os.path.normpath(path) for path in paths if os.path.lexists(path)}, key=len)
    kept = []
    for path in found:
        if not any(path.startswith(other + "/") or path == other for other in kept):
            kept.append(path)
    return kept


def _show(path, target):
    if os.path.islink(path):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.symlink(os.readlink(path), target)
        return
    _bind(path, target)
    _read_only(target)


def _bind(path, target):
    os.makedirs(target if os.path.isdir(path) else os.path.dirname(target), exist_ok=True)
    if not os.path.isdir(path):
        Path(target).touch()
    _mount(path, target, flags=BIND | RECURSIVE)


def _read_only(target):
    class Attributes(ctypes.Structure):
        _fields_ = [(name, ctypes.c_uint64) for name in ("on", "off", "spread", "users")]

    wanted = Attributes(READ_ONLY, 0, 0, 0)
    done = _libc.syscall(
        MOUNT_SETATTR, -100, target.encode(), 0x8000, ctypes.byref(wanted), ctypes.sizeof(wanted)
    )
    if done == -1:  # a kernel before 5.12
        _mount(None, target, flags=REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEVICES)


def all_may_read(folders: list[str]) -> bool:
    """Whether another user can get at these folders."""
    for folder in folders:
        for path in (Path(folder), *Path(folder).parents):
            if path.stat().st_mode & 0o005 != 0o005:
                return False
    return True


def become_nobody() -> None:
    """Gives up every privilege: another user if this is root, and no way to new ones."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    elif _libc is not None:  # in a user namespace of one's own: no capability outlives this
        for capability in range(41):
            prctl(PR_CAPBSET_DROP, capability)
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        _libc.capset(ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)()))
    prctl(PR_NO_NEW_PRIVS, 1)


def limit(memory_gb: float, file_mb: int, processes: int | None) -> None:
    """Limits of one process: memory of its own, the size of a file, and how many processes."""
    limits = [
        (resource.RLIMIT_DATA, int(memory_gb * 2**30)),
        (resource.RLIMIT_FSIZE, file_mb * 2**20),
        (resource.RLIMIT_CORE, 0),
    ]
    if processes is not None:
        limits.append((resource.RLIMIT_NPROC, processes))
    for which, most in limits:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(which, (most, most))


def descendants() -> list[int]:
    """Processes that this one started, and those that they started."""
    import psutil

    with contextlib.suppress(psutil.Error):
        return [child.pid for child in psutil.Process().children(recursive=True)]
    return []


def end_all(seconds: float = 10) -> None:
    """Kills and awaits every descendant. As a subreaper this process inherits those that tried to
    get away by forking twice or by a session of their own.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for pid in descendants():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.01)
