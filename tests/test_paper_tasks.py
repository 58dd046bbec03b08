"""The paper's data sets from small local copies with the hub's folders, columns, types and label
names.
"""

from collections import Counter
from dataclasses import replace
from itertools import combinations

import paper_copies
import pytest
from paper_copies import SIZES, SPLITS, rows_of, texts, write

from svdicl_lite.scoring.prompts import draw_demonstrations, encode, render
from svdicl_lite.tasks.loading import load_task
from svdicl_lite.tasks.paper import PAPER_TASKS
from svdicl_lite.tasks.task import ARBITRARY_WORDS

# Fixtures: pytest looks for their names here.
cache = paper_copies.cache
hub = paper_copies.hub


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
