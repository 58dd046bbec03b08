"""Setting up as others do it: `make check-setup`, once a release, outside the timed suite.

    make check-setup                        # small parts of the book and the tests, half an hour
    make check-setup SETUP="--full"         # the README's two commands in full, some hours
    make check-setup SETUP="wheel doctor"   # only these steps, in the order they are given here

What is set up is the last commit, in a folder of its own outside this one; each step prints what it
did, and the first that fails ends it. Steps that others need are done first by themselves: the
clones for all that runs in one. It takes 10 GB of disk, a package index, and git; what only root or
only Linux can do (another user, no network) is said to be left out elsewhere. Of the small parts,
`book` took 35 s and `tests` 61 s on two busy cores; both sets of packages are there in 3 minutes.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PIP = [*os.environ.get("PIP_ARGS", "").split()]
# A path as people have them. Make cuts its own names at spaces, so this is where it would break.
CLONES = ("Bücher und Räume/less is more", "Второй экземпляр")
PART_OF_BOOK = "chapters/01_singular_values.md"
PART_OF_TESTS = "tests/test_svd.py tests/test_stats.py tests/test_options.py"
NOBODY = 65534
# Kernels of notebooks talk to each other by the machine's own address, which stays.
NO_NETWORK = ("unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh")
# What a machine may have to be told before it reaches a package index.
TOLD = ("PIP_", "SSL_CERT", "REQUESTS_CA", "CURL_CA", "http_proxy", "https_proxy", "no_proxy")


class Failed(Exception):
    """A step that did not do what it should; its text says which and why."""


class SetUp:
    """A folder for all of it, and how commands are run there."""

    def __init__(self, folder: Path, full: bool):
        self.folder, self.full = folder, full
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self.other_user = hasattr(os, "getuid") and os.getuid() == 0
        self.python = "/usr/bin/python3" if self.other_user else sys.executable
        self.made: list[Path] = []  # the clones

    def command(self, *words: str, offline: bool = False) -> list[str]:
        """The words, as a user who is not root where we are, and without a network if told so."""
        told = list(words)
        if self.other_user:
            told = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *told]
        return [*NO_NETWORK, *told] if offline and self.other_user else told

    def start(self, *words: str, where: Path, offline: bool = False) -> subprocess.Popen:
        """Begins a command in a session of its own, which a ctrl-C can be sent to."""
        kept = {name: value for name, value in os.environ.items() if name.startswith(TOLD)}
        kept |= {"PATH": os.defpath, "HOME": str(self.home), "LANG": "C.UTF-8"}
        kept["PIP_CACHE_DIR"] = str(self.home / "pip")
        if not self.full:
            kept["PYTEST_ADDOPTS"] = PART_OF_TESTS
        return subprocess.Popen(
            self.command(*words, offline=offline),
            cwd=where,
            env=kept,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # what is started in the background has children that do not heed ctrl-C
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, *words: str, where: Path, offline: bool = False) -> str:
        """What the command prints. Raises Failed with the end of it if it fails."""
        return self.end(self.start(*words, where=where, offline=offline), " ".join(words))

    def end(self, process: subprocess.Popen, what: str) -> str:
        """The same of one that was begun."""
        said, _ = process.communicate()
        if process.returncode:
            last = "\n".join(said.splitlines()[-25:])
            raise Failed(f"{what} ended with {process.returncode}:\n{last}")
        return said

    def interrupt(self, *words: str, where: Path, until: str, offline: bool = False) -> str:
        """Begins a command, and sends what ctrl-C sends once a file like `until` is there."""
        process = self.start(*words, where=where, offline=offline)
        while process.poll() is None and not any(where.glob(until)):
            time.sleep(0.1)
        if process.poll() is not None:
            self.end(process, " ".join(words))
            raise Failed(f"{' '.join(words)} ended before it could be interrupted")
        time.sleep(1)
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate()
        if process.returncode == 0:
            raise Failed(f"{' '.join(words)} was interrupted, and said that all is well")
        return said

    def make(self, *words: str) -> list[str]:
        """`make`, with this Python and what pip was told."""
        return ["make", *words, f"PYTHON={self.python}", f"PIP_ARGS={' '.join(PIP)}"]

    def clones(self) -> list[Path]:
        """Two clones, in paths with spaces and non-ASCII letters, made when first asked for."""
        for name in () if self.made else CLONES:
            clone = self.folder / name
            clone.parent.mkdir(exist_ok=True)
            if not clone.exists():
                # a hard link would hand the repository's own files to the other user
                words = ["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone)]
                subprocess.run(words, check=True)
            self.made.append(clone)
        self.own()
        return self.made

    def own(self) -> None:
        """Gives all of it to the other user."""
        if self.other_user:
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(self.folder)], check=True)


def wheel(setup: SetUp) -> str:
    """A wheel installs into an empty environment outside the tree; a search runs from there."""
    outside = setup.folder / "outside the tree"
    outside.mkdir(exist_ok=True)
    source = setup.clones()[1]
    setup.run(setup.python, "-m", "venv", str(outside / "venv"), where=outside)
    python = str(outside / "venv/bin/python")
    words = (python, "-m", "pip", "wheel", "-q", *PIP, "--no-deps", "-w", ".", str(source))
    setup.run(*words, where=outside)
    (made,) = outside.glob("*.whl")
    lock = str(source / "requirements.lock")
    setup.run(python, "-m", "pip", "install", "-q", *PIP, "-c", lock, str(made), where=outside)
    said = setup.run(
        *(str(outside / "venv/bin/svdicl"), "search", "--model", "icl-gpt2-noisy"),
        *("--task", "sentiment", "--labels", "flipped", "--n-validation", "64", "--n-test", "64"),
        where=outside,
    )
    verdict = [line for line in said.splitlines() if line.startswith("test accuracy")]
    if not verdict:
        raise Failed(f"svdicl search printed no verdict:\n{said}")
    return f"{made.name}, {made.stat().st_size / 1e6:.1f} MB; svdicl search there: {verdict[0]}"


def doctor(setup: SetUp) -> str:
    """`svdicl doctor`, from the wheel's environment, with and without a network."""
    venv = setup.folder / "outside the tree/venv"
    if not venv.is_dir():
        wheel(setup)
    lines = []
    for offline in (False, True):
        process = setup.start(
            str(venv / "bin/svdicl"), "doctor", where=venv.parent, offline=offline
        )
        said, _ = process.communicate()
        if "Traceback" in said or not said:
            raise Failed(f"svdicl doctor{' without a network' if offline else ''}:\n{said}")
        lines.append(f"{'no network' if offline else 'as it is'} (ended with {process.returncode})")
        lines.append("    " + "\n    ".join(said.splitlines()))
    return "\n".join(lines)


def harness(setup: SetUp) -> str:
    """The recipe of chapter 15, as it stands there: our clips judged by lm-evaluation-harness."""
    outside = setup.folder / "outside the tree"
    if not (outside / "venv").is_dir():
        wheel(setup)
    python, work = str(outside / "venv/bin/python"), outside / "harness"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    setup.own()
    setup.run(python, "-m", "pip", "install", "-q", *PIP, "lm_eval[hf]", where=work)
    setup.run(python, "-c", ROWS, where=work)
    task, recipe = recipe_of(ROOT / "chapters/15_your_model.md")
    (work / "reviews.yaml").write_text(task, encoding="utf-8")
    path = f'PATH="{outside}/venv/bin:$PATH"'
    said = setup.run("sh", "-ec", f"{path}\n{recipe}", where=work, offline=True)
    found = [line for line in said.splitlines() if line.startswith(("gain", "|reviews"))]
    if not any(line.startswith("gain") for line in found):
        raise Failed(f"svdicl compare printed no gain:\n{said}")
    return "\n  ".join(found)


ROWS = """
import json
from svdicl_lite import load_task
for split, rows in load_task("sentiment", "flipped").splits.items():
    with open(f"{split}.jsonl", "w") as file:
        for row in rows.select(range(100)):
            file.write(json.dumps({**row, "label": 1 - row["label"]}) + "\\n")
"""


def recipe_of(chapter: Path) -> tuple[str, str]:
    """The YAML and the shell commands of the chapter's section on the harness."""
    section = chapter.read_text(encoding="utf-8").partition("## By another judge\n")[2]
    blocks = [section.partition(f"```{kind}\n")[2].partition("```")[0] for kind in ("yaml", "sh")]
    return blocks[0], blocks[1]


def set_up(setup: SetUp) -> str:
    """The set-up in two clones at once, one of them interrupted and begun again."""
    one, two = setup.clones()
    beside = setup.start(*setup.make(".venv/fetched"), where=two)
    setup.interrupt(*setup.make(".venv/fetched"), where=one, until=".venv/lib/*/site-packages/num*")
    if (one / ".venv/ready").exists():
        raise Failed("an interrupted set-up left .venv/ready")
    setup.run(*setup.make(".venv/fetched"), where=one)
    setup.end(beside, "the set-up beside it")
    if not all((clone / ".venv/ready").exists() for clone in (one, two)):
        raise Failed("a set-up that ended well left no .venv/ready")
    fetched = [clone.name for clone in (one, two) if (clone / ".venv/fetched").exists()]
    return f"two clones set up at once, one after ctrl-C; model and texts came to: {fetched}"


def ready(setup: SetUp) -> Path:
    """The first clone, set up."""
    one = setup.clones()[0]
    if not (one / ".venv/ready").exists():
        set_up(setup)
    return one


def book(setup: SetUp) -> str:
    """`make book` without a network, interrupted and begun again, then at once a second time."""
    clone = ready(setup)
    goal = ["book"] if setup.full else ["chapters", f"CHAPTERS={PART_OF_BOOK}", "PROFILE=ci"]
    profile = "book" if setup.full else "ci"
    words = setup.make(*goal)
    setup.interrupt(*words, where=clone, until="_build/dependencies.mk", offline=True)
    left = list((clone / f"_build/{profile}").glob("chapters/*.ipynb"))
    setup.run(*words, where=clone, offline=True)
    made = list((clone / f"_build/{profile}").glob("chapters/*.ipynb"))
    started = time.time()
    setup.run(*words, where=clone, offline=True)
    again = time.time() - started
    if not made or again > 30:
        raise Failed(f"{len(made)} chapters were made; making them again took {again:.0f} s")
    what = "make book" if setup.full else f"make chapters of {PART_OF_BOOK}"
    return f"{what}: {len(left)} chapters at ctrl-C, then {len(made)}; again in {again:.0f} s"


def tests(setup: SetUp) -> str:
    """`make test` without a network."""
    clone = ready(setup)
    words = setup.make("test") if setup.full else setup.make("test", f"CHAPTERS={PART_OF_BOOK}")
    said = setup.run(*words, where=clone, offline=True)
    return f"{said.splitlines()[-1]} ({'all' if setup.full else PART_OF_TESTS})"


STEPS = {step.__name__: step for step in (wheel, doctor, harness, set_up, book, tests)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("steps", nargs="*", help=f"of {', '.join(STEPS)}; all if left out")
    parser.add_argument("--full", action="store_true", help="the whole book and every test")
    parser.add_argument("--keep", type=Path, help="the folder to work in, which stays")
    told = parser.parse_args()
    if unknown := set(told.steps) - set(STEPS):
        parser.error(f"there is no step {unknown.pop()!r}; there are {', '.join(STEPS)}")
    folder = told.keep or Path(tempfile.mkdtemp(prefix="set-up ", dir="/var/tmp"))
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    setup = SetUp(folder.resolve(), told.full)
    who = f"user {NOBODY}, without a network after set-up" if setup.other_user else "this user"
    print(f"check-setup of {_commit()} in {folder}, as {who}", flush=True)
    try:
        for name, step in STEPS.items():
            if told.steps and name not in told.steps:
                continue
            started = time.time()
            print(f"{name}: {step.__doc__.splitlines()[0]}", flush=True)
            print(f"  {step(setup)}  [{time.time() - started:.0f} s]", flush=True)
    except Failed as error:
        print(f"  FAILED: {error}")
        return 1
    finally:
        if not told.keep:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def _commit() -> str:
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
