"""What is wrong with a file of one's own is said in one sentence, before anything runs."""

import pytest
from own_files import SPLITS, TEMPLATE, WORDS, load, rows_of, write_csv, write_toml

from svdicl_lite.scoring.prompts import draw_demonstrations
from svdicl_lite.tasks.loading import load_task


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
        (
            "{body} {label}",
            "a.csv, line 1, which must name the columns, has no 'body'; it has text, stars, by",
        ),
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
        ValueError, match="a.csv, line 1, which must name .* has no 'label'; it has text, stars, by"
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
