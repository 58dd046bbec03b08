"""The guard of a grading run: an otter plugin under which a cell costs, at worst, the question it
is in.

Stock otter waits for ever on an endless loop, and loses every point of a submission whose kernel
dies. Under the guard a cell that outlasts its time or kills the kernel is taken out and the
notebook starts again without it, in a fresh kernel; and each test runs in a process of its own, so
that code under test may loop, exit or crash as it likes. What a person should look at is flagged,
not judged.

Read by otter on Gradescope and by `svdicl grade` (both name `svdicl_lite.classroom.guard.Guard` in
the autograder's otter_config.json); `arm`, `check` and `forfeit` are called in the learner's
kernel.
"""

import ast
import json
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path

import nbformat
from otter.plugins import AbstractOtterPlugin

LIMITS = {"cell_seconds": 60, "test_seconds": 10, "memory_gb": 4, "file_mb": 100}
"""Of one cell, of one test, of one process's own memory, and of one file that it writes."""

TAKEN_OUT, FORFEIT = (
    "raise RuntimeError('This cell",
    "__import__('svdicl_lite.classroom.guard').classroom.guard.forfeit",
)
SUSPECT_MODULES = {
    "builtins",
    "ctypes",
    "gc",
    "glob",
    "inspect",
    "otter",
    "requests",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "urllib",
}
SUSPECT_NAMES = {
    "__builtins__",
    "__import__",
    "_exit",
    "_getframe",
    "abort",
    "eval",
    "exec",
    "exit",
    "fork",
    "get_ipython",
    "globals",
    "kill",
    "open",
    "quit",
    "setattr",
    "settrace",
    "system",
}


class Guard(AbstractOtterPlugin):
    """Limits, isolation and flags. Configured by `LIMITS`, and by JSON in the variable
    SVDICL_GUARD, which has the last word.
    """

    def before_grading(self, config):
        from nbconvert import preprocessors

        self.limits = {
            **LIMITS,
            **(self.plugin_config or {}),
            **json.loads(os.environ.get("SVDICL_GUARD", "{}")),
        }
        self.stopped, self.flags, self.errors = [], [], {}
        preprocessors.ExecutePreprocessor = restarting(
            preprocessors.ExecutePreprocessor, self.limits, self.stopped, self.errors
        )
        # One thread each: a child of a process with waiting threads would wait for ever. And
        # nothing is fetched.
        alone = dict.fromkeys(
            ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "HF_HUB_OFFLINE"), "1"
        )
        os.environ.update(alone, CUDA_VISIBLE_DEVICES="", TOKENIZERS_PARALLELISM="false")
        os.environ["PYTHONPATH"] = os.pathsep.join(
            [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        )
        for limit, most in (
            (resource.RLIMIT_DATA, int(self.limits["memory_gb"] * 2**30)),
            (resource.RLIMIT_FSIZE, self.limits["file_mb"] * 2**20),
        ):
            resource.setrlimit(limit, (most, most))

    def before_execution(self, notebook):
        given = Path("../source/assignment.json")
        known = set(json.loads(given.read_text())["given"]) if given.exists() else set()
        for number, cell in enumerate(notebook.cells, 1):
            cell.metadata["svdicl_cell"] = number
            if cell.source in known:
                cell.metadata["svdicl_given"] = True
            elif cell.cell_type == "code":
                self.flags += [f"cell {number}: {what}" for what in suspicious(cell.source)]
        arm = nbformat.v4.new_code_cell(
            "from svdicl_lite.classroom import guard as"
            f" _guard\n_guard.arm({self.limits['test_seconds']})\ndel _guard"
        )
        checks = [
            nbformat.v4.new_code_cell(
                f"__import__('svdicl_lite.classroom.guard').classroom.guard.check({str(path)!r})",
                metadata={"svdicl_check": str(path)},
            )
            for path in sorted(Path("tests").glob("*.py"))
        ]
        notebook.cells = [arm, *notebook.cells, *checks]
        return notebook

    def after_grading(self, results):
        results.set_plugin_data(
            "svdicl_lite.classroom.guard",
            {"stopped": self.stopped, "flags": self.flags, "errors": list(self.errors.values())},
        )

    def generate_report(self):
        return "\n".join(
            [
                *(f"STOPPED {what}" for what in self.stopped),
                *(f"LOOK AT {what}" for what in self.flags),
            ]
        )


def restarting(base, limits, stopped, errors):
    """A subclass of nbconvert's ExecutePreprocessor that takes a deadly cell out and starts again.

    `stopped` collects what it took out, `errors` (by cell) the names of other cells' errors.
    Outputs are not kept: endless ones would fill the memory.
    """
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    class Restarting(base):
        def preprocess(self, nb, resources=None, km=None):
            self.shutdown_kernel, self.startup_timeout = "immediate", 300
            while True:
                try:
                    return super().preprocess(nb, resources, km)
                except CellTimeoutError:
                    self._take_out(
                        f"ran longer than {self._get_timeout(nb.cells[self.at])} s and was stopped"
                    )
                except DeadKernelError:
                    self._take_out("ended the kernel")

        def preprocess_cell(self, cell, resources, index):
            self.at = index
            return super().preprocess_cell(cell, resources, index)

        def output(self, outs, msg, display_id, cell_index):
            cell = self.nb.cells[cell_index]
            number = None if cell.source.startswith(TAKEN_OUT) else cell.metadata.get("svdicl_cell")
            if (
                number
                and msg["msg_type"] == "error"
                and msg["content"].get("ename", "").isidentifier()
            ):
                errors[number] = f"cell {number} ended with a {msg['content']['ename'][:40]}"

        def _get_timeout(self, cell):
            if cell is None or not cell.metadata.keys() & {"svdicl_cell", "svdicl_check"}:
                return 300  # the grader's own, on a machine however busy
            if "svdicl_given" in cell.metadata and "check(" not in cell.source:
                return max(
                    180, limits["cell_seconds"]
                )  # as handed out: the imports, which take long where little else does
            return limits["cell_seconds"] + (
                20 * limits["test_seconds"] if "check(" in cell.source else 0
            )

        def _take_out(self, why):
            # A kernel may outlive the cell that ended it by a moment; then the cell after it is
            # asked first, and it before.
            for cell in reversed(self.nb.cells[: self.at + 1]):
                path, number = cell.metadata.get("svdicl_check"), cell.metadata.get("svdicl_cell")
                if (
                    path or number and cell.cell_type == "code" and cell.source.strip()
                ) and not cell.source.startswith((TAKEN_OUT, FORFEIT)):
                    break
            else:
                raise RuntimeError(f"a cell of the grader itself {why}")
            stopped.append(
                f"the tests in {path}, which {why}" if path else f"cell {number}, which {why}"
            )
            cell.source = f"{FORFEIT}({path!r}, {why!r})" if path else f"{TAKEN_OUT} {why}.')"

    return Restarting


def suspicious(source: str) -> list[str]:
    """What in a cell a person should look at, in words: exits, reaching for the grader or the
    network, replaced functions of a module.
    """
    try:
        tree = ast.parse(
            "".join(
                line for line in source.splitlines(True) if not line.lstrip().startswith(("%", "!"))
            )
        )
    except SyntaxError:
        return []
    imported = {
        alias.asname or alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [
                f"imports {alias.name}"
                for alias in node.names
                if alias.name.split(".")[0] in SUSPECT_MODULES
            ]
        elif (
            isinstance(node, ast.ImportFrom)
            and (node.module or "").split(".")[0] in SUSPECT_MODULES
        ):
            found.append(f"imports from {node.module}")
        elif (
            isinstance(node, ast.Name)
            and node.id in SUSPECT_NAMES
            or isinstance(node, ast.Attribute)
            and node.attr in SUSPECT_NAMES
        ):
            found.append(f"uses {node.id if isinstance(node, ast.Name) else node.attr}")
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and "tests/" in node.value
        ):
            found.append("names the folder of the tests")
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                root = target
                while isinstance(root, ast.Attribute):
                    root = root.value
                if (
                    isinstance(target, ast.Attribute)
                    and isinstance(root, ast.Name)
                    and root.id in imported | {"np", "numpy", "torch", "math", "sys", "os"}
                ):
                    found.append(f"replaces {ast.unparse(target)}")
    if any(line.lstrip().startswith("!") for line in source.splitlines()):
        found.append("runs a shell command")
    return list(dict.fromkeys(found))


# In the learner's kernel.


def arm(test_seconds: float) -> None:
    """From now on every exception test of this process runs in a child that may take
    `test_seconds`, and exit() is an error like others.
    """
    from IPython import get_ipython
    from otter.test_files.abstract_test import TestCaseResult
    from otter.test_files.exception_test import ExceptionTestFile

    def run(self, env):
        outcomes = [
            (case, isolated(lambda case=case: case.body.call_func(env), test_seconds))
            for case in self.test_cases
        ]
        self.test_case_results = [
            TestCaseResult(case, message or "passed", passed=message is None)
            for case, message in outcomes
        ]

    def ask_exit():
        raise RuntimeError("exit() and quit() end no notebook here")

    ExceptionTestFile.run = run
    get_ipython().ask_exit = ask_exit


def check(path: str) -> None:
    """Runs the tests of a question whose check cell the learner removed, or that did not get
    through.
    """
    from otter.execute import Checker

    Checker.check_if_not_already_checked(path, sys.modules["__main__"].__dict__)


def forfeit(path: str, why: str) -> None:
    """Counts every test of a question as failed."""
    from otter.execute import Checker
    from otter.nbmeta_config import NBMetadataConfig
    from otter.test_files import create_test_file
    from otter.test_files.abstract_test import TestCaseResult

    test = create_test_file(path, NBMetadataConfig())
    test.test_case_results = [
        TestCaseResult(case, f"the tests of this question {why}", passed=False)
        for case in test.test_cases
    ]
    Checker.get_results().append(test)


def isolated(call, seconds: float, leave=os._exit) -> str | None:
    """None if `call()` returns within `seconds` in a child process, or else in words how it failed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0)
            sys.stdout = sys.stderr = open(os.devnull, "w")
            try:
                call()
                said = ""
            except BaseException as error:
                said = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
            os.write(writer, (json.dumps(said) + "\n").encode())
        finally:
            leave(0)
    os.close(writer)
    said, end = b"", time.monotonic() + seconds
    while (
        not said.endswith(b"\n")
        and select.select([reader], [], [], max(0, end - time.monotonic()))[0]
    ):
        more = os.read(reader, 4096)
        if not more:
            break
        said += more
    late = time.monotonic() >= end
    for kill, target in ((os.killpg, child), (os.kill, child)):
        try:
            kill(target, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
    os.waitpid(child, 0)
    os.close(reader)
    if said.endswith(b"\n"):
        return json.loads(said) or None
    return (
        f"it took longer than {seconds} s"
        if late
        else "it ended the process that runs the test (an exit, a crash, or too much memory)"
    )
