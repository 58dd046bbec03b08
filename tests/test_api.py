"""The page of the module: its front door first, then every public file under its room."""

import re
import sys

from test_chapters import ROOT

import svdicl_lite
import svdicl_lite.widgets

sys.path.insert(0, str(ROOT / "book/_ext"))
import api  # noqa: E402

PAGE = (ROOT / "book/api.md").read_text()
PAGES = {room: api.room_page(room) for room in api.ROOMS}


def test_the_pages_have_every_public_file_and_no_other():
    files = (ROOT / "svdicl_lite").rglob("*.py")
    public = [path for path in files if not path.stem.startswith("_")]
    wanted = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in public}
    listed = re.findall(r"^\.\. automodule:: ([\w.]+)$", "\n".join(PAGES.values()), re.M)
    assert len(listed) == len(wanted) and set(listed) == wanted


def test_each_room_has_its_page_and_the_first_page_leads_to_it():
    toc = (ROOT / "_toc.yml").read_text()
    assert PAGE.count(api.LIST) == 1
    for room in api.ROOMS:
        name = api.page_of(room)
        (marked,) = api.MARK.findall((ROOT / f"book/api/{name}.md").read_text())
        assert marked == room and f"file: book/api/{name}\n" in toc
        assert f"{{doc}}`/book/api/{name}`" in api.room_list()
    assert len(list((ROOT / "book/api").glob("*.md"))) == len(api.ROOMS)


def test_files_stand_under_their_room_and_those_of_the_front_door_come_first():
    rooms = [
        re.findall(r"automodule:: svdicl_lite\.([\w.]+)$", part, re.M) for part in PAGES.values()
    ]
    assert all(len({file.rpartition(".")[0] for file in files}) == 1 for files in rooms)
    front = set(svdicl_lite._FILES.values())
    for files in rooms:
        known = [file in front for file in files]
        assert known == sorted(known, reverse=True)


def test_a_widget_is_shown_without_its_traits():
    for name in svdicl_lite.widgets.__all__:
        assert f".. autoclass:: svdicl_lite.widgets.{name}\n```" in PAGES["widgets"]


def test_the_page_begins_with_every_name_of_the_front_door():
    table = PAGE.partition("## The front door")[2]
    listed = dict(re.findall(r"\{py:obj\}`(\w+) <([\w.]+)>`", table))
    assert [*listed] == svdicl_lite.__all__
    for name, address in listed.items():
        assert address == f"svdicl_lite.{svdicl_lite._FILES[name]}.{name}"


def test_a_sign_that_means_something_to_sphinx_is_escaped_but_in_code():
    class App:
        svdicl_chapters = {"05": "ch-clip-and-see"}

    lines = ["W* and PIP_* stay; see `a*b|c_` of chapter 05."]
    api._fit(App, "method", "svdicl_lite.Clip", None, None, lines)
    assert lines == [
        r"W\* and PIP\_\* stay; see ``a*b|c_`` of :ref:`chapter 05 <ch-clip-and-see>`."
    ]


def test_an_example_in_a_docstring_stays_as_it_is():
    text = "A file:\n\n    a = `b_*`\n    (\n        1)\n\nand `c`."
    assert "\n\n".join(api._paragraphs(text)) == (
        "A file:\n\n::\n\n    a = `b_*`\n    (\n        1)\n\nand ``c``."
    )
