"""Clips by other methods than truncation, saved as two thin matrices where their rank is low."""

import json

import command_line
import pytest
import torch
from command_line import answer, refused, run
from families import VOCAB, build
from transformers import AutoModelForCausalLM

from svdicl_lite.clipping.clip import ThinLinear
from svdicl_lite.clipping.controls import CLIPS, CONTROLS
from svdicl_lite.clipping.factored import FULL_RANK, KEY, factorize_, load_factored
from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.methods import clip_by
from svdicl_lite.clipping.svd import SVD, rank_at
from svdicl_lite.clipping.whitened import OF_INPUTS
from svdicl_lite.models.loading import load_model
from svdicl_lite.search.cells import Cell

small = command_line.small  # a fixture: pytest looks for its name here

READ = torch.randint(VOCAB, (3, 40), generator=torch.Generator().manual_seed(1)).tolist()
TOKENS = torch.randint(VOCAB, (2, 9), generator=torch.Generator().manual_seed(0))
LOW_RANK = [method for method in CONTROLS | CLIPS if method not in FULL_RANK]
ATOL = 1e-5  # of weights near 0.2, in float32

# 120 tokens span the 32 or 48 inputs of these models, but hardly those of a ReLU.
pytestmark = pytest.mark.filterwarnings("ignore::svdicl_lite.clipping.whitened.SingularInputs")


@torch.no_grad()
def logits(model):
    return model(TOKENS).logits


def written(model, method, rate, module="all"):
    """The model with the plain clip's matrices, and its matrices (m, n) by their names."""
    found = matrices(model, 1, module)
    clip_by(method, model, 1, module, None, READ).apply(rate)
    return model, {str(matrix): matrix for matrix in found}


@pytest.mark.parametrize("name", ["gpt2", "gpt_neox", "opt", "llama", "phi3", "mixtral"])
@pytest.mark.parametrize("method", [*OF_INPUTS, "row-clusters"])
def test_the_product_is_the_matrix_that_the_plain_clip_writes(name, method, fingerprint, tmp_path):
    module = "attn" if name == "mixtral" else "all"  # its experts are one parameter
    dense, plain = written(build(name), method, 0.75, module)
    model = build(name)
    before = model.num_parameters()
    assert factorize_(model, 1, module, 0.75, None, method, READ) is model
    saved = 0
    for matrix in plain.values():
        W = matrix.weight
        layer = model.get_submodule(matrix.name)
        assert isinstance(layer, ThinLinear) == (matrix.name in getattr(model.config, KEY))
        if isinstance(layer, ThinLinear):
            torch.testing.assert_close(layer.weight, W, rtol=0, atol=ATOL)
            rank, (m, n) = layer[0].out_features, W.shape
            assert rank * (m + n) < m * n and rank == getattr(model.config, KEY)[matrix.name]
            assert method == "row-clusters" or rank == rank_at(min(m, n), 0.75)
            assert layer[1].bias is None or layer[1].bias.any()
            saved += m * n - rank * (m + n)
        else:  # as the plain clip leaves it
            kept = dense.get_submodule(matrix.name).weight
            torch.testing.assert_close(layer.weight, kept, rtol=0, atol=ATOL)
    assert before - model.num_parameters() == saved > 0
    torch.testing.assert_close(logits(model), logits(dense), rtol=0, atol=5e-5)
    model.save_pretrained(tmp_path)
    assert fingerprint(load_factored(tmp_path)) == fingerprint(model)


@pytest.mark.parametrize("method", LOW_RANK)
def test_every_method_of_low_rank_has_factors(method):
    """Of random matrices Gavish and Donoho leave little or nothing, which is a low rank too."""
    dense, plain = written(build("llama"), method, 0.75, "mlp")
    model = factorize_(build("llama"), 1, "mlp", 0.75, None, method, READ)
    assert getattr(model.config, KEY).keys() == {matrix.name for matrix in plain.values()}
    for matrix in plain.values():
        layer = model.get_submodule(matrix.name)
        torch.testing.assert_close(layer.weight, matrix.weight, rtol=0, atol=ATOL)


def test_a_matrix_whose_rank_is_not_low_stays_whole(fingerprint):
    """48 × 32, half of it kept: 16 · 80 numbers are fewer than 1,536, but four clusters have more
    than 19 components between them.
    """
    dense, plain = written(build("llama"), "row-clusters", 0.5, "up")
    (matrix,) = plain.values()
    assert (SVD.of(matrix.weight).S > 1e-5).sum() > 19
    model = factorize_(build("llama"), 1, "up", 0.5, None, "row-clusters")
    assert fingerprint(model) == fingerprint(dense) and not hasattr(model.config, KEY)
    for method in ("svd", *OF_INPUTS):
        model = factorize_(build("llama"), 1, "up", 0.5, None, method, READ)
        assert getattr(model.config, KEY) == {matrix.name: 16}
        model = factorize_(build("llama"), 1, "up", 0.3, None, method, READ)
        assert not hasattr(model.config, KEY)


def test_factors_of_large_inputs_are_no_larger_than_the_matrix():
    """W S is as large as the inputs, S⁻¹ as small, and float16 ends at 65,504."""
    model = build("llama")
    with torch.no_grad():
        model.model.layers[1].post_attention_layernorm.weight.mul_(1e6)
    (matrix,) = matrices(model, 1, "up")
    largest = SVD.of(matrix.weight).S[0]
    factorize_(model, 1, "up", 0.75, None, "whitened", READ)
    down, up = model.get_submodule(matrix.name)
    torch.testing.assert_close(down.weight.norm(dim=1), torch.ones(8), rtol=0, atol=1e-5)
    assert up.weight.norm(dim=0).max() < 2 * largest


@pytest.mark.parametrize("method", FULL_RANK)
def test_a_method_of_full_rank_is_refused_and_nothing_changes(method, fingerprint):
    model = build("llama")
    before = fingerprint(model)
    with pytest.raises(ValueError, match=f"method '{method}' leaves no low rank") as told:
        factorize_(model, 1, "mlp", 0.75, method=method)
    assert "without --factored" in str(told.value) and fingerprint(model) == before
    (matrix,) = matrices(model, 1, "up")
    clip_by(method, model, 1, "up").apply(0.75)  # the way out, and the reason
    assert (SVD.of(matrix.weight).S > 1e-4).all() and fingerprint(model) != before


@pytest.mark.parametrize("method", LOW_RANK)
def test_a_rate_of_zero_leaves_the_model_as_it_is(method, fingerprint):
    model = build("llama")
    before = fingerprint(model)
    factorize_(model, 1, "mlp", 0, None, method, READ)
    assert fingerprint(model) == before and not hasattr(model.config, KEY)


def test_what_cannot_be_done_is_said_and_nothing_changes(fingerprint):
    model = build("llama")
    before = fingerprint(model)
    for how, told in (
        ({"method": "whitened"}, "needs texts to read"),
        ({"method": "wavelets"}, "method is 'wavelets', but must be one of svd, "),
        ({"method": "asvd", "clip_rate": 2, "sequences": READ}, r"a number in \[0, 1\]"),
    ):
        with pytest.raises(ValueError, match=told):
            factorize_(model, 1, "mlp", **{"clip_rate": 0.75, **how})
    assert fingerprint(model) == before


# On the command line.

CLIP = ["--layer", 1, "--clip-rate", 0.75]
TASK = ["--task", "sentiment", "--shots", 2, "--sets", 1, "--n-validation", 20]


@pytest.mark.parametrize("factored", [False, True])
def test_svdicl_clip_writes_the_clip_that_a_search_with_these_options_tried(
    factored, tiny, small, tmp_path
):
    asked = [*CLIP, "--method", "whitened", *TASK, *["--factored"] * factored]
    found = answer("clip", "--model", tiny, *asked, "--out", tmp_path)
    shown = {"task": "sentiment", "labels": "canonical", "shots": 2, "sets": 1}
    assert (found["method"], found["demonstrations"]) == ("whitened", shown)
    stored = "two thin" if factored else "whole"
    assert [(row["rank"], row["stored"]) for row in found["matrices"]] == [(8, stored)] * 2
    assert (found["parameters"] < found["parameters_before"]) == factored
    load = load_factored if factored else AutoModelForCausalLM.from_pretrained
    loaded = load(tmp_path)
    model, _ = load_model(tiny)
    by_name = {matrix.name: matrix for matrix in matrices(model, 1, "mlp")}
    Cell(1, "mlp", 0.75, method="whitened").clip(model, small.evaluator("validation")).apply(0.75)
    with torch.no_grad():
        torch.testing.assert_close(logits(loaded), logits(model), rtol=0, atol=1e-4)
    for name, matrix in by_name.items():
        layer = loaded.get_submodule(name)
        W = layer.weight if factored else layer.weight.T  # Conv1D
        torch.testing.assert_close(W, matrix.weight, rtol=0, atol=ATOL)


def test_svdicl_clip_says_of_each_matrix_how_it_is_stored(tiny, tmp_path):
    asked = ["clip", "--model", tiny, *CLIP, "--module", "all", "--factored"]
    asked += ["--method", "row-clusters"]
    found = answer(*asked, "--out", tmp_path / "a")
    stored = {row["matrix"].split()[-1]: (row["rank"], row["stored"]) for row in found["matrices"]}
    assert stored["q"] == stored["v"] == (None, "whole")  # GPT-2 has them in one parameter
    ranks = json.loads((tmp_path / "a" / "config.json").read_text())[KEY]
    assert stored["fc_out"] == (ranks["transformer.h.1.mlp.c_proj"], "two thin")
    table = run(*asked, "--out", tmp_path / "b")
    assert table.exit_code == 0 and "two thin" in table.stdout and "whole" in table.stdout


@pytest.mark.parametrize(
    "asked, told",
    [
        (["--method", "whitened"], "'whitened' fits the demonstrations of a task; say --task TASK"),
        (["--method", "asvd", "--task", "sentiment", "--shots", 0], "take one shot or more"),
        (["--task", "sentiment"], "'svd' reads no demonstrations; leave --task out"),
        (["--method", "scale", "--factored"], "without --factored"),
        (["--method", "calibration"], "must be one of svd, "),
    ],
)
def test_svdicl_clip_refuses_in_one_sentence_and_leaves_no_folder(asked, told, tiny, tmp_path):
    out = tmp_path / "out"
    assert told in refused("clip", "--model", tiny, *CLIP, *asked, "--out", out)
    assert not out.exists()
