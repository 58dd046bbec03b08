"""The paper's data sets from small local copies with the hub's folders, columns, types and label
names.
"""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import combinations

import datasets
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from svdicl_lite.scoring.prompts import draw_demonstrations, encode, render
from svdicl_lite.tasks import paper_sets as module
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.paper import PAPER_TASKS
from svdicl_lite.tasks.task import ARBITRARY_WORDS

SPLITS = ("train", "validation", "test")
# As the hub has them: folder → (columns, label names, splits, splits whose labels are hidden)
HUB = {
    "sst2": (("sentence", "label", "idx"), ("negative", "positive"), SPLITS, ("test",)),
    "mrpc": (
        ("sentence1", "sentence2", "label", "idx"),
        ("not_equivalent", "equivalent"),
        SPLITS,
        (),
    ),
    "data": (("text", "label"), ("World", "Sports", "Business", "Sci/Tech"), ("train", "test"), ()),
    "emo2019": (("text", "label"), ("others", "happy", "sad", "angry"), ("train", "test"), ()),
    "rte": (
        ("premise", "hypothesis", "idx", "label"),
        ("entailment", "not_entailment"),
        SPLITS,
        ("test",),
    ),
    "cb": (
        ("premise", "hypothesis", "idx", "label"),
        ("entailment", "contradiction", "neutral"),
        SPLITS,
        ("test",),
    ),
    "copa": (
        ("premise", "choice1", "choice2", "question", "idx", "label"),
        ("choice1", "choice2"),
        SPLITS,
        ("test",),
    ),
}
SIZES = {"train": 100, "validation": 12, "test": 14}


def rows_of(folder, split, n):
    columns, names, _, hidden = HUB[folder]
    rows = [{column: f"{column} {split} {i}" for column in columns} for i in range(n)]
    for i, row in enumerate(rows):
        row["label"] = -1 if split in hidden else i % len(names)
        if "idx" in columns:
            row["idx"] = i
        if folder == "copa":
            row["question"] = ("cause", "effect")[i // 2 % 2]
    return rows


def write(root, folder, by_split, names=None):
    """Files as on a main branch (train-00000-of-00001.parquet) or on the hub's parquet branch
    (train/0000.parquet).
    """
    columns, hub_names, _, _ = HUB[folder]
    types = {"label": ClassLabel(names=list(names or hub_names)), "idx": Value("int32")}
    features = Features({column: types.get(column, Value("string")) for column in columns})
    for split, rows in by_split.items():
        flat = folder in ("sst2", "mrpc", "data")
        path = (
            root / folder / (f"{split}-00000-of-00001.parquet" if flat else f"{split}/0000.parquet")
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        Dataset.from_list(rows, features=features).to_parquet(path)
    return root


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    root = tmp_path_factory.mktemp("hub")
    for folder, (_, _, splits, _) in HUB.items():
        write(root, folder, {split: rows_of(folder, split, SIZES[split]) for split in splits})
    return root


def texts(task, split):
    columns = [column for column in task.splits[split].column_names if column != "label"]
    return [tuple(row[column] for column in columns) for row in task.splits[split]]


def test_the_seven_of_the_paper_are_there():
    assert list(PAPER_TASKS) == ["sst2", "agnews", "emoc", "mrpc", "rte", "cb", "copa"]


@pytest.mark.parametrize("name", PAPER_TASKS)
def test_every_task_loads_from_files_as_the_hub_has_them(hub, name):
    task = load_task(name, source=hub)
    paper = PAPER_TASKS[name]
    assert (task.name, task.classes, task.label_words) == (name, paper.classes, paper.label_words)
    assert all(task.splits[split].features["label"].names == list(task.classes) for split in SPLITS)
    n_train, n_test = SIZES["train"], SIZES["test" if paper.test_from == "test" else "validation"]
    n_validation = SIZES["validation"] if name == "mrpc" else n_train // 5
    sizes = {split: len(task.splits[split]) for split in SPLITS}
    assert sizes == {
        "train": n_train if name == "mrpc" else n_train - n_validation,
        "validation": n_validation,
        "test": n_test,
    }
    assert task.dropped == {} and task.said_of_dropped() == ""


@pytest.mark.parametrize("paper_sizes", [False, True])
@pytest.mark.parametrize("name", PAPER_TASKS)
def test_splits_share_no_text_and_no_text_stands_twice(hub, name, paper_sizes, monkeypatch):
    monkeypatch.setitem(
        PAPER_TASKS, name, replace(PAPER_TASKS[name], paper_sizes={"validation": 30, "test": 40})
    )
    task = load_task(name, paper_sizes=paper_sizes, source=hub)
    held = {split: texts(task, split) for split in SPLITS}
    assert all(len({*held[split]}) == len(held[split]) > 0 for split in SPLITS)
    assert all(not {*held[one]} & {*held[other]} for one, other in combinations(SPLITS, 2))


@pytest.mark.parametrize(
    "name, prompt",
    [
        ("sst2", "text: sentence train 1 sentiment: pos\n"),
        ("agnews", "text: text train 1 classification: sports\n"),
        ("emoc", "text: text train 1 sentiment: pos\n"),
        ("mrpc", "sentence1: sentence1 train 1 sentence2: sentence2 train 1 label : true\n"),
        (
            "rte",
            (
                "premise train 1 Does this mean that hypothesis train 1 is true? select Yes or No?"
                " No\n"
            ),
        ),
        (
            "cb",
            "Suppose premise train 1 Can we infer that hypothesis train 1? Yes, No, or Maybe? No\n",
        ),
        ("copa", "premise train 1 cause choice2 train 1\n"),
    ],
)
def test_prompts_and_labels_are_the_papers(hub, name, prompt):
    task = load_task(name, source=hub)
    (row,) = [
        row
        for split in SPLITS
        for row in task.splits[split]
        if row[next(iter(row))].endswith("train 1")
    ]
    word = row[task.options[row["label"]]] if task.options else task.words()[row["label"]]
    assert render(task, row, word) == prompt


def test_every_label_of_the_hub_becomes_its_class(hub):
    """Row i of the files has hub label i mod the number of labels."""
    expected = {
        "sst2": ("neg", "pos"),
        "agnews": ("world", "sports", "business", "science"),
        "emoc": ("neg", "pos", "neg", "neg"),
        "mrpc": ("false", "true"),
        "rte": ("Yes", "No"),
        "cb": ("Yes", "No", "Maybe"),
    }
    for name, words in expected.items():
        task = load_task(name, source=hub)
        for split in SPLITS:
            for row in task.splits[split]:
                i = int(row[next(iter(row))].split()[-1])
                assert task.words()[row["label"]] == words[i % len(words)], (name, row)


def test_emoc_is_unbalanced_in_every_split(hub):
    task = load_task("emoc", source=hub)
    test = Counter(task.splits["test"]["label"])
    assert test == {0: 10, 1: 4}  # labels of rows 0 … 13 modulo 4: happy is 1, 5, 9 and 13
    whole = sum(
        (Counter(task.splits[split]["label"]) for split in ("train", "validation")), Counter()
    )
    assert whole == {0: 75, 1: 25}


def test_hidden_labels_are_never_used(hub):
    for name in ("sst2", "rte", "cb", "copa"):
        task = load_task(name, source=hub)
        assert all("validation" in row[0] for row in texts(task, "test"))
        assert all(label >= 0 for split in SPLITS for label in task.splits[split]["label"])


def test_paper_sizes_are_the_papers():
    assert {name: paper.paper_sizes["test"] for name, paper in PAPER_TASKS.items()} == {
        "sst2": 59339,
        "agnews": 7600,
        "emoc": 5509,
        "mrpc": 1725,
        "rte": 277,
        "cb": 56,
        "copa": 100,
    }
    assert [paper.paper_sizes["validation"] for paper in PAPER_TASKS.values()] == [
        8000,
        8000,
        5000,
        408,
        400,
        235,
        200,
    ]
    assert [paper.n_shots for paper in PAPER_TASKS.values()] == [10, 8, 10, 10, 10, 15, 10]


def test_cb_at_the_papers_sizes_keeps_its_fifteen_balanced_demonstrations(tmp_path):
    """CB as large as it is: 250 and 56 rows, of which 16 and 5 are neutral."""
    labels = [0] * 115 + [1] * 119 + [2] * 16
    train = [{**row, "label": label} for row, label in zip(rows_of("cb", "train", 250), labels)]
    write(tmp_path, "cb", {"train": train, "validation": rows_of("cb", "validation", 56)})
    for seed in range(3):
        task = load_task("cb", paper_sizes=True, source=tmp_path, seed=seed)
        assert {split: len(task.splits[split]) for split in SPLITS} == {
            "train": 15,
            "validation": 235,
            "test": 56,
        }
        assert Counter(row["label"] for row in draw_demonstrations(task, 15, seed=0)) == {
            0: 5,
            1: 5,
            2: 5,
        }


def test_sst2_at_the_papers_sizes_takes_all_but_the_demonstrations_from_train(hub, monkeypatch):
    monkeypatch.setitem(
        PAPER_TASKS,
        "sst2",
        replace(PAPER_TASKS["sst2"], paper_sizes={"validation": 20, "test": 70}),
    )
    task = load_task("sst2", paper_sizes=True, source=hub)
    assert {split: len(task.splits[split]) for split in SPLITS} == {
        "train": 10,
        "validation": 20,
        "test": 70,
    }
    assert all("train" in row[0] for split in SPLITS for row in texts(task, split))


def test_the_seed_decides_the_split_and_nothing_else_does(hub):
    one, again, other = (load_task("agnews", source=hub, seed=seed) for seed in (0, 0, 1))
    assert texts(one, "validation") == texts(again, "validation") and texts(one, "train") == texts(
        again, "train"
    )
    assert {*texts(one, "validation")} != {*texts(other, "validation")}
    assert {*texts(one, "test")} == {*texts(other, "test")}


def test_texts_that_occur_twice_stay_once_and_rather_in_test(tmp_path):
    train, test = rows_of("data", "train", 50), rows_of("data", "test", 20)
    train[3]["text"] = " " + train[9]["text"] + "  "  # once more within train, but for spaces
    train[7]["text"] = test[4]["text"]
    test[1]["text"] = test[2]["text"]
    train[8]["text"] = "   "
    train[11]["text"] = None
    write(tmp_path, "data", {"train": train, "test": test})
    task = load_task("agnews", source=tmp_path)
    assert task.dropped == {"met before": 3, "without a text": 2}
    assert task.said_of_dropped() == ("5 rows left out of agnews: 3 met before, 2 without a text")
    assert (
        len(task.splits["test"]) == 19
        and len(task.splits["train"]) + len(task.splits["validation"]) == 46
    )
    assert (test[4]["text"],) in texts(task, "test")
    assert all(text == text.strip() for split in SPLITS for (text,) in texts(task, split))


def test_label_settings_work_for_all_that_have_label_words(hub):
    assert load_task("cb", "flipped", source=hub).words() == ("No", "Maybe", "Yes")
    arbitrary = load_task("agnews", "arbitrary", source=hub)
    assert len({*arbitrary.words(seed=3)}) == 4 and {*arbitrary.words(seed=3)} <= {*ARBITRARY_WORDS}
    with pytest.raises(
        ValueError,
        match=(
            "'copa' chooses between options and has no label words, so label_setting cannot be"
            " 'flipped'"
        ),
    ):
        load_task("copa", "flipped", source=hub)
    with pytest.raises(ValueError, match="label_setting is 'random', but must be one of"):
        load_task("sst2", "random", source=hub)


def test_prompts_of_a_paper_task_end_where_its_label_word_begins(hub, tokenizer):
    """No space hangs at the end of the context, and the label is what the joint text ends in."""
    task = load_task("sst2", source=hub)
    examples = list(task.splits["test"].select(range(3)))
    prompts = encode(tokenizer, task, task.words(), draw_demonstrations(task, 4, 0), examples)
    for tokens, labels in zip(prompts.contexts, prompts.label_tokens):
        assert tokenizer.decode(tokens).endswith("sentiment:")
        assert [tokenizer.decode(label) for label in labels] == [" neg", " pos"]


def test_copa_gives_one_prompt_an_option(hub, tokenizer):
    task = load_task("copa", source=hub)
    examples = list(task.splits["test"].select(range(3)))
    prompts = encode(tokenizer, task, (), draw_demonstrations(task, 2, 0), examples)
    for context, row, example in zip(prompts.contexts, prompts.continuations, examples):
        assert [tokenizer.decode(context + option).split("\n")[-1] for option in row] == [
            f"{example['premise']} {example['question']} {example[option]}"
            for option in ("choice1", "choice2")
        ]


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
