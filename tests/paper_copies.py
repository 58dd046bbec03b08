"""Small local copies of the paper's data sets, with the hub's folders, columns and labels."""

import datasets
import pytest
from datasets import ClassLabel, Dataset, Features, Value

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
