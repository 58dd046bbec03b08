"""What the learner's process can reach is what the grader says, and no more."""

import os

import pytest
from honest_work import LIMITS, archive, notebook

from svdicl_lite.classroom.marker import Marker

FILES = """
import os, svdicl_lite
module = os.path.dirname(svdicl_lite.__file__)
assert os.listdir(os.getcwd()) == [] and not os.path.exists("OUTSIDE")
assert not {"book", "tests", ".git"} & set(os.listdir(os.path.dirname(module)))
"""
CLAIMS = {
    "files": FILES,
    "processes": "import os\nassert len([p for p in os.listdir('/proc') if p.isdigit()]) <= 2",
    "network": "import socket\nassert socket.if_nameindex() == [(1, 'lo')]",
    "user": "import os\nassert os.getuid() == 65534 == os.geteuid()",
}
READ_ONLY = """
import os, sys, svdicl_lite
for place in (os.path.dirname(svdicl_lite.__file__), sys.prefix, "/", "/usr", "/etc"):
    try:
        open(place + "/x", "w")
    except OSError:
        pass
    else:
        raise ValueError(place)
"""
ALONE = (
    "import ctypes\nlibc = ctypes.CDLL(None)\n"
    "assert libc.mount(b'none', b'/', 0, 32, 0) == -1 and libc.umount2(b'/', 2) == -1\n"
    "assert libc.setuid(0) == -1 or __import__('os').getuid() == 0"
)


@pytest.fixture(scope="module")
def autograder(tmp_path_factory):
    return archive(tmp_path_factory.mktemp("sandbox"))


def errors(autograder, *cells, **limits):
    work = notebook()
    work["cells"] += [{"cell_type": "code", "source": cell} for cell in cells]
    with Marker(autograder) as marker:
        result = marker.mark(work, LIMITS | limits, 60)
    return result


def test_every_claim_of_the_sandbox_is_so(autograder):
    outside = str(autograder)
    have = errors(autograder)["have"]
    assert {"processes", "files", "network"} <= set(have), "Linux lets an ordinary user have these"
    assert ("user" in have) == (os.getuid() == 0)
    cells = [CLAIMS[claim].replace("OUTSIDE", outside) for claim in have]
    result = errors(autograder, *cells, READ_ONLY, ALONE)
    assert result["errors"] == [] and result["status"] == "graded", result


def test_without_namespaces_root_runs_nobodys_code_as_root(autograder):
    result = errors(autograder, "import os\nassert os.getuid() != 0", isolate=False)
    if result["status"] == "graded":  # as another user, or as the one who grades
        assert result["errors"] == [] and set(result["have"]) <= {"user"}
    else:
        assert "learners' code is not run as root" in result["reason"]


def test_disk_and_memory_end_where_the_limits_say(autograder):
    cells = (
        "for n in range(9):\n    open(str(n), 'wb').write(bytes(4 * 2**20))",
        "open('large', 'wb').write(bytes(30 * 2**20))",
        "x = bytearray(3 * 2**30)",
    )
    result = errors(autograder, *cells, disk_mb=20, file_mb=10, memory_gb=2)
    said = [error.partition("with a ")[2].partition(":")[0] for error in result["errors"]]
    assert said == ["OSError", "OSError", "MemoryError"], result
