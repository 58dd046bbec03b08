"""Two results of one task's name are compared only if their texts were the same."""

import json

import pytest
from command_line import SMALL, answer, refused


@pytest.fixture
def judged(tiny, tmp_path):
    """Judges the tiny model on a csv of these texts, and gives the folder of the result."""

    def judge(name, texts, *more):
        rows = [f"{text},{i % 2}" for i, text in enumerate(texts)]
        (tmp_path / "mine.csv").write_text("\n".join(["text,label", *rows]))
        toml = 'data = "mine.csv"\ntemplate = "text: {text} sentiment: {label}"\n'
        (tmp_path / "mine.toml").write_text(f'{toml}[label_words]\n0 = "neg"\n1 = "pos"\n')
        sizes = ["--n-validation", 4, "--n-test", 4, "--clip-rates", "0,0.5", "--layer", 0]
        answer(
            *("search", "--model", tiny, *SMALL, *sizes, "--task", tmp_path / "mine.toml"),
            *("--out", tmp_path / name, *more),
        )
        return tmp_path / name

    return judge


def test_an_edited_file_is_another_test_though_its_task_has_the_same_name(judged):
    texts = [f"film {i}" for i in range(80)]
    first, again = judged("first", texts), judged("again", texts, "--shots", 3)
    assert answer("compare", first, again)["n"] == 4
    edited = judged("edited", [text.replace("film", "Film") for text in texts])
    assert "were judged on other texts, though both call their task" in refused(
        "compare", first, edited
    )


def test_a_result_of_before_digests_is_compared_as_it_was(judged):
    texts = [f"film {i}" for i in range(80)]
    first, older = judged("first", texts), judged("older", texts)
    said = json.loads((older / "result.json").read_text())
    assert said["experiment"].pop("examples").keys() == {"validation", "test"}
    (older / "result.json").write_text(json.dumps(said))
    assert answer("compare", first, older)["gain"] == 0
