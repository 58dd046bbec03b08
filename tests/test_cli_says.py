"""What every result on the command line says of itself: what its intervals are for, what a lean
alone reaches, which rows were left out, how texts begin.
"""

import re

import pytest
from command_line import SMALL, answer, run

from svdicl_lite.cli.parameters import N_SETS
from svdicl_lite.search.find_clip import N_SETS as OF_FIND_CLIP
from svdicl_lite.stats import least_sign_flip_p

WITHOUT_SETS = SMALL[:-2]


@pytest.fixture
def dirty(tmp_path):
    """The .toml of a csv that holds texts twice, once under another label."""
    rows = [f"{i} {word},{i % 2}" for i in range(40) for word in ("red", "blue", "green")]
    rows += ["1 red,1", "2 blue,0", "3 green,0"]
    (tmp_path / "mine.csv").write_text("\n".join(["text,label", *rows]))
    (tmp_path / "mine.toml").write_text(
        'template = "text: {text} sentiment: {label}"\ndata = "mine.csv"\n'
        '[label_words]\n0 = "neg"\n1 = "pos"\n'
    )
    return tmp_path / "mine.toml"


def test_without_a_number_twelve_sets_are_taken_and_the_interval_is_over_them(tiny):
    assert N_SETS == OF_FIND_CLIP == 12
    told = ["search", "--model", tiny, *WITHOUT_SETS, "--layer", 1]
    found, said = answer(*told), run(*told).stdout
    assert found["experiment"]["seeds"] == list(range(12))
    before = found["validation"][0]
    low, high = before["accuracy_over_sets"]
    assert low <= before["accuracy"] <= high and (low, high) != (before["low"], before["high"])
    assert f"{before['accuracy']:.3f} [{low:.3f}, {high:.3f}]" in said
    assert "intervals of accuracy: 95 %, over 12 sets of demonstrations" in said
    test = found["test_before"]
    low, high = test["accuracy_over_sets"]
    assert f"test accuracy {test['accuracy']:.3f} [{low:.3f}, {high:.3f}]" in found["verdict"]
    assert "over 12 sets of demonstrations, n = 24" in found["verdict"]
    assert "for these demonstrations only" in found["verdict"]  # the one by McNemar
    assert found["smallest_p_by_set"] == least_sign_flip_p(12)
    assert "(the least possible is < .001)" in said


def test_with_too_few_sets_a_table_says_what_it_cannot_say(tiny):
    for n_sets, few in ((1, "one set says"), (3, "3 sets say")):
        told = ["sweep", "--model", tiny, *WITHOUT_SETS, "--layer", 1, "--sets", n_sets]
        cell = answer(*told)["cells"][0]
        assert cell["accuracy_over_sets"] is None and cell["discrimination_over_sets"] is None
        said = run(*told).stdout
        assert f"for these demonstrations only; {few} nothing reliable about others" in said


def test_a_sweep_shows_balanced_accuracy_and_discrimination_and_what_a_lean_reaches(tiny):
    told = ["sweep", "--model", tiny, *SMALL, "--layer", 1, "--module", "mlp"]
    cells, said = answer(*told)["cells"], run(*told).stdout
    for measure, key in (
        ("accuracy", "accuracy"),
        ("balanced", "balanced_accuracy"),
        ("discrimination", "discrimination"),
    ):
        (line,) = [line for line in said.splitlines() if re.match(rf". {measure} ", line)]
        shown = [cell.strip() for cell in line.split("│")[4:-1]]
        assert shown == [f"{cell[key]:.4g}" for cell in cells]
    majority = cells[0]["majority_accuracy"]
    assert f"always the commonest label of validation is right in {majority:.3f}" in said
    n = sum(cell["collapsed"] for cell in cells)
    assert (f"{n} of {len(cells)} cells collapse" in said) == (n > 0)


def test_greedy_shows_balanced_accuracy_and_what_a_lean_reaches():
    told = ["greedy", "--model", "icl-gpt2-noisy", "--task", "sentiment", "--labels", "flipped"]
    told += ["--layer", 3, "--module", "mlp", "--clip-rates", "0,0.99", "--shots", 4]
    told += ["--n-validation", 40, "--n-test", 16]
    steps, said = answer(*told)["steps"], run(*told).stdout
    assert len(steps) == 1 and f"{steps[0]['validation']['balanced_accuracy']:.4g}" in said
    assert "balanced" in said and "discrimination" in said
    majority = f"{steps[0]['validation']['majority_accuracy']:.3f}"
    assert f"always the commonest label of validation is right in {majority}" in said


def test_rows_left_out_are_counted_by_reason(tiny, dirty):
    told = ["sweep", "--model", tiny, "--task", dirty, "--shots", 2, "--clip-rates", "0,0.9"]
    told += ["--layer", 1, "--module", "mlp", "--sets", 1]
    found, said = answer(*told), run(*told).stdout
    assert found["dropped"] == {"met before": 2, "met before under another label": 1}
    assert "3 rows left out of mine: 2 met before, 1 met before under another label" in " ".join(
        said.split()
    )


def test_every_result_says_whether_texts_begin_with_bos(tiny):
    told = ["sweep", "--model", tiny, *SMALL, "--layer", 1, "--module", "mlp"]
    row = answer(*told)["tokenizer"]
    assert (row["bos"], row["eos"]) == (False, False)
    assert f"BOS: no ({row['class']})" in run(*told).stdout
