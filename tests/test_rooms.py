"""The rooms of the module: imports run one way, nothing is imported by a name made at run time, and
Make learns from the same arrows which chapters to run again.
"""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter

import pytest
from test_chapters import CHAPTERS, ROOT, built_book, make

sys.path.insert(0, str(ROOT / "book/_ext"))
import dependencies
from dependencies import PACKAGE

# From the lowest up: a room imports from the rows before its own, and of its row only itself.
ORDER = [
    {"clipping", "stats", "numbers", "letters"},
    {"models", "theory", "published", "power", "figures"},
    {"tasks"},
    {"scoring"},
    {"search"},
    {"training", "plots"},
    {"widgets", "cli"},
]
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}
ARROWS = dependencies.graph()


def room(module):
    """The room, or single file, in which a module lies; "" for the front door."""
    return module.partition(".")[2].partition(".")[0]


def between(arrows):
    """(importing module, imported module) of all imports from one room into another; the front door
    by itself, asked for its version or its folder, is none.
    """
    found = [(a, b) for a, imported in sorted(arrows.items()) for b in imported if room(b)]
    return [(a, b) for a, b in found if room(a) != room(b)]


def upward(arrows):
    """The imports that run up, or across, or into or out of the classroom by another door."""
    return [
        (a, b)
        for a, b in between(arrows)
        if "classroom" in (room(a), room(b))
        and (a, room(b)) != (f"{PACKAGE}.cli.grade", "classroom")
        or {room(a), room(b)} <= LEVEL.keys()
        and LEVEL[room(b)] >= LEVEL[room(a)]
    ]


def test_every_room_has_its_place_in_the_order():
    rooms = {room(module) for module in ARROWS} - {""}
    assert rooms == {*LEVEL, "classroom"}


def test_no_import_runs_back_up_and_the_classroom_stands_apart():
    assert upward(ARROWS) == []
    assert len(between(ARROWS)) > 50  # there is something to see


def test_no_file_imports_itself_in_a_circle():
    assert len([*TopologicalSorter(ARROWS).static_order()]) >= len(ARROWS)


def test_only_the_version_is_taken_from_the_front_door():
    """It opens every room, so whoever inside came in by it could close a circle."""
    taken = {
        (module, alias.name)
        for module, path in dependencies.modules().items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == PACKAGE
        for alias in node.names
        if not dependencies.file_of(f"{PACKAGE}.{alias.name}")
    }
    assert {name for _, name in taken} <= {"__version__"}, taken


def by_name(tree):
    """The calls that import by a name made at run time, or one of ours by its name: no arrow shows
    them.
    """
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            called = ast.unparse(node.func).rpartition(".")[2]
            name = getattr(node.args[0], "value", PACKAGE)  # of what is no constant, nobody knows
            if called in ("import_module", "__import__") and str(name).startswith(PACKAGE):
                found.append(ast.unparse(node))
    return found


def test_nothing_is_imported_by_name_but_at_the_front_door():
    """And in the classroom what a learner's own notebook imports."""
    found = {
        module: calls
        for module, path in dependencies.modules().items()
        if (calls := by_name(ast.parse(path.read_text())))
    }
    assert found.keys() == {PACKAGE, f"{PACKAGE}.classroom.nursery"}, found
    assert [len(calls) for calls in found.values()] == [1, 1]


@pytest.mark.parametrize(
    "module, code, faulty",
    [
        ("clipping.new", "from svdicl_lite import stats", True),  # across
        (
            "clipping.new",
            "def late():\n    from svdicl_lite.search.greedy import greedy_search",
            True,
        ),
        ("stats", "import svdicl_lite\nsvdicl_lite.sweep", True),
        ("search.new", "from svdicl_lite import ICLEvaluator", False),
        ("stats", "if TYPE_CHECKING:\n    from svdicl_lite.search import greedy", False),
        ("search.new", "from svdicl_lite.classroom import guard", True),
        ("classroom.new", "from svdicl_lite.clipping.svd import SVD", True),
        ("cli.grade", "from svdicl_lite.classroom import grade", False),
    ],
)
def test_a_planted_arrow_is_seen(module, code, faulty):
    planted = {f"{PACKAGE}.{module}": dependencies.imports(ast.parse(code))}
    assert bool(upward(planted)) == faulty


def test_planted_imports_by_name_are_seen():
    assert by_name(ast.parse("import importlib\nimportlib.import_module(f'a.{b}')"))
    assert by_name(ast.parse("def f(name):\n    return __import__(name)"))
    assert by_name(ast.parse("__import__('svdicl_lite.scoring.fast')"))
    assert not by_name(ast.parse("__import__('builtins')"))


@pytest.fixture
def small(tmp_path):
    """A module of two rooms with two checkpoints, and a chapter."""
    for path, text in {
        "svdicl_lite/__init__.py": '_FILES = {"low": "a.low"}\n',
        "svdicl_lite/a/__init__.py": "",
        "svdicl_lite/a/low.py": "from svdicl_lite.a import lower",
        "svdicl_lite/a/lower.py": "",
        "svdicl_lite/a/picture.js": "",
        "svdicl_lite/b/__init__.py": "",
        "svdicl_lite/b/recipe.py": "def made():\n    return load_model('base-one')",
        "svdicl_lite/b/other.py": "DEFAULT = 'base-two'",
        "svdicl_lite/models/checkpoints/base-one/card.json": "{}",
        "svdicl_lite/models/checkpoints/base-two/card.json": "{}",
        "svdicl_lite/models/checkpoints/base-two/config.json": "{}",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "chapters").mkdir()
    return tmp_path


ONE, TWO = (f"models/checkpoints/base-{name}/card.json" for name in ("one", "two"))
CONFIG = TWO.replace("card", "config")


@pytest.mark.parametrize(
    "code, wanted",
    [
        ("import torch", []),
        ("from svdicl_lite import low", ["a/low.py", "a/lower.py", "a/picture.js"]),
        ("import svdicl_lite as s\ns.low", ["a/low.py", "a/lower.py", "a/picture.js"]),
        ("from svdicl_lite.a import lower", ["a/lower.py", "a/picture.js"]),
        ("from svdicl_lite.b import other", ["b/other.py"]),
        ("from svdicl_lite.b.recipe import made", ["b/recipe.py", ONE]),
        ("x = 'base-two'", [TWO, CONFIG]),
        ("x = f'base-{n}'", [ONE, TWO, CONFIG]),
        ("x = f'{n}-{m}'", []),
        ("x = shipped_models()", [ONE, TWO, CONFIG]),
        (
            ":tags: [remove-cell]\n%matplotlib inline\nfrom svdicl_lite.b import other",
            ["b/other.py"],
        ),
        ("---\nmystnb:\n  figure: {}\n---\nfrom svdicl_lite.b import other", ["b/other.py"]),
    ],
)
def test_a_chapter_depends_on_what_it_imports_and_names(small, code, wanted):
    chapter = small / "chapters/01_x.md"
    chapter.write_text(f"# X\n\n```{{code-cell}} ipython3\n{code}\n```\n")
    found = dependencies.needed(chapter, dependencies.graph(small), small)
    names = [path.relative_to(small / PACKAGE).as_posix() for path in found]
    assert [name for name in names if not name.endswith("__init__.py")] == sorted(wanted)
    rules = dependencies.rules(small)
    assert all(f"\nsvdicl_lite/{name}:\n" in rules for name in wanted)


def test_only_a_chapter_that_runs_the_fetched_model_waits_for_it(small):
    for name, code in {
        "01_x": "load_model('icl-gpt2')",
        "02_y": "find_clip('smollm2-135m', t)",
    }.items():
        text = f"# The model smollm2-135m\n\n```{{code-cell}} ipython3\n{code}\n```\n"
        (small / f"chapters/{name}.md").write_text(text)
    waiting = [line for line in dependencies.rules(small).splitlines() if "| .venv/fetched" in line]
    assert [line.partition(":")[0] for line in waiting] == ["$(SITE)/chapters/02_y.ipynb"]


def stale(changed):
    """The chapters that Make would run again after a change, and whether it builds the book."""
    said = make("-n", "-W", changed, "html").stdout
    assert said, f"make says nothing when {changed} has changed"
    chapters = [name for name in CHAPTERS if f"run_chapter.py chapters/{name}.md" in said]
    return chapters, "jupyter-book build" in said


@pytest.mark.built
def test_make_runs_again_what_a_change_concerns_and_nothing_else():
    """On a tree that is built, as `make test` leaves it."""
    built_book()
    assert make("-q", "html").returncode == 0
    everything = (CHAPTERS, True)
    assert stale("svdicl_lite/clipping/svd.py") == everything
    assert stale("requirements.lock") == everything
    assert stale("svdicl_lite/classroom/grade.py") == ([], True)
    assert stale("svdicl_lite/cli/grade.py") == (["15_your_model"], True)  # which runs `svdicl`
    assert stale("svdicl_lite/training/tabular.py") == (["14_other_domains"], True)
    tables = "svdicl_lite/models/checkpoints/tab-gpt2/card.json"
    assert stale(tables) == (["14_other_domains"], True)
    assert stale("book/intro.md") == ([], True)
    assert not make("-n", "-W", "pyproject.toml", "html").stdout.count("run_chapter.py")


def test_make_asks_for_the_arrows_before_anything_is_installed():
    """With nothing but the standard library."""
    bare = [sys.executable, "-I", "-S", "book/_ext/dependencies.py"]
    done = subprocess.run(bare, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == dependencies.rules()
