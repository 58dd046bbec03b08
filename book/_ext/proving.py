"""Proves an assignment: what a built notebook, or a wrong solution in it, scores in one process."""

import contextlib
import json
import re
import tempfile
from pathlib import Path

from masters import ANSWER, Mutant

from svdicl_lite.classroom.assignment import files_of, lay_out
from svdicl_lite.classroom.by_hand import without


def score(notebook, tests: Path, mutant: Mutant | None = None) -> dict[str, object]:
    """Question → its graded otter TestFile, for a built notebook whose code cells are run in this
    process, checks in their places.

    The code of a mutant takes the place of the cells that are tagged as answers before the check of
    its question. Errors of cells are raised: a reference, a blank and a mutant all run to their
    ends. A question that is built on has its reference back once it is marked, as the marker puts
    it in the place of an answer that failed.
    """
    from otter.test_files.exception_test import ExceptionTestFile

    described = json.loads((tests.parent / "assignment.json").read_text())
    out_of_reach = {row["name"]: row["without"] for row in described["questions"]}
    built_on = {name for row in described["questions"] for name in row["builds_on"]}
    names, results, pending = {"__name__": "__main__"}, {}, []
    with tempfile.TemporaryDirectory() as here, contextlib.chdir(here):
        lay_out(files_of(described))
        for cell in notebook.cells:
            check = re.search(r'grader\.check\("(\w+)"\)', cell.source)
            if cell.cell_type != "code" or "grader.check_all" in cell.source:
                continue
            if not check:
                pending.append(cell)
                continue
            replaced = (mutant.parts if mutant else {}).get(check[1])
            for cell in pending:
                if replaced is None or ANSWER not in cell.metadata.get("tags", []):
                    _execute(cell.source, names)
                elif replaced:
                    _execute(replaced, names)
                    replaced = ""
            results[check[1]] = ExceptionTestFile.from_file(str(tests / f"{check[1]}.py"))
            with without(out_of_reach.get(check[1], [])):
                results[check[1]].run(names)
            if replaced is not None and check[1] in built_on:
                for cell in pending:
                    if ANSWER in cell.metadata.get("tags", []):
                        _execute(cell.source, names)
            pending = []
        for cell in pending:
            _execute(cell.source, names)
    return results


def _execute(source, names):
    exec(compile(source, "<cell>", "exec"), names)
