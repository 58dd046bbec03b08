"""What lets a notebook run where it is handed out to: a first cell that installs what is missing,
and a wheel of the module in the zip for assignments that import it.
"""

import base64
import hashlib
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "svdicl_lite"
PACKAGES = {
    "otter": "otter-grader>=7,<8",
    "numpy": "numpy",
    "pandas": "pandas",
    "scipy": "scipy",
    "torch": "torch",
    "transformers": "transformers>=5,<6",
}
MARK = "# Unpacks and installs what is missing"
CELL = """{mark} (on Colab, upload the zip beside this notebook); otherwise it does nothing.
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

if Path("{name}-student.zip").exists() and not Path("tests").exists():
    with zipfile.ZipFile("{name}-student.zip") as archive:
        for file in archive.namelist():
            if not file.endswith(".ipynb"):
                target = Path(file).relative_to("{name}")
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(archive.read(file))

needed = {needed}
missing = [needed[module] for module in needed if importlib.util.find_spec(module) is None]
if missing:
    done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", *missing])
    if done.returncode:
        print("Not installed:", ", ".join(missing))
        print("Is this machine offline, or the zip not unpacked? Then ask who runs it.")"""


def version() -> str:
    """The version of the module."""
    return re.search(r'__version__ = "(.+?)"', (MODULE / "__init__.py").read_text())[1]


def wheel_name() -> str:
    """The file name of the module's wheel."""
    return f"svdicl_lite-{version()}-py3-none-any.whl"


def first_cell(name: str, sources: list[str]) -> str:
    """The first cell of an assignment whose code cells are `sources`."""
    text = "\n".join(sources)
    used = [m for m in PACKAGES if re.search(rf"^\s*(import|from) {m}\b", text, re.MULTILINE)]
    needed = {module: PACKAGES[module] for module in used}
    if uses_module(text):
        needed["svdicl_lite"] = wheel_name()
    lines = "".join(f'    "{module}": "{package}",\n' for module, package in needed.items())
    return CELL.format(mark=MARK, name=name, needed=f"{{\n{lines}}}")


def uses_module(text: str) -> bool:
    """Whether code imports the module."""
    return re.search(r"^\s*(import|from) svdicl_lite\b", text, re.MULTILINE) is not None


def wheel_files(models: list[Path]) -> dict[str, bytes]:
    """The files of a wheel with the given checkpoints, by their names in it. pip reads no other."""
    paths = [path for path in MODULE.rglob("*") if path.suffix in (".py", ".js", ".css")]
    files = {f"svdicl_lite/{p.relative_to(MODULE).as_posix()}": p for p in [*paths, *models]}
    contents = {name: path.read_bytes() for name, path in sorted(files.items())}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needs = "".join(f"Requires-Dist: {line}\n" for line in project["dependencies"])
    folder = f"svdicl_lite-{version()}.dist-info"
    head = f"Metadata-Version: 2.1\nName: svdicl-lite\nVersion: {version()}\n"
    contents[f"{folder}/METADATA"] = (head + needs).encode()
    contents[f"{folder}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: svdicl\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    lines = [f"{name},{_hash(data)},{len(data)}" for name, data in contents.items()]
    lines.append(f"{folder}/RECORD,,")
    return contents | {f"{folder}/RECORD": ("\n".join(lines) + "\n").encode()}


def _hash(data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()
    return f"sha256={digest.rstrip('=')}"
