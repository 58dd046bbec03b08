"""Data as spreadsheets and scripts leave them: the reason that is told is the reason."""

import json

import pytest
from command_line import run
from typer import BadParameter

from svdicl_lite.cli.parameters import layer_of
from svdicl_lite.search.find_clip import sets_of
from svdicl_lite.search.workers import workers
from svdicl_lite.tasks.own import load

TEMPLATE, WORDS = "x: {text} y: {label}", {"0": "neg", "1": "pos"}
ROWS = "".join(f"t {i} word{i * 7},{i % 2}\n" for i in range(80))


def told(path, content, **said):
    """What is said of data with this content."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    described = {} if path.suffix == ".toml" else {"template": TEMPLATE, "label_words": WORDS}
    with pytest.raises((ValueError, OSError)) as caught:
        load(path, **described, **said)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("start", "why"),
    [
        ("sep=,\ntext,label\n", "line 1, which must name the columns, has no 'text'; it has sep=,"),
        ("# by hand\ntext,label\n", "it has # by hand; take that line out"),
        ("", "line 1, which must name the columns, has no 'text'; it has t 0 word0, 0"),
        ("\n\nText,Label\n", "line 3, which must name the columns, has no 'text'; it has Text"),
    ],
)
def test_a_first_line_that_names_no_columns_is_told_as_such(tmp_path, start, why):
    assert why in told(tmp_path / "a.csv", start + ROWS)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_another_encoding_is_told_as_such(tmp_path, name, encoding):
    said = told(tmp_path / name, f"text,label\n{ROWS}".encode(encoding))
    assert "is not UTF-8 text" in said and "save it as UTF-8" in said


def test_one_cell_that_swallows_the_rest_is_told_by_its_line(tmp_path):
    said = told(tmp_path / "a.csv", f'text,label\n{ROWS}"open,1\n{ROWS * 200}')
    assert "line 82, holds a text of more than 131,072 characters; close its quotation" in said


@pytest.mark.parametrize("text", ["\u200b", "\ufeff \u2060", "   "])
def test_a_text_that_shows_nothing_is_empty(tmp_path, text):
    assert "line 82, has an empty 'text'" in told(
        tmp_path / "a.csv", f"text,label\n{ROWS}{text},1\n"
    )


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(ValueError, match="is a folder; name a file in it"):
        load(tmp_path / "a.csv", template=TEMPLATE, label_words=WORDS)


def test_names_that_end_in_a_space_are_shown_with_it(tmp_path):
    said = told(tmp_path / "a.jsonl", json.dumps({"text ": "a", "label": 1}))
    assert "has no column 'text'; it has 'text ', label" in said


def test_a_list_in_one_line_has_another_ending(tmp_path):
    rows = json.dumps([{"text": f"t {i}", "label": i % 2} for i in range(80)])
    assert "a list of all rows is called .json" in told(tmp_path / "a.jsonl", rows)


def test_a_label_that_is_null_is_none(tmp_path):
    assert "has the label ''" in told(tmp_path / "a.jsonl", '{"text": "a", "label": null}')


def test_what_stands_below_label_words_belongs_to_them(tmp_path):
    words = '[label_words]\n0 = "neg"\n1 = "pos"\n'
    said = told(tmp_path / "a.toml", f'{words}data = "a.csv"\ntemplate = "{TEMPLATE}"\n')
    assert "says 'template' below [label_words]" in said and "put it above" in said
    assert "save it as UTF-8" in told(tmp_path / "a.toml", f"# é\n{words}".encode("latin-1"))


# Numbers on the command line.


@pytest.mark.parametrize("n", ["٣", "１２", "1000000", "2.5", "-2"])
def test_workers_are_a_number_that_the_machine_can_bear(n):
    with pytest.raises(ValueError, match="workers is"), workers(n):
        pass


def test_sets_are_not_counted_before_they_are_refused():
    with pytest.raises(ValueError, match="must be 100,000 or fewer"):
        sets_of(0, 10**15)


@pytest.mark.parametrize("digits", ["٣", "１２"])
def test_digits_of_other_scripts_are_no_layer(digits):
    with pytest.raises(BadParameter, match="is neither auto, a number, nor one of"):
        layer_of(digits)


def test_nobody_waits_for_ever():
    for seconds in ("inf", "1e99", "nan"):
        assert run("doctor", "--timeout", seconds).exit_code == 2
