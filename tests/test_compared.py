"""Two results of the same examples, of ours or of lm-evaluation-harness, compared in pairs."""

import json

import numpy as np
import pytest
from command_line import SMALL, answer, refused, run

from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.search.compared import compared
from svdicl_lite.search.paired_files import read_judged
from svdicl_lite.stats import mcnemar, paired_bootstrap


@pytest.fixture
def folders(tiny, tmp_path):
    """What two searches wrote that differ in their layer, and what they said."""
    told = ["search", "--model", tiny, *SMALL, "--sets", 4, "--clip-rates", "0,0.5,0.9"]
    found = {}
    for layer in (0, 2):
        found[tmp_path / str(layer)] = answer(
            *told, "--layer", layer, "--out", tmp_path / str(layer)
        )
    return found


def test_two_folders_of_ours_are_compared_by_what_each_chose(folders):
    (a, said_a), (b, said_b) = folders.items()
    found = answer("compare", a, b)
    assert found["accuracy_a"] == said_a["test_after"]["accuracy"]
    assert found["accuracy_b"] == said_b["test_after"]["accuracy"]
    assert found["gain"] == found["accuracy_b"] - found["accuracy_a"] and found["n"] == 24
    assert found["only_b"] - found["only_a"] == round(24 * found["gain"])
    assert found["gain_over_sets"] is not None and found["p_value_by_set"] is not None
    assert found["reading"] + found["lean"] == pytest.approx(found["gain"], abs=1e-12)
    assert "layer" in found["differ_in"] and "task" not in found["differ_in"]
    said = run("compare", a, b).stdout
    assert "McNemar p =" in said and "over 4 sets of demonstrations" in said
    assert "validation promised" not in said and "A and B differ in" in said


def test_the_numbers_are_those_of_the_paired_tests(folders):
    a, b = folders
    one, other = read_judged(a), read_judged(b)
    result = compared(a, b)
    assert result.p_value == mcnemar(one.correct, other.correct)
    assert result.gain_interval == paired_bootstrap(one.correct, other.correct)
    assert compared(b, a).gain == -result.gain and compared(a, a).p_value == 1


def test_other_examples_are_refused(tiny, folders, tmp_path):
    a = next(iter(folders))
    told = ["search", "--model", tiny, *SMALL, "--layer", 0, "--clip-rates", "0,0.9", "--sets", 4]
    for name, more, why in (
        ("seed", ["--seed", 1], "differ in seeds"),
        ("n", ["--n-test", 20], "examples that are not the same"),
        ("task", ["--task", "topic"], "differ in task"),
    ):
        answer(*told, *more, "--out", tmp_path / name)
        assert why in refused("compare", a, tmp_path / name)


def test_what_is_no_result_is_refused(tiny, folders, tmp_path):
    a = next(iter(folders))
    assert "no folder and no file" in refused("compare", a, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "holds no result.json" in refused("compare", a, tmp_path / "empty")
    (tmp_path / "a.csv").write_text("text\n")
    assert "neither a folder" in refused("compare", a, tmp_path / "a.csv")
    answer("sweep", "--model", tiny, *SMALL, "--layer", 0, "--out", tmp_path / "sweep")
    assert "is of svdicl sweep, which judges nothing on test" in refused(
        "compare", a, tmp_path / "sweep"
    )
    table = a / "outcomes.csv"
    table.write_text(table.read_text().replace("True", "False"))
    assert "it was changed" in refused("compare", a, a)


def samples(path, scores, labels, filters=("none",), **more):
    """A file as lm_eval --log_samples writes it: numbers of answers and targets as texts."""
    lines = []
    for of_filter in filters:
        for i, (row, label) in enumerate(zip(scores, labels)):
            sample = {
                "doc_id": i,
                "doc": {"question": f"number {i}"},
                "target": str(label),
                "filtered_resps": [[str(score), "False"] for score in row],
                "filter": of_filter,
                "metrics": ["acc"],
                "doc_hash": f"hash {i}",
                "acc": float(np.argmax(row) == label),
            }
            lines.append({**sample, **{name: values[i] for name, values in more.items()}})
    path.write_text("".join(json.dumps(line) + "\n" for line in reversed(lines)))
    return path


@pytest.fixture
def logged(tmp_path):
    """Scores (N, C) of two models, the right classes, and the files of both."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 200)
    right = np.eye(3)[labels]
    a = random.normal(size=(200, 3)) + 0.5 * right
    b = a + random.normal(size=(200, 3)) + 0.5 * right
    files = samples(tmp_path / "a.jsonl", a, labels), samples(tmp_path / "b.jsonl", b, labels)
    return (a, b), labels, files


def test_samples_of_the_harness_are_compared_with_reading_and_lean(logged):
    (a, b), labels, files = logged
    found = answer("compare", *files)
    before, after = Evaluation(a, labels), Evaluation(b, labels)
    assert (found["accuracy_a"], found["accuracy_b"]) == (before.accuracy, after.accuracy)
    assert found["p_value"] == mcnemar(before.correct, after.correct)
    assert found["reading"] + found["lean"] == pytest.approx(found["gain"], abs=1e-12)
    wanted = after.discrimination - before.discrimination
    assert found["discrimination_gain"] == pytest.approx(wanted, abs=1e-12)
    assert found["gain_over_sets"] is None and found["p_value_by_set"] is None
    assert "for these demonstrations only" in run("compare", *files).stdout


def test_a_metric_that_is_not_of_the_scores_is_compared_without_them(logged, tmp_path):
    (a, b), labels, files = logged
    norm = np.arange(200) % 2
    other = samples(tmp_path / "c.jsonl", b, labels, acc_norm=norm.tolist())
    also = samples(tmp_path / "d.jsonl", a, labels, acc_norm=(1 - norm).tolist())
    found = answer("compare", other, also, "--metric", "acc_norm")
    assert (found["gain"], found["reading"], found["kind"]) == (0.0, None, None)
    assert "reading and lean cannot be told apart" in found["verdict"]
    assert (found["only_a"], found["only_b"]) == (100, 100)
    assert "no f1; say one of theirs by --metric (acc)" in refused(
        "compare", *files, "--metric", "f1"
    )


def test_of_several_filters_the_first_met_counts_alone(logged, tmp_path):
    (a, _), labels, files = logged
    two = samples(tmp_path / "two.jsonl", a, labels, filters=("strict", "flexible"))
    assert len(read_judged(two).keys) == 200


def test_files_of_other_documents_or_of_two_runs_are_refused(logged, tmp_path):
    (a, _), labels, files = logged
    short = samples(tmp_path / "short.jsonl", a[:150], labels[:150])
    assert "200 and" in refused("compare", files[0], short) and "150 examples" in refused(
        "compare", files[0], short
    )
    twice = tmp_path / "twice.jsonl"
    twice.write_text(files[0].read_text() * 2)
    assert "more than once; lm_eval appends" in refused("compare", files[0], twice)
    (tmp_path / "broken.jsonl").write_text('{"acc": 1}\n')
    assert "line 1, is no sample" in refused("compare", files[0], tmp_path / "broken.jsonl")


def test_every_key_is_in_the_help(logged):
    help = " ".join(run("compare", "--help").stdout.split()).partition("JSON: ")[2]
    for mark in ",;().":
        help = help.replace(mark, " ")
    assert set(answer("compare", *logged[2])) - {"command", "version"} <= set(help.split())
