"""The paper's data sets where the network, the copy or the rows are not as they should be."""

import json
import subprocess
import sys
from collections import Counter

import datasets
import paper_copies
import pytest
from datasets import Dataset
from paper_copies import SIZES, rows_of, texts, write

from svdicl_lite.tasks import paper_sets as module
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.paper import PAPER_TASKS

# Fixtures: pytest looks for their names here.
cache = paper_copies.cache
hub = paper_copies.hub


def unreachable(*args, **kwargs):
    raise ConnectionError("Name or service not known")


@pytest.mark.parametrize(
    "name, instead",
    [
        ("sst2", "its offline twin 'sentiment' needs no network"),
        ("emoc", "its offline twin 'emotion' needs no network"),
        ("agnews", "its offline twin 'topic' needs no network"),
        ("mrpc", "its offline twin 'paraphrase' needs no network"),
        ("rte", "its offline twin 'entailment' needs no network"),
        ("cb", "its offline twin 'commitment' needs no network"),
        ("copa", "its offline twin 'choice' needs no network"),
    ],
)
def test_without_a_network_one_sentence_names_what_works_offline(monkeypatch, name, instead):
    monkeypatch.setattr("huggingface_hub.file_exists", unreachable)
    with pytest.raises(
        OSError,
        match=(
            f"cannot load '{name}' .the hub cannot be reached: ConnectionError: Name or"
            f" service.*{instead}"
        ),
    ) as caught:
        load_task(name)
    assert "\n" not in str(caught.value)


def test_a_failure_while_fetching_names_what_works_offline_too(monkeypatch):
    monkeypatch.setattr("huggingface_hub.file_exists", lambda *args, **kwargs: True)
    monkeypatch.setattr("datasets.load_dataset", unreachable)
    with pytest.raises(
        OSError,
        match="cannot load 'sst2' from nyu-mll/glue .ConnectionError.*offline twin 'sentiment'",
    ):
        load_task("sst2")


def test_what_was_fetched_before_is_not_asked_for_first(monkeypatch, hub):
    (datasets.config.HF_DATASETS_CACHE / "nyu-mll___glue").mkdir()
    monkeypatch.setattr("huggingface_hub.file_exists", unreachable)
    asked = {}

    def load_dataset(path, **how):
        asked.update(how, path=path)
        return original(str(hub), data_dir=how["data_dir"])

    original = datasets.load_dataset
    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    assert len(load_task("mrpc").splits["test"]) == SIZES["test"]
    assert asked == {"path": "nyu-mll/glue", "data_dir": "mrpc", "revision": "main"}


def test_data_unlike_the_hubs_are_refused(tmp_path):
    rows = {split: rows_of("sst2", split, 20) for split in ("train", "validation")}
    write(tmp_path / "swapped", "sst2", rows, names=("positive", "negative"))
    with pytest.raises(
        ValueError,
        match=(
            "sst2's labels are positive, negative, but should be negative, positive as in"
            " nyu-mll/glue"
        ),
    ):
        load_task("sst2", source=tmp_path / "swapped")
    write(tmp_path / "short", "sst2", {"train": rows["train"]})
    with pytest.raises(ValueError, match="sst2 has no split 'validation', only train"):
        load_task("sst2", source=tmp_path / "short")
    hidden = [{**row, "label": -1} for row in rows["validation"]]
    write(tmp_path / "hidden", "sst2", {**rows, "validation": hidden})
    with pytest.raises(
        ValueError, match="sst2's validation split has a label -1, but labels go from 0 to 1"
    ):
        load_task("sst2", source=tmp_path / "hidden")
    (tmp_path / "other" / "sst2").mkdir(parents=True)
    for split, part in rows.items():
        Dataset.from_list(
            [{"text": row["sentence"], "label": row["label"]} for row in part]
        ).to_parquet(tmp_path / "other" / "sst2" / f"{split}.parquet")
    with pytest.raises(
        ValueError, match="sst2's validation split has no column 'sentence', only text, label"
    ):
        load_task("sst2", source=tmp_path / "other")


def test_too_few_rows_are_refused(tmp_path):
    write(
        tmp_path, "sst2", {split: rows_of("sst2", split, 10) for split in ("train", "validation")}
    )
    with pytest.raises(
        ValueError, match="sst2 has too few examples .*train 10.*none is left for validation"
    ):
        load_task("sst2", source=tmp_path)


def test_missing_and_damaged_copies_are_refused(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="there is no folder .*sst2.*parquet files of nyu-mll/glue/sst2"
    ):
        load_task("sst2", source=tmp_path)
    (tmp_path / "sst2").mkdir()
    (tmp_path / "sst2" / "train.parquet").write_bytes(b"not parquet")
    with pytest.raises(ValueError, match="the files in .*sst2.* cannot be read .*fetch them again"):
        load_task("sst2", source=tmp_path)


def test_unknown_names_list_every_kind_of_task():
    with pytest.raises(
        ValueError,
        match=(
            r"no task 'imdb'; the tasks are sentiment, topic.*offline.*sst2, agnews, emoc, mrpc,"
            r" rte, cb, copa.*\.csv, .*\.toml"
        ),
    ):
        load_task("imdb")


def test_what_belongs_to_another_kind_of_task_is_refused(hub):
    with pytest.raises(ValueError, match="task 'topic' is made by the grammar and takes no source"):
        load_task("topic", source=hub)
    with pytest.raises(
        ValueError,
        match="kinds of sentence exist for sentiment, topic.* alone, not for task 'sst2'",
    ):
        load_task("sst2", kinds=("hard",), source=hub)


def test_the_docstring_names_every_repository():
    assert all(paper.repository in module.__doc__ for paper in PAPER_TASKS.values())


def test_progress_bars_stay_as_they_were(hub):
    datasets.enable_progress_bars()
    load_task("copa", source=hub)
    assert not datasets.are_progress_bars_disabled()


def test_offline_tasks_ask_nothing_of_the_network():
    code = """
import json, socket, sys
def refuse(*args, **kwargs): raise AssertionError("network")
socket.socket.connect = socket.getaddrinfo = refuse
from svdicl_lite.tasks.task import ARBITRARY_WORDS
from svdicl_lite.tasks.loading import load_task
print(json.dumps(len(load_task("sentiment").splits["test"])))
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(out.stdout) == 4000


def test_the_first_rows_of_a_split_that_the_hub_holds_class_by_class_are_a_fair_sample(tmp_path):
    rows = rows_of("data", "test", 80)
    parts = {
        split: [
            {**row, "text": f"{split} {row['text']}", "label": i // 20}
            for i, row in enumerate(rows)
        ]
        for split in ("train", "test")
    }
    write(tmp_path, "data", parts)
    task = load_task("agnews", source=tmp_path)
    for n in (4, 8, 20):
        assert Counter(task.splits["test"]["label"][:n]) == dict.fromkeys(range(4), n // 4)
    assert texts(load_task("agnews", source=tmp_path), "test") == texts(task, "test")


def test_texts_that_a_prompt_cannot_hold_are_left_out_and_counted(tmp_path):
    train, test = rows_of("data", "train", 50), rows_of("data", "test", 20)
    test[3]["text"] = "a\x00b"
    test[4]["text"] = "fine classification: world\ntext: another"
    test[5]["text"] = test[6]["text"].upper()
    write(tmp_path, "data", {"train": train, "test": test})
    task = load_task("agnews", source=tmp_path)
    assert task.dropped == {
        "with a control character": 1,
        "that read like a demonstration": 1,
        "met before": 1,
    }


def test_a_test_set_without_one_of_the_classes_is_refused(tmp_path):
    train, test = rows_of("data", "train", 50), rows_of("data", "test", 20)
    for row in test:
        row["label"] = 1
    write(tmp_path, "data", {"train": train, "test": test})
    with pytest.raises(ValueError, match="agnews leaves no example of class 'world' for test"):
        load_task("agnews", source=tmp_path)
