import json
import random
import unicodedata
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from own_files import SPLITS, load, rows_of, write_csv, write_toml

from svdicl_lite.scoring.prompts import draw_demonstrations, encode, render
from svdicl_lite.tasks import own
from svdicl_lite.tasks.loading import load_task


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
