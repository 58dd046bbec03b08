"""Files that nobody should have to explain: each is refused in one sentence, or read rightly."""

import json
import struct

import pytest
from test_chapters import ROOT

from svdicl_lite.models.gguf import read_header
from svdicl_lite.scoring.prompts import encode
from svdicl_lite.search.committed import Kept
from svdicl_lite.search.committed_shuffled import Searches
from svdicl_lite.search.compared import compared
from svdicl_lite.search.journal import Journal
from svdicl_lite.tasks.own import load

TEMPLATE, WORDS = "x: {text} y: {label}", {"0": "neg", "1": "pos"}
ROWS = "".join(f"t {i} word{i * 7},{i % 2}\n" for i in range(80))
NESTED = "[" * 200_000


def written(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# Data of your own.


@pytest.mark.parametrize("sign, said", [(";", "';'"), ("\t", "tabs"), ("|", "'|'")])
def test_cells_that_no_comma_separates_are_named_by_their_sign(tmp_path, sign, said):
    path = written(tmp_path / "a.csv", f"text,label\n{ROWS}".replace(",", sign))
    with pytest.raises(ValueError, match=f"separated by {said.replace('|', '[|]')}; save it with"):
        load(path, template=TEMPLATE, label_words=WORDS)


@pytest.mark.parametrize(
    "words, why",
    [
        ({"0": "n\neg", "1": "pos"}, "line break or a control character"),
        ({"0": "n\x00", "1": "pos"}, "line break or a control character"),
        ({"0": "café", "1": "cafe\u0301"}, "stands for two classes"),
        ({"0": {"0": "neg"}, "1": {"0": "pos"}}, "put a label with a dot in quotes"),
    ],
)
def test_label_words_that_no_prompt_can_hold_are_refused(tmp_path, words, why):
    path = written(tmp_path / "a.csv", f"text,label\n{ROWS}")
    with pytest.raises(ValueError, match=why):
        load(path, template=TEMPLATE, label_words=words)


def test_a_template_with_a_control_character_is_refused(tmp_path):
    path = written(tmp_path / "a.csv", f"text,label\n{ROWS}")
    with pytest.raises(ValueError, match=r"holds the control character U\+0000; take it out"):
        load(path, template="x\x00: {text} {label}", label_words=WORDS)


def test_a_label_word_that_spells_a_special_token_is_refused(tmp_path, tokenizer):
    path = written(tmp_path / "a.csv", f"text,label\n{ROWS}")
    special = tokenizer.all_special_tokens[0]
    task = load(path, template=TEMPLATE, label_words={"0": special, "1": "pos"})
    with pytest.raises(ValueError, match="spells a special token of the tokenizer"):
        encode(tokenizer, task, task.words(), [], list(task.splits["test"]))


def test_what_json_writes_as_true_may_be_called_so(tmp_path):
    lines = [json.dumps({"text": f"word{i}", "label": bool(i % 2)}) for i in range(80)]
    path = written(tmp_path / "a.jsonl", "\n".join(lines))
    for false, true in (("false", "true"), ("False", "True")):
        task = load(path, template=TEMPLATE, label_words={false: "neg", true: "pos"})
        found = [row for split in task.splits.values() for row in split]
        assert len(found) == 80
        assert all(row["label"] == int(row["text"][4:]) % 2 for row in found)


@pytest.mark.parametrize("column", ["5", '["label"]', "true"])
def test_a_label_column_that_is_no_name_is_refused(tmp_path, column):
    written(tmp_path / "a.csv", f"text,label\n{ROWS}")
    toml = f'data = "a.csv"\nlabel_column = {column}\ntemplate = "{TEMPLATE}"\n'
    path = written(tmp_path / "a.toml", f'{toml}[label_words]\n0 = "neg"\n1 = "pos"\n')
    with pytest.raises(ValueError, match="must be the name of one column"):
        load(path)


# Journals.


@pytest.mark.parametrize(
    "line",
    [
        NESTED,
        '{"key": {}, "scores": [[' + "9" * 400 + ']], "digest": "x"}',
        '{"key": {}, "scores": [[1], [1, 2]], "digest": "x"}',
        '{"key": {}, "scores": null, "digest": "x"}',
        "null",
        "7",
        "\x00",
    ],
    ids=lambda line: line[:20],
)
def test_a_line_that_no_journal_has_written_is_refused_and_left_there(tmp_path, line):
    text = '{"a": 1}\n' + line + "\n"
    path = written(tmp_path / "j.jsonl", text)
    with pytest.raises(ValueError, match="is no journal of a search, or is damaged"):
        Journal(path, {"a": 1})
    assert path.read_text() == text


# Results that are compared.

SAID = {"command": "search", "experiment": {"task": "t", "seeds": [0]}, "clip_rate": 0.5}
HEAD = "judge,clip_rate,example,demonstration_set,label,correct,score_0,score_1\n"
TABLE = HEAD + "".join(f"test,0.5,{i},0,{i % 2},True,{1 - i % 2},{i % 2}\n" for i in range(8))


def result(folder, said=SAID, table=TABLE):
    folder.mkdir(exist_ok=True)
    written(folder / "result.json", said if isinstance(said, str) else json.dumps(said))
    written(folder / "outcomes.csv", table)
    return folder


def test_a_whole_folder_is_read(tmp_path):
    found = compared(result(tmp_path / "a"), result(tmp_path / "b"))
    assert found.gain == 0 and len(found.a.keys) == 8


@pytest.mark.parametrize(
    "said, table, why",
    [
        (SAID, TABLE.replace("example", "exam"), "KeyError: 'example'"),
        (SAID, TABLE.replace("score_", "points_"), "two scores or more"),
        (SAID, TABLE.replace(",1,0\n", ",one,0\n"), "is damaged"),
        (SAID, TABLE.replace(",1,0\n", ",,0\n"), "all of them finite"),
        (SAID, TABLE.replace("0,0,True", "0,7,True"), "label is not a number"),
        (SAID, TABLE.replace("0,0,True", "0,-1,True"), "label is not a number"),
        (SAID, TABLE.replace(",0,0,True", ",,0,True"), "demonstration_set is not a number"),
        ({**SAID, "clip_rate": None}, TABLE, "no row of the clip rate that result.json names, N"),
        ({**SAID, "clip_rate": "0.9"}, TABLE, "no row of the clip rate"),
        ({**SAID, "experiment": [1]}, TABLE, "is damaged"),
        ("[]", TABLE, "is damaged"),
        (NESTED, TABLE, "is damaged"),
        (SAID, b"\x9c\x00\xff", "is damaged"),
        (SAID, "", "is damaged"),
    ],
    ids=range(14),
)
def test_a_damaged_folder_is_refused_by_its_name(tmp_path, said, table, why):
    with pytest.raises(ValueError, match=f"{tmp_path.name}.*{why}"):
        compared(result(tmp_path / "a", said, table), result(tmp_path / "b", said, table))


def sample(**changed):
    known = {"doc_id": 0, "target": "0", "filtered_resps": [["-1", "F"], ["-2", "F"]], "acc": 1.0}
    return json.dumps({**known, **changed}) + "\n"


def test_an_empty_line_in_a_log_is_no_sample(tmp_path):
    path = written(tmp_path / "a.jsonl", sample() + "\r\n\n" + sample(doc_id=1))
    assert compared(path, path).gain == 0


@pytest.mark.parametrize(
    "text, why",
    [
        (sample() + sample(doc_id="a"), "line 2, is no sample"),
        (sample(doc_id=[1]), "line 1, is no sample"),
        (sample(doc_id=None), "line 1, is no sample"),
        (sample().encode() + b'{"doc_id": "\xe9"}\n', "line 2, is no sample"),
        (NESTED, "line 1, is no sample"),
        ("7\n", "line 1, is no sample"),
        (sample(acc="yes"), "'acc' in a.jsonl is not 0 or 1"),
        (sample(acc=None), "'acc' in a.jsonl is not 0 or 1"),
        (sample(acc=[1]), "'acc' in a.jsonl is not 0 or 1"),
    ],
    ids=range(9),
)
def test_a_damaged_log_is_refused_by_its_line(tmp_path, text, why):
    path = written(tmp_path / "a.jsonl", text)
    with pytest.raises(ValueError, match=why):
        compared(path, path)


# Kept experiments.

STATED = 'title = "a"\nhypothesis = "b"\nanalysis = "c"\nmodel = "icl-gpt2"\n'
RUN = 'task = "sentiment"\nn = 8\nseeds = [0]\nlayers = [0]\nclip_rates = [0.5]\n'


@pytest.mark.parametrize(
    "change, why",
    [
        (("seeds = [0]", "seeds = 5"), "seeds = 5, but it must be a list of whole numbers"),
        (("n = 8", 'n = "many"'), "n = 'many', but it must be a whole number, 1 or more"),
        (("n = 8", "n = -1"), "n = -1, but"),
        (("n = 8", "n = true"), "n = True, but"),
        (("layers = [0]", "layers = 3"), "layers = 3, but"),
        (("[0.5]", '["a"]'), "clip_rates = .'a'., but it must be a list of numbers from 0"),
        (("[0.5]", "[2]"), "clip_rates = \\[2\\], but"),
        (('"sentiment"', '["a"]'), "task = \\['a'\\], but it must be a text"),
        (("n = 8", 'n = 8\nmodules = "mlp"'), "modules = 'mlp', but it must be a list of texts"),
        (("task", "runs = [1]\ntask"), "runs = \\[1\\], but it must be tables under"),
        (('"icl-gpt2"', "7"), "model = 7, but"),
    ],
    ids=range(11),
)
def test_a_value_of_the_wrong_kind_is_named(tmp_path, change, why):
    path = written(tmp_path / "k.toml", (STATED + RUN).replace(*change))
    with pytest.raises(ValueError, match=f"k.toml says {why}"):
        Kept.read(path)


@pytest.mark.parametrize("value", ['searches = "many"', "searches = -3", "searches = 2.5"])
def test_searches_are_a_number_of_them(tmp_path, value):
    toml = f'{STATED}kind = "shuffled"\ntask = "sentiment"\n{value}\n'
    with pytest.raises(ValueError, match="it must be a whole number, 1 or more"):
        Kept.read(written(tmp_path / "k.toml", toml))


def test_every_toml_that_is_kept_can_be_read():
    for path in sorted((ROOT / "experiments").glob("*.toml")):
        kept = Kept.read(path)
        if kept.kind == "shuffled":
            assert Searches.of(kept).searches >= 500


# GGUF.


def strings(*pairs):
    """A GGUF file with these texts as its metadata, and no tensors."""
    text = lambda value: struct.pack("<Q", len(value)) + value.encode()
    entries = b"".join(text(key) + struct.pack("<I", 8) + text(value) for key, value in pairs)
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)) + entries


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GGUF",
        b"GGUF" + struct.pack("<IQQ", 3, 2**60, 2**60),
        b"GGUF" + struct.pack("<IQQ", 99, 0, 0),
        strings(),
        strings(("general.architecture", "llama"), ("split.count", "x")),
    ],
    ids=["empty", "magic alone", "endless", "of the future", "of nothing", "a text for a number"],
)
def test_a_file_that_is_no_whole_gguf_is_refused(tmp_path, content):
    with pytest.raises(ValueError, match=r"m\.gguf is damaged"):
        read_header(written(tmp_path / "m.gguf", content))
