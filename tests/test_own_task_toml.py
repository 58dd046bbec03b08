"""A task of one's own told in a toml, and in one, two or three files."""

from itertools import combinations

import pytest
from own_files import SPLITS, TEMPLATE, load, rows_of, write_csv, write_toml

from svdicl_lite.tasks.loading import load_task


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
