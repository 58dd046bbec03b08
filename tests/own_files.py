"""Files of one's own for the tests of them: a csv, a toml, and the task that they become."""

import csv
import json

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
