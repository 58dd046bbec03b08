"""Kept spectra: computed from a GGUF file, read again, checked against the model, and what follows
from them.
"""

import json
import shutil

import numpy as np
import pytest
import torch
from gguf import GGUFReader, dequantize
from noise_cases import noise_table
from test_gguf import tiny_llama, write_gguf
from typer.testing import CliRunner

from svdicl_lite.cli.commands import app
from svdicl_lite.models import smollm2
from svdicl_lite.models.loading import load_model
from svdicl_lite.models.quantisation import (
    drawn_top,
    redrawn_conditions,
    tensors_of,
)
from svdicl_lite.search import committed_spectra
from svdicl_lite.search.committed import Kept, about, outcomes, stale
from svdicl_lite.search.committed_spectra import check_spectra, compute_spectra, spectra
from svdicl_lite.search.computed import described, write

TOML = """
title = "A small one"
hypothesis = "There are singular values."
analysis = "By eye."
model = {model}
kind = "spectra"
"""


def written(folder, model, text=TOML):
    path = folder / "small.toml"
    path.write_text(text.replace("{model}", json.dumps(str(model))))
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SVDICL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="module")
def kept(cache, file, tmp_path_factory):
    """Computed once; tests that change anything copy the folder."""
    kept = Kept.read(written(tmp_path_factory.mktemp("kept"), file))
    compute_spectra(kept, say=lambda text: None)
    return kept


@pytest.fixture
def copied(kept, tmp_path):
    shutil.copytree(kept.path.parent, tmp_path / "copy")
    return Kept.read(tmp_path / "copy/small.toml")


def changed(kept, monkeypatch, **columns):
    """The same table with other columns, as a reader would find it."""
    table = spectra(kept.path).assign(**columns)
    monkeypatch.setattr(committed_spectra, "spectra", lambda path: table)


def test_every_matrix_has_the_singular_values_of_what_the_file_stores(kept, file):
    table, tensors = spectra(kept.path), GGUFReader(file).tensors
    stored = {tensor.name: dequantize(tensor.data, tensor.tensor_type) for tensor in tensors}
    assert len(table) == 2 * 7 and set(table["role"]) == set("q k v o gate up fc_out".split())
    for row in table.itertuples():
        exact = np.linalg.svd(stored[row.tensor].astype(float), compute_uv=False)
        np.testing.assert_allclose(row.singular_values, exact, rtol=1e-6)


def test_what_follows_is_what_the_noise_table_says(kept, file):
    table, model = spectra(kept.path), load_model(str(file))[0]
    live = noise_table(model, file)
    for column in ("sigma_max", "sigma_min", "condition_number", "noise", "noise_high", "below"):
        np.testing.assert_allclose(table[column], live[column], rtol=1e-5)
    lying_under = table[table["below"] > 0]
    assert len(lying_under)  # square matrices of random numbers
    np.testing.assert_allclose(
        lying_under["floored"], lying_under["sigma_max"] / lying_under["noise_high"]
    )
    assert (table["floored_drawn"] <= table["condition_number"] * (1 + 1e-6)).all()
    above = table[table["below"] == 0]
    assert len(above) and (above["floored"] == above["condition_number"]).all()


def test_a_drawn_rounding_reaches_about_as_far_as_the_formula_where_steps_are_alike(kept):
    """Within a tenth: the matrices here have 2,048 numbers and more, of one distribution."""
    table = spectra(kept.path)
    assert (abs(table["noise_drawn"] / table["noise_high"] - 1) < 0.1).all()


def test_a_matrix_of_one_large_block_has_a_larger_drawn_top_than_the_formula(tmp_path):
    """A row of steps a hundred times as large: one direction holds nearly all of the noise."""
    model = tiny_llama()
    with torch.no_grad():
        model.model.layers[0].self_attn.v_proj.weight[3] *= 100
    file = write_gguf(tmp_path / "one.gguf", model)
    table = noise_table(model, file).set_index("tensor")
    assert (
        drawn_top(tensors_of(file)["blk.0.attn_v.weight"])
        > 1.5 * table.loc["blk.0.attn_v.weight"].noise_high
    )


def test_one_more_rounding_moves_a_singular_value_by_no_more_than_its_own_largest(file):
    """Weyl: so the condition number of each draw lies between two bounds, and draws differ."""
    for name in ("blk.0.attn_q.weight", "blk.1.ffn_up.weight"):
        tensor = tensors_of(file)[name]
        S = np.linalg.svd(dequantize(tensor.data, tensor.tensor_type), compute_uv=False)
        found = redrawn_conditions(tensor, draws=3)
        for draw, condition in enumerate(found, start=1):
            top = drawn_top(tensor, draw)
            assert (S[0] - top) / (S[-1] + top) < condition
            assert S[-1] <= top or condition < (S[0] + top) / (S[-1] - top)
        assert len(set(found)) == 3 and redrawn_conditions(tensor, draws=1) == found[:1]


def test_what_is_all_noise_has_no_condition(kept):
    row = spectra(kept.path).iloc[0].to_dict()
    flat = {**row, "noise": row["sigma_max"]}
    found = committed_spectra._derived(type("Row", (), flat))
    assert found["below"] == 1 and found["floored"] == 1 < found["floored_drawn"]


def test_a_check_finds_some_of_them_again_and_refuses_others(kept, copied, file, monkeypatch):
    found = check_spectra(kept, 3, seed=1)
    assert len(found) == 3 and found["largest"].max() < 1e-6
    S_before = spectra(copied.path)["singular_values"]
    values = [S * 1.001 for S in S_before]
    changed(copied, monkeypatch, singular_values=values)
    with pytest.raises(ValueError, match="a singular value computed again differs by 0.001 of"):
        check_spectra(copied, seed=0)
    other = [list(np.array(found) * 1.01) for found in spectra(copied.path)["redrawn"]]
    changed(copied, monkeypatch, singular_values=S_before, redrawn=other)
    with pytest.raises(ValueError, match="differs by 0.0099 of itself"):
        check_spectra(copied, seed=0)
    changed(copied, monkeypatch, noise=1.0)
    with pytest.raises(ValueError, match="the file's rounding is another"):
        check_spectra(copied, seed=0)


def test_a_check_refuses_other_weights(copied, tmp_path):
    other = write_gguf(tmp_path / "other.gguf", None, pre="gpt-2", general__note="another")
    by_another = Kept(copied.path, {**copied.said, "model": str(other)}, ())
    assert len(check_spectra(by_another, seed=0)) == 2  # the same weights in another file
    model = tiny_llama()
    model.model.layers[1].mlp.up_proj.weight.data *= 1.01
    other = write_gguf(tmp_path / "third.gguf", model)
    with pytest.raises(ValueError, match="was computed with other weights"):
        check_spectra(Kept(copied.path, {**copied.said, "model": str(other)}, ()), seed=0)


@pytest.mark.parametrize(
    "change, sentence",
    [
        (('kind = "spectra"', 'kind = "spectra"\nn = 12'), "says 'n', but spectra are of all"),
        (('kind = "spectra"', 'kind = "colours"'), "says kind 'colours', but it is one of cells"),
        (('analysis = "By eye."', ""), "does not say 'analysis'"),
    ],
)
def test_a_toml_that_says_too_little_or_too_much_is_named(tmp_path, file, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        Kept.read(written(tmp_path, file, TOML.replace(*change)))


def test_a_model_that_was_not_quantised_is_refused(tmp_path):
    kept = Kept.read(written(tmp_path, "icl-gpt2"))
    with pytest.raises(ValueError, match="'icl-gpt2', which was not made from a GGUF file"):
        compute_spectra(kept)
    assert not kept.outcomes.exists()


def test_one_kind_is_not_read_as_the_other(kept, copied, monkeypatch):
    with pytest.raises(ValueError, match="small holds spectra, not outcomes"):
        outcomes(kept.path)
    monkeypatch.setattr(committed_spectra, "about", lambda path: {"said": {"model": "m"}})
    with pytest.raises(ValueError, match="holds outcomes of cells, not spectra"):
        spectra(copied.path)


def test_the_command_computes_what_is_missing_and_checks_what_is_there(cache, file, tmp_path):
    path = written(tmp_path, file)
    command = ["experiment", str(path), "--journals", str(tmp_path / "journals")]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert stale(Kept.read(path)) == "" and about(path)["said"]["kind"] == "spectra"
    result = CliRunner().invoke(app, [*command, "--check", "2", "--seed", "3", "--json"])
    (found,) = json.loads(result.stdout)["experiments"]
    assert found["status"] == "2 spectra again" and found["largest"] < 1e-6


def test_where_the_model_is_not_here_a_check_says_so_and_fetches_nothing(tmp_path, monkeypatch):
    kept = Kept.read(written(tmp_path, smollm2.NAME))
    row = {"layer": 0, "singular_values": np.ones(2, dtype=np.float32)}
    write(kept.outcomes, [row], described(kept, "weights", 0), "singular_values")
    monkeypatch.setattr(smollm2, "is_here", lambda: False)
    monkeypatch.setattr(smollm2, "folder", lambda: pytest.fail("fetched"))
    result = CliRunner().invoke(app, ["experiment", str(kept.path), "--check", "1", "--json"])
    (found,) = json.loads(result.stdout)["experiments"]
    assert found["status"] == "its model or texts are not here"
