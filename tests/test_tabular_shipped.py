"""The shipped model of tables: its checkpoint, its card, and what it does on real tables."""

import json
import shutil
from dataclasses import asdict

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from svdicl_lite.clipping.clip import clipped
from svdicl_lite.models import loading
from svdicl_lite.models.loading import load_model, model_card
from svdicl_lite.stats import holm, mcnemar
from svdicl_lite.tasks.worlds.tables import (
    SETS,
    prompts,
)
from svdicl_lite.training import tabular
from svdicl_lite.training.tabular import (
    RECIPE,
    in_context,
    judge,
)


@pytest.fixture(scope="module")
def shipped():
    return tabular.load()


def test_a_damaged_checkpoint_is_one_sentence(tmp_path, monkeypatch):
    shutil.copytree(loading.CHECKPOINTS / "tab-gpt2", tmp_path / "tab-gpt2")
    monkeypatch.setattr(loading, "CHECKPOINTS", tmp_path)
    path = tmp_path / "tab-gpt2" / "model.safetensors"
    whole, weights = path.read_bytes(), load_file(path)
    save_file({name: weight for name, weight in weights.items() if name != "read_row.bias"}, path)
    with pytest.raises(ValueError, match=r"incomplete \(.*read_row.bias"):
        tabular.load()
    path.write_bytes(whole[:1000])
    with pytest.raises(
        ValueError,
        match=(
            r"the checkpoint .*model\.safetensors is damaged or incomplete \(.+\); fetch or train"
            r" it again$"
        ),
    ):
        tabular.load()
    path.unlink()
    with pytest.raises(ValueError, match="model.safetensors is damaged or incomplete"):
        tabular.load()


def test_as_a_text_model_it_is_refused_with_the_way_to_load_it():
    with pytest.raises(
        ValueError,
        match=(
            r"tab-gpt2 reads numbers, not text, .*load it with"
            r" svdicl_lite.training.tabular.load\(\)"
        ),
    ):
        load_model("tab-gpt2")


def test_the_shipped_weights_are_small_and_the_card_tells_the_recipe():
    card = model_card("tab-gpt2")
    assert (loading.CHECKPOINTS / "tab-gpt2" / "model.safetensors").stat().st_size <= 8_000_000
    assert (
        card["recipe"] == json.loads(json.dumps(asdict(RECIPE)))
        and card["curve"][-1]["step"] == RECIPE.steps
    )
    assert {
        "seconds",
        "cpu_seconds",
        "device",
        "threads",
        "torch",
        "transformers",
        "parameters",
        "context_seeds",
    } <= {*card}


def test_the_card_says_what_is_measured(shipped):
    for ours, row in zip(tabular.figures(shipped), model_card("tab-gpt2")["test"], strict=True):
        assert (ours["table"], ours["by"], ours["n"]) == (row["table"], row["by"], row["n"])
        assert (
            abs(ours["accuracy"] - row["accuracy"]) <= 2.5 / row["n"]
        )  # two near-ties may fall otherwise on another processor


def test_it_classifies_real_tables_it_has_never_seen(shipped):
    for name in SETS:
        asked = prompts(name)
        commonest = np.bincount(asked[0].labels).argmax()

        def always(shots, shot_labels, queries, answer=commonest):
            return np.full(len(queries), answer)

        most = judge(always, asked)
        assert judge(in_context(shipped), asked).interval.low > most.interval.high


def test_wrong_demonstrations_give_wrong_answers(shipped):
    """It reads the labels: with the classes exchanged in the prompt, the answers are exchanged."""
    for prompt in prompts("breast_cancer")[:2]:
        plain, exchanged = (
            in_context(shipped)(prompt.shots, labels, prompt.queries)
            for labels in (prompt.shot_labels, 1 - prompt.shot_labels)
        )
        assert (plain == 1 - exchanged).mean() > 0.9


def test_clipping_finds_its_matrices_and_gives_them_back(shipped):
    prompt = prompts("wine")[0]
    rows, labels = (
        torch.from_numpy(np.concatenate((prompt.shots, prompt.queries)))[None],
        torch.from_numpy(prompt.shot_labels)[None],
    )
    with torch.no_grad():
        before = shipped(rows, labels)
        with clipped(shipped, 0, "attn", 0.95):
            assert (shipped(rows, labels) - before).abs().mean() > 0.01
        assert torch.equal(shipped(rows, labels), before)


def test_no_clip_of_one_module_gains_and_none_costs_much(shipped):
    """What `benchmarks/tables.py` finds: each of the eight modules can be cut to a twentieth, and
    the others make up for it.
    """

    def correct():
        return np.concatenate([judge(in_context(shipped), asked).correct for asked in everything])

    everything = [prompts(name) for name in SETS]
    before, outcomes = correct(), []
    assert len(before) >= 1000
    for layer in range(RECIPE.layers):
        for module in ("mlp", "attn"):
            with clipped(shipped, layer, module, 0.95):
                outcomes.append(correct())
    adjusted = holm([mcnemar(before, after) for after in outcomes])
    for after, p in zip(outcomes, adjusted):
        assert after.mean() > before.mean() - 0.06
        assert after.mean() <= before.mean() or p > 0.05
