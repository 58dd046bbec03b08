"""A page of the module begins with its names, each in a sentence, and says how to import them."""

import ast
import sys

import pytest
from docutils.core import publish_doctree
from docutils.nodes import Text, entry, row
from docutils.parsers.rst import directives, roles
from docutils.parsers.rst.directives.misc import Class
from test_chapters import ROOT

import svdicl_lite

sys.path.insert(0, str(ROOT / "book/_ext"))
import api
import api_names

SVD = ROOT / "svdicl_lite/clipping/svd.py"


def cells(room):
    """The rows of the table that a page begins with, as docutils reads them."""
    for role in ("py:obj", "sub", "sup"):
        roles.register_local_role(role, lambda *said, **options: ([Text(said[2])], []))
    directives.register_directive("rst-class", Class)  # as Sphinx calls it
    files = {path: api._names(path, room) for path in api.public_files(room)}
    table = api_names.names_table(files, lambda text: " ".join(api._paragraphs(text)))
    tree = publish_doctree(table, settings_overrides={"report_level": 2, "halt_level": 2})
    return [[cell.astext() for cell in one.findall(entry)] for one in tree.findall(row)][1:]


@pytest.mark.parametrize("room", api.ROOMS)
def test_the_table_has_every_name_below_where_it_is_imported_from(room):
    found, source = set(), ""
    for first, *said in cells(room):
        if not said:
            source = first
            continue
        label, address = first.rstrip(">").split(" <")
        assert address == f"{source}.{label}" and said[0] and not said[0].endswith(".")
        found.add(address)
    wanted = {
        name if "." in name else f"{api_names.module_of(path)}.{name}"
        for path in api.public_files(room)
        for name in api._names(path, room)
    }
    assert found == wanted


def test_the_names_are_those_with_a_docstring_in_their_order():
    names = list(api_names.names(SVD))
    body = [getattr(node, "name", "") for node in ast.parse(SVD.read_text()).body]
    public = [name for name in body if name and name[0] != "_"]
    assert names[0] == "CLIP_RATES" and [name for name in names if name in public] == public


@pytest.mark.parametrize(
    "told, first",
    [
        ("One thing. And more.", "One thing"),
        ("As in Yao et al. 2024, e.g. W. Raises.", "As in Yao et al. 2024, e.g. W"),
        ("In\ntwo lines.\n\nNot this.", "In two lines"),
        ("Of 0.5 or so", "Of 0.5 or so"),
    ],
)
def test_a_name_is_told_in_its_first_sentence(told, first):
    assert api_names.summary(told) == first


def test_a_file_says_how_it_is_imported_and_where_it_is():
    page = api.room_page("clipping")
    assert "``from svdicl_lite import SVD, CLIP_RATES``" in page
    assert "``from svdicl_lite.clipping.svd import check_clip_rate``" in page
    assert "``svdicl_lite/clipping/svd.py``" in page and "<https" not in page
    linked = api.room_page("clipping", "https://host.example/book")
    file = "svdicl_lite/clipping/svd.py"
    assert f"`{file} <https://host.example/book/blob/main/{file}>`__" in linked
    for name, source in list(svdicl_lite._FILES.items())[:3]:
        assert name in api_names.names(ROOT / f"svdicl_lite/{source.replace('.', '/')}.py")
