import csv
import json
import random
import unicodedata
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svdicl_lite.scoring.prompts import draw_demonstrations, encode, render
from svdicl_lite.tasks import own
from svdicl_lite.tasks.loading import load_task

SPLITS = ("train", "validation", "test")
TEMPLATE = "review: {text} verdict: {label}"
WORDS = {"0": "bad", "1": "good"}


def rows_of(n, start=0):
    return [
        {"text": f"review number {i}", "stars": str(i % 2), "by": "anna"}
        for i in range(start, start + n)
    ]


def write_csv(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def load(path, template=TEMPLATE, label_words=WORDS, label_column="stars", **how):
    return load_task(
        path, template=template, label_words=label_words, label_column=label_column, **how
    )


def pairs(task):
    """(text, label word) of every example."""
    return {
        (row["text"], task.label_words[row["label"]])
        for split in SPLITS
        for row in task.splits[split]
    }


def test_a_csv_becomes_a_task(tmp_path):
    task = load(write_csv(tmp_path / "reviews.csv", rows_of(200)))
    assert (task.name, task.classes, task.words(), task.words("flipped")) == (
        "reviews",
        ("0", "1"),
        ("bad", "good"),
        ("good", "bad"),
    )
    assert pairs(task) == {
        (row["text"], ("bad", "good")[int(row["stars"])]) for row in rows_of(200)
    }
    assert task.splits["test"].column_names == ["text", "label"] and task.splits["test"].features[
        "label"
    ].names == ["0", "1"]
    row = task.splits["train"][0]
    assert (
        render(task, row, task.words()[row["label"]])
        == f"review: {row['text']} verdict: {('bad', 'good')[row['label']]}\n"
    )


def test_json_and_jsonl_hold_the_same_as_csv(tmp_path):
    rows = rows_of(60)
    for row in rows:
        row["stars"] = int(row["stars"])  # numbers there, text in a csv
    rows[5]["text"] = "naïve\u2028two lines to some, one to JSON"
    (tmp_path / "a.jsonl").write_text(
        "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n", encoding="utf-8"
    )
    (tmp_path / "a.json").write_text(json.dumps(rows))
    loaded = [
        load(write_csv(tmp_path / "a.csv", rows)),
        load(tmp_path / "a.jsonl"),
        load(tmp_path / "a.json"),
    ]
    for task in loaded[1:]:
        assert all(
            task.splits[split].to_list() == loaded[0].splits[split].to_list() for split in SPLITS
        )


def test_texts_keep_commas_quotes_line_ends_and_braces(tmp_path):
    texts = [
        'so, so "fine"',
        "two\nlines",
        "{text} {label}",
        "naïve 日本",
        "a\u2028b",
        "NA",
        "null",
        "1.0",
    ]
    rows = [{"text": text, "stars": "1"} for text in texts] + rows_of(60)
    task = load(
        write_csv(
            tmp_path / "a.csv", [{key: row[key] for key in ("text", "stars")} for row in rows]
        )
    )
    assert {(text, "good") for text in texts} <= pairs(task)


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    path = write_csv(tmp_path / "a.csv", rows_of(60))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(pairs(load(path))) == 60


def test_the_splits_share_no_text_and_hold_70_15_15_percent(tmp_path):
    n = 4000
    task = load(write_csv(tmp_path / "a.csv", rows_of(n)))
    held = {split: {*task.splits[split]["text"]} for split in SPLITS}
    assert all(not held[one] & held[other] for one, other in combinations(SPLITS, 2))
    for split, share in zip(SPLITS, (0.70, 0.15, 0.15)):
        assert len(held[split]) / n == pytest.approx(
            share, abs=0.03
        )  # standard deviation 0.0072 at most: four of them


@given(st.lists(st.text(), min_size=1, max_size=3), st.integers(0, 2**32))
def test_every_text_has_one_split(texts, seed):
    assert own._split_of(tuple(texts), seed) in SPLITS
    assert own._split_of(tuple(texts), seed) == own._split_of(tuple(texts), seed)


def test_a_text_keeps_its_split_when_others_are_added_and_changes_it_with_the_seed(tmp_path):
    few, many = (
        load(write_csv(tmp_path / "few.csv", rows_of(100))),
        load(write_csv(tmp_path / "many.csv", rows_of(500))),
    )
    assert all({*few.splits[split]["text"]} <= {*many.splits[split]["text"]} for split in SPLITS)
    other = load(tmp_path / "few.csv", seed=1)
    assert {*other.splits["test"]["text"]} != {*few.splits["test"]["text"]} and pairs(
        other
    ) == pairs(few)


def test_a_text_that_occurs_twice_stays_once_with_its_first_label(tmp_path):
    rows = [
        *rows_of(60),
        {"text": " review number 4 ", "stars": "1", "by": ""},
        {"text": "review number 5", "stars": "1", "by": ""},
    ]
    task = load(write_csv(tmp_path / "a.csv", rows))
    assert task.dropped == {"met before under another label": 1, "met before": 1}
    assert task.said_of_dropped() == (
        "2 rows left out of a: 1 met before under another label, 1 met before"
    )
    assert pairs(task) == {(row["text"], ("bad", "good")[int(row["stars"])]) for row in rows_of(60)}


def test_classes_stand_in_the_order_of_the_label_words(tmp_path):
    task = load(write_csv(tmp_path / "a.csv", rows_of(60)), label_words={1: " good", 0: "bad"})
    assert (task.classes, task.words()) == (("1", "0"), ("good", "bad"))
    assert Counter(label for split in SPLITS for label in task.splits[split]["label"]) == {
        0: 30,
        1: 30,
    }


def test_templates_may_have_several_columns(tmp_path):
    rows = [{"one": f"first {i}", "the other": "second", "label": "ab"[i % 2]} for i in range(60)]
    task = load_task(
        write_csv(tmp_path / "a.csv", rows),
        template="{one} and {the other} = {label}",
        label_words={"a": "x", "b": "y"},
    )
    row = next(row for row in task.splits["train"])
    assert render(task, row) == f"{row['one']} and second =" and len(task.splits["train"]) > 20


def write_toml(path, **said):
    said = {
        "template": TEMPLATE,
        "label_column": "stars",
        "data": "a.csv",
        "label_words": WORDS,
    } | said
    lines = [
        f"{key} = {json.dumps(value)}"
        for key, value in said.items()
        if not isinstance(value, dict) and value is not None
    ]
    tables = [
        f"[{key}]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in value.items())
        for key, value in said.items()
        if isinstance(value, dict)
    ]
    path.write_text("\n".join(lines + tables))
    return path


def test_a_toml_says_the_same_as_arguments_with_paths_relative_to_itself(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    asked = load(write_csv(tmp_path / "there" / "a.csv", rows_of(100)))
    monkeypatch.chdir(tmp_path)
    task = load_task(
        "there/reviews.toml" if write_toml(tmp_path / "there" / "reviews.toml") else "", "flipped"
    )
    assert (task.name, task.words(), task.template) == ("reviews", ("good", "bad"), TEMPLATE)
    assert all(task.splits[split].to_list() == asked.splits[split].to_list() for split in SPLITS)


def test_a_toml_may_name_three_files(tmp_path):
    parts = {
        "train": rows_of(20),
        "validation": rows_of(10, 20),
        "test": [*rows_of(6, 30), *rows_of(2, 30)],
    }
    for split, rows in parts.items():
        write_csv(tmp_path / f"{split}.csv", rows)
    task = load_task(
        write_toml(tmp_path / "a.toml", data={split: f"{split}.csv" for split in SPLITS})
    )
    assert [sorted(row["text"] for row in task.splits[split]) for split in SPLITS] == [
        sorted(f"review number {i}" for i in range(*ends)) for ends in ((20,), (20, 30), (30, 36))
    ]
    assert task.dropped == {"met before": 2}


def test_test_may_be_left_out(tmp_path):
    for i, split in enumerate(SPLITS[:2]):
        write_csv(tmp_path / f"{split}.csv", rows_of(10, 10 * i))
    task = load_task(
        write_toml(tmp_path / "a.toml", data={split: f"{split}.csv" for split in SPLITS[:2]})
    )
    assert [len(task.splits[split]) for split in SPLITS] == [10, 10, 0] and task.splits[
        "test"
    ].features == task.splits["train"].features


def test_a_text_in_two_of_three_files_is_refused(tmp_path):
    for one, other in combinations(SPLITS, 2):
        parts = {split: rows_of(10, 10 * i) for i, split in enumerate(SPLITS)}
        parts[other] = [*parts[other], parts[one][3]]
        for split, rows in parts.items():
            write_csv(tmp_path / f"{split}.csv", rows)
        with pytest.raises(
            ValueError,
            match=f"1 texts stand in both {one} and {other}, '{parts[one][3]['text']}' for one",
        ):
            load_task(
                write_toml(tmp_path / "a.toml", data={split: f"{split}.csv" for split in SPLITS})
            )


def test_a_prompt_is_made_of_them(tmp_path, tokenizer):
    rows = [
        {
            "text": f"the coach was {'kind' if i % 2 else 'cruel'} {'really ' * (i // 2)}",
            "label": i % 2,
        }
        for i in range(80)
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task = load_task(
        tmp_path / "a.jsonl",
        template="text: {text} sentiment: {label}",
        label_words={0: "neg", 1: "pos"},
    )
    prompts = encode(
        tokenizer,
        task,
        task.words(),
        draw_demonstrations(task, 4, seed=0),
        list(task.splits["test"]),
    )
    assert tokenizer.decode(prompts.label_tokens[0]) == " neg pos" and len(prompts.labels) == len(
        task.splits["test"]
    )


@pytest.mark.parametrize(
    "template",
    [
        "review: {text} verdict:",
        "{label}: {text}",
        "{text} {label} {label}",
        "{text} {label}.",
        "{text} {{label}} {label}",
    ],
)
def test_templates_without_one_label_at_their_end_are_refused(tmp_path, template):
    with pytest.raises(ValueError, match="the template '.*' must hold {label} once, at its end"):
        load(write_csv(tmp_path / "a.csv", rows_of(60)), template)


@pytest.mark.parametrize(
    "template, message",
    [
        ("{body} {label}", "a.csv, line 2, has no column 'body'; it has text, stars, by"),
        ("{} {label}", "the template '{} {label}' cannot be filled in"),
        ("{text {label}", "the template '{text {label}' cannot be read"),
        (
            "{text.upper} {label}",
            "the template .* holds the column 'text.upper', whose name has a dot",
        ),
        ("{0} {label}", r"the template '\{0\} {label}' cannot be filled in"),
        ("{text:d} {label}", "the template '{text:d} {label}' cannot be filled in"),
        ("{text:{n}} {label}", "the template .* cannot be filled in"),
        ("{text:>100000000000} {label}", "cannot be filled in .'text' has the format ':>1000000"),
        ("{text!r} {label}", "cannot be filled in .'text' has the format '!r'"),
        ("{text} {stars} {label}", "the template .* holds the column 'stars', which is the answer"),
        ("what? {label}", "the template 'what. {label}' holds no column"),
        (3, "the template 3 cannot be read"),
    ],
)
def test_templates_that_do_not_fit_the_data_are_refused(tmp_path, template, message):
    with pytest.raises(ValueError, match=message):
        load(write_csv(tmp_path / "a.csv", rows_of(60)), template)


def test_a_label_column_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(
        ValueError, match="a.csv, line 2, has no column 'label'; it has text, stars, by"
    ):
        load(write_csv(tmp_path / "a.csv", rows_of(60)), label_column="label")


@pytest.mark.parametrize(
    "label_words, message",
    [
        ({"1": "good"}, "label_words names 1 class, but a choice needs at least two"),
        ({}, "label_words names 0 class"),
        ({"0": "bad", "5": "good"}, "a.csv, line 3, has the label '1', but label_words names 0, 5"),
        (
            {"0.0": "bad", "1.0": "good"},
            "has the label '0', but label_words writes the same as '0.0'; write the labels in the",
        ),
        ({"0": "good", "1": "good"}, "the label word 'good' stands for two classes"),
        ({"0": " ", "1": "good"}, "the label word ' ' is no word"),
        ({"0": 3, "1": "good"}, "the label word 3 is no word"),
        (("bad", "good"), "label_words is .*, but must say a word for each label"),
    ],
)
def test_label_words_that_do_not_fit_the_data_are_refused(tmp_path, label_words, message):
    with pytest.raises(ValueError, match=message):
        load(write_csv(tmp_path / "a.csv", rows_of(60)), label_words=label_words)


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_empty_texts_are_refused(tmp_path, text):
    rows = rows_of(60)
    rows[7]["text"] = text
    with pytest.raises(ValueError, match=r"a.csv, line (9|10), has an empty 'text'"):
        load(write_csv(tmp_path / "a.csv", rows))


@pytest.mark.parametrize(
    "name, text, message",
    [
        (
            "a.csv",
            "text,stars\nfine,1\nso, so,1\n",
            "a.csv, line 3, has not the 2 cells of its first line",
        ),
        ("a.csv", "text,stars\nfine\n", "a.csv, line 2, has not the 2 cells"),
        ("a.csv", 'text,stars\nso,1\n"fine,1\n', "a.csv, line 3, is not csv"),
        (
            "a.csv",
            'text,stars\n"two\nlines",1\n\nso,so,1\n',
            "a.csv, line 5, has not the 2 cells of its first line, but 3",
        ),
        ("a.csv", 'text,stars\n"two\nlines",9\n', "a.csv, line 2, has the label '9'"),
        ("a.csv", "text,stars,text \nso,1,fine\n", "a.csv, line 1, names the column 'text' twice"),
        ("a.csv", "text,stars\n", "a.csv holds no rows"),
        ("a.csv", "", "a.csv holds no rows"),
        (
            "a.jsonl",
            '{"text": "fine", "stars": 1}\n\n{"text": \n',
            r"a.jsonl, line 3, is not jsonl \(Expecting value at column 10\)",
        ),
        (
            "a.jsonl",
            '{"text": "fine", "stars": 1}\n{"text": ["so"], "stars": 1}\n',
            r"""a.jsonl, line 2, holds \["so"\] in 'text', but must hold a text or a number""",
        ),
        (
            "a.jsonl",
            '{"text": {"en": "so"}, "stars": 1}\n',
            r"""a.jsonl, line 1, holds \{"en": "so"\} in 'text'""",
        ),
        ("a.jsonl", '{"text": "so", "text": "so", "stars": 1}\n', "an object names 'text' twice"),
        (
            "a.jsonl",
            '{"text": "so", "stars": 1}\n' + "[" * 100_000 + "\n",
            "a.jsonl, line 2, is not jsonl that can be read: it nests too deep",
        ),
        ("a.json", "[" * 100_000, "a.json is not json that can be read: it nests too deep"),
        (
            "a.jsonl",
            '{"text": "so", "stars": 1}\n{"text": "a \\ud800", "stars": 1}\n',
            "holds 1 texts .*, the first in line 2 with half of a surrogate pair U.D800",
        ),
        (
            "a.jsonl",
            '{"text": "fine", "stars": 1}\n{"text": "so"}\n',
            "a.jsonl, line 2, has no column 'stars'; it has text",
        ),
        ("a.jsonl", '["fine", 1]\n', "a.jsonl, line 1, is .*, but must be an object"),
        ("a.jsonl", '{"text": null, "stars": 1}\n', "a.jsonl, line 1, has an empty 'text'"),
        (
            "a.json",
            '{"text": "fine", "stars": 1}',
            "a.json is not json of a list of objects",
        ),
        ("a.json", '["text"]', 'a.json, entry 1, is "text", but must be an object'),
        ("a.json", "3", "a.json is not json"),
    ],
)
def test_damaged_files_are_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        load(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_files_in_another_encoding_are_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes("text,stars\nnaïve,1\n".encode("latin-1"))
    with pytest.raises(ValueError, match="a.csv is not UTF-8 text .*save it as UTF-8"):
        load(tmp_path / "a.csv")


def test_missing_files_are_refused(tmp_path):
    for name in ("none.csv", "none.jsonl"):
        with pytest.raises(FileNotFoundError, match=f"there is no file '.*{name}'"):
            load(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="there is no file '.*none.toml'"):
        load_task(tmp_path / "none.toml")
    with pytest.raises(FileNotFoundError, match="there is no file '.*gone.csv'"):
        load_task(write_toml(tmp_path / "a.toml", data="gone.csv"))


def test_data_without_template_or_label_words_are_refused(tmp_path):
    path = write_csv(tmp_path / "a.csv", rows_of(60))
    for how in ({}, {"template": TEMPLATE}, {"label_words": WORDS}):
        with pytest.raises(
            ValueError, match="need a template and label words, but a.csv came without"
        ):
            load_task(path, **how)


def test_a_toml_and_arguments_are_not_mixed(tmp_path):
    write_csv(tmp_path / "a.csv", rows_of(60))
    with pytest.raises(ValueError, match="a.toml holds the template and the label words itself"):
        load_task(write_toml(tmp_path / "a.toml"), template=TEMPLATE)
    with pytest.raises(ValueError, match="a.toml holds the template and the label words itself"):
        load_task(tmp_path / "a.toml", label_column="by")


@pytest.mark.parametrize(
    "said, message",
    [
        (
            {"template": None},
            "a.toml does not say 'template'; it needs template, label_words and data",
        ),
        ({"data": None}, "a.toml does not say 'data'"),
        ({"colour": "red"}, "a.toml says 'colour', which means nothing here"),
        (
            {"data": {"train": "a.csv", "test": "a.csv"}},
            "but it must be one file or one each for train, validation, test",
        ),
        (
            {"data": {"train": "a.csv", "test": "a.csv", "validation": 3}},
            "but it must be one file or one each",
        ),
        ({"data": {"train": "a.csv"}}, "for train, validation, test; only test may be left out"),
        ({"data": "a.parquet"}, "a.parquet cannot be read; data end in .csv, .json, .jsonl"),
        ({"label_words": "good"}, "label_words is 'good', but must say a word for each label"),
    ],
)
def test_tomls_that_say_too_little_or_too_much_are_refused(tmp_path, said, message):
    write_csv(tmp_path / "a.csv", rows_of(60))
    (tmp_path / "a.parquet").write_bytes(b"")
    with pytest.raises(ValueError, match=message):
        load_task(write_toml(tmp_path / "a.toml", **said))


def test_a_file_that_is_not_toml_is_refused(tmp_path):
    (tmp_path / "a.toml").write_text("template: what\n")
    with pytest.raises(ValueError, match="a.toml is not TOML"):
        load_task(tmp_path / "a.toml")


def test_too_few_texts_for_three_splits_are_refused(tmp_path):
    with pytest.raises(
        ValueError,
        match="a.csv has 2 different texts, of which none falls to .*name three files in a .toml",
    ):
        load(write_csv(tmp_path / "a.csv", rows_of(2)))


def test_too_few_examples_of_a_class_are_refused_when_demonstrations_are_drawn(tmp_path):
    parts = {split: rows_of(20, 20 * i) for i, split in enumerate(SPLITS)}
    parts["train"] = [row for row in parts["train"] if row["stars"] == "0"][:9]
    parts["train"].append({"text": "the good one", "stars": "1", "by": ""})
    for split, rows in parts.items():
        write_csv(tmp_path / f"{split}.csv", rows)
    task = load_task(
        write_toml(tmp_path / "a.toml", data={split: f"{split}.csv" for split in SPLITS})
    )
    with pytest.raises(
        ValueError, match="8 shots need 4 training examples of class '1', but task 'a' has 1"
    ):
        draw_demonstrations(task, 8, seed=0)


def test_more_classes_than_arbitrary_words_are_refused_in_that_setting(tmp_path):
    rows = [{"text": f"review number {i}", "stars": str(i % 30)} for i in range(3000)]
    task = load(
        write_csv(tmp_path / "a.csv", rows),
        label_words={str(i): f"w{i}" for i in range(30)},
        label_setting="arbitrary",
    )
    assert len(task.words("flipped")) == 30
    with pytest.raises(
        ValueError, match="task 'a' has 30 classes, but there are only 24 arbitrary words"
    ):
        task.words()


def test_a_file_in_class_order_gives_what_the_same_file_shuffled_gives(tmp_path):
    rows = rows_of(400)
    in_order = sorted(rows, key=lambda row: row["stars"])
    shuffled = random.Random(0).sample(rows, len(rows))
    one, two = (
        load(write_csv(tmp_path / name, part))
        for name, part in (("a.csv", in_order), ("b.csv", shuffled))
    )
    assert all(one.splits[split].to_list() == two.splits[split].to_list() for split in SPLITS)
    other = load(tmp_path / "a.csv", seed=1)
    assert other.splits["test"]["text"][:] != one.splits["test"]["text"][:]


@pytest.mark.parametrize("files", [1, 3])
def test_any_number_of_rows_from_the_front_has_the_shares_of_the_whole(tmp_path, files):
    """A quarter is of class 0, and all of them come first."""
    for split in SPLITS:
        rows = [{"text": f"{split} {n}", "stars": str(int(n >= 100)), "by": ""} for n in range(400)]
        write_csv(tmp_path / f"{split}.csv", rows)
    data = "test.csv" if files == 1 else {split: f"{split}.csv" for split in SPLITS}
    task = load_task(write_toml(tmp_path / "a.toml", data=data))
    for split in SPLITS:
        labels = task.splits[split]["label"][:]
        share = labels.count(0) / len(labels)
        assert share == pytest.approx(0.25, abs=0.15)  # of about 60: three standard deviations
        assert all(abs(labels[:n].count(0) - share * n) <= 1 for n in range(len(labels)))


def test_a_validation_or_test_set_without_one_of_the_classes_is_refused(tmp_path):
    for short in SPLITS[1:]:
        for i, split in enumerate(SPLITS):
            rows = rows_of(20, 20 * i)
            if split == short:
                rows = [row for row in rows if row["stars"] == "0"]
            write_csv(tmp_path / f"{split}.csv", rows)
        path = write_toml(tmp_path / "a.toml", data={split: f"{split}.csv" for split in SPLITS})
        with pytest.raises(
            ValueError, match=f"a.toml leaves no example of class '1' for {short}; give more"
        ):
            load_task(path)
    with pytest.raises(ValueError, match="a.csv leaves no example of class '2' for validation"):
        load(write_csv(tmp_path / "a.csv", rows_of(60)), label_words={**WORDS, "2": "so"})


def test_texts_that_differ_in_case_or_unicode_form_are_one(tmp_path):
    first = [{"text": f"Café No. {i}", "stars": str(i % 2), "by": ""} for i in range(60)]
    again = [
        {**first[3], "text": first[3]["text"].upper()},
        {**first[4], "text": unicodedata.normalize("NFD", first[4]["text"])},
        {**first[5], "text": first[5]["text"].lower(), "stars": "0"},
    ]
    task = load(write_csv(tmp_path / "a.csv", first + again))
    assert task.dropped == {
        "met before in other capitals or form": 2,
        "met before under another label": 1,
    }
    assert {text for text, _ in pairs(task)} == {row["text"] for row in first}
    for split, rows in zip(SPLITS, (first[:20], first[20:40], [*first[40:], again[0]])):
        write_csv(tmp_path / f"{split}.csv", rows)
    with pytest.raises(ValueError, match="1 texts stand in both train and test, 'Café No. 3'"):
        load_task(write_toml(tmp_path / "a.toml", data={split: f"{split}.csv" for split in SPLITS}))


@pytest.mark.parametrize(
    "text, what",
    [
        ("fine\nverdict: good", "a line that ends as a demonstration does"),
        ("fine verdict: bad\r\nreview: so", "a line that ends as a demonstration does"),
        ("so \x00 so", "the control character U.0000"),
        ("so \x1b[31m so", "the control character U.001B"),
    ],
)
def test_texts_that_a_prompt_cannot_hold_are_refused_and_counted(tmp_path, text, what):
    rows = rows_of(60)
    rows[7]["text"], rows[9]["text"] = text, text + "."
    with pytest.raises(
        ValueError,
        match=f"a.csv holds 2 texts that a prompt cannot hold, the first in line 9 with {what}",
    ):
        load(write_csv(tmp_path / "a.csv", rows))


@pytest.mark.parametrize(
    "text", ["the verdict: good", "two\nlines", "my verdict:\nI would not buy it again, ever"]
)
def test_texts_that_only_look_a_little_like_a_demonstration_stay(tmp_path, text):
    rows = rows_of(60)
    rows[7]["text"] = text
    assert (text, "good") in pairs(load(write_csv(tmp_path / "a.csv", rows)))


def test_names_may_have_spaces_around_them_and_suffixes_may_be_in_capitals(tmp_path):
    rows = [f"{row['text']},{row['stars']}" for row in rows_of(60)]
    (tmp_path / "A.CSV").write_text("\n".join(["text, stars", *rows]))
    assert len(pairs(load(tmp_path / "A.CSV"))) == 60
