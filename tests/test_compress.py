import copy

import pandas as pd
import pytest
import torch
from families import FAMILIES, VOCAB, build
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, GPT2LMHeadModel

from svdicl_lite.clipping import factored
from svdicl_lite.clipping.clip import Clip, ThinLinear, clip_
from svdicl_lite.clipping.factored import factorize_, load_factored, report
from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.svd import SVD, rank_at
from svdicl_lite.models.loading import load_model

TOKENS = torch.randint(VOCAB, (2, 9), generator=torch.Generator().manual_seed(0))
# logits below 10 out of float32 sums in another order, three layers deep; a clip moves them by more
# than 0.1
ATOL = 2e-5

families = pytest.mark.parametrize("name", FAMILIES)


@torch.no_grad()
def logits(model):
    return model(TOKENS).logits


def thin_in(model):
    return {name for name, module in model.named_modules() if isinstance(module, ThinLinear)}


@families
def test_thin_layers_compute_what_the_clipped_ones_do_and_go_away_again(name, fingerprint):
    model = build(name)
    before, modules, unclipped = fingerprint(model), dict(model.named_modules()), logits(model)
    clip = Clip(model, 1, "all")
    with clip.at(0.75):
        dense = logits(model)
    with clip.at(0.75, factored=True):
        factored = logits(model)
        assert thin_in(model) == {matrix.name for matrix in clip.matrices if matrix.whole} != set()
    assert (dense - unclipped).abs().max() > 0.1
    torch.testing.assert_close(factored, dense, rtol=0, atol=ATOL)
    assert fingerprint(model) == before
    now = dict(model.named_modules())
    assert now.keys() == modules.keys() and all(now[key] is modules[key] for key in modules)


@families
def test_a_factored_model_is_the_clipped_one_and_survives_saving(name, fingerprint, tmp_path):
    model, dense = build(name), build(name)
    for layer, module, rate in ((0, "mlp", 0.75), (2, "all", 0.9)):
        factorize_(model, layer, module, rate)
        clip_(dense, layer, module, rate)
    torch.testing.assert_close(logits(model), logits(dense), rtol=0, atol=ATOL)
    thin = {
        m.name
        for layer, module in ((0, "mlp"), (2, "all"))
        for m in matrices(dense, layer, module)
        if m.whole
    }
    assert thin_in(model) == thin != set()

    model.save_pretrained(tmp_path / "factored")
    loaded = load_factored(str(tmp_path / "factored"))
    assert (
        type(loaded) is type(model)
        and fingerprint(loaded) == fingerprint(model)
        and thin_in(loaded) == thin
    )
    torch.testing.assert_close(
        logits(loaded), logits(model), rtol=0, atol=ATOL
    )  # the file leaves its tensors at other alignments
    loaded.save_pretrained(tmp_path / "again")
    assert fingerprint(load_factored(str(tmp_path / "again"))) == fingerprint(model)

    dense.save_pretrained(tmp_path / "dense")
    assert fingerprint(AutoModelForCausalLM.from_pretrained(tmp_path / "dense")) == fingerprint(
        dense
    )
    assert fingerprint(load_factored(str(tmp_path / "dense"))) == fingerprint(
        dense
    )  # takes models that nobody factored, too


@pytest.mark.parametrize(
    "rate, thin", [(0.5, {"fc_in", "fc_out"}), (0.55, {"o", "fc_in", "fc_out"}), (0.15, set())]
)
def test_only_what_gets_smaller_is_factored(model, rate, thin):
    """For 32 × 32, r · 64 < 1024 asks for r < 16; for 32 × 128, r · 160 < 4096 for r < 25.6."""
    before, names = model.num_parameters(), {m.role: m.name for m in matrices(model, 1)}
    factorize_(model, 1, "all", rate)
    assert thin_in(model) == {names[role] for role in thin}
    rank = rank_at(32, rate)
    saved = {
        "o": 32 * 32 - rank * 64,
        "fc_in": 32 * 128 - rank * 160,
        "fc_out": 32 * 128 - rank * 160,
    }
    assert before - model.num_parameters() == sum(saved[role] for role in thin)


def test_a_rate_of_zero_leaves_the_model_as_it_is(model, fingerprint):
    before, clip = fingerprint(model), Clip(model, 1, "all")
    with clip.at(0, factored=True):
        assert fingerprint(model) == before
    assert factorize_(model, 1, "all", 0) is model
    assert fingerprint(model) == before and not hasattr(model.config, factored.KEY)


def test_a_rate_of_one_leaves_the_bias_alone_also_on_disk(model, fingerprint, tmp_path):
    bias = model.transformer.h[1].mlp.c_fc.bias.detach().clone()
    factorize_(model, 1, "fc_in", 1)
    layer = model.transformer.h[1].mlp.c_fc
    assert torch.equal(
        layer(torch.randn(3, 32, generator=torch.Generator().manual_seed(0))), bias.expand(3, -1)
    )
    model.save_pretrained(tmp_path)
    assert fingerprint(load_factored(tmp_path)) == fingerprint(model)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_factors_keep_the_precision_of_the_model(model, dtype, fingerprint, tmp_path):
    model.to(dtype)
    with Clip(model, 1, "mlp").at(0.9, factored=True):
        assert {parameter.dtype for parameter in model.parameters()} == {dtype}
    factorize_(model, 1, "mlp", 0.9)
    assert {parameter.dtype for parameter in model.parameters()} == {dtype}
    model.save_pretrained(tmp_path)
    assert fingerprint(load_factored(tmp_path, dtype=dtype)) == fingerprint(model)


def test_a_factored_model_can_be_trained(model):
    factorize_(model, 1, "mlp", 0.9)
    model(TOKENS, labels=TOKENS).loss.backward()
    for layer in model.transformer.h[1].mlp.c_fc:
        assert layer.weight.grad.abs().sum() > 0


def test_other_layers_of_a_factored_model_can_be_clipped_still(model, fingerprint):
    factorize_(model, 1, "mlp", 0.9)
    before = fingerprint(model)
    with Clip(model, 1, "attn").at(0.5), Clip(model, 2, "all").at(0.9, factored=True):
        assert fingerprint(model) != before
    assert fingerprint(model) == before
    with pytest.raises(
        TypeError,
        match="cannot find fc_in, fc_out in layer 1 .*not those that were factored already",
    ):
        Clip(model, 1, "all")


def test_a_clip_does_not_write_where_thin_layers_stand_in(model, fingerprint):
    before, clip, dense = fingerprint(model), Clip(model, 1, "mlp"), Clip(model, 1, "fc_in")
    with clip.at(0.9, factored=True):
        inside = logits(model)
        for attempt in (
            lambda: dense.apply(0.5),
            lambda: dense.at(0.5).__enter__(),
            lambda: clip.at(0.5, factored=True).__enter__(),
        ):
            with pytest.raises(RuntimeError, match="two thin layers stand in for layer 1 fc_in"):
                attempt()
        assert torch.equal(logits(model), inside)
    assert fingerprint(model) == before


def test_an_error_while_the_factors_are_made_leaves_the_model_as_it_was(
    model, fingerprint, monkeypatch
):
    clip, before = Clip(model, 1, "mlp"), fingerprint(model)
    calls = []

    def fails_the_second_time(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise MemoryError("no room")
        return ThinLinear(*args, **kwargs)

    monkeypatch.setattr("svdicl_lite.clipping.clip.ThinLinear", fails_the_second_time)
    with pytest.raises(MemoryError, match="no room"):
        with clip.at(0.9, factored=True):
            raise AssertionError("the body must not run")
    assert len(calls) == 2 and fingerprint(model) == before


def test_a_control_that_is_no_truncation_has_no_factors(model, fingerprint):
    before, clip = (
        fingerprint(model),
        Clip(model, 1, "mlp", how=lambda factors, rank: SVD.truncate(factors, rank) * 2),
    )
    with pytest.raises(
        ValueError, match="only a clip made with how=SVD.truncate is a product of thin factors"
    ):
        clip.at(0.9, factored=True).__enter__()
    assert fingerprint(model) == before


@pytest.mark.parametrize("rate", [-0.1, 1.1, "0.5"])
def test_bad_rates_are_refused_and_nothing_changes(model, fingerprint, rate):
    before = fingerprint(model)
    with pytest.raises(ValueError, match=r"must be a number in \[0, 1\]"):
        factorize_(model, 1, "mlp", rate)
    assert fingerprint(model) == before


def test_a_checkpoint_that_lacks_a_factor_is_called_damaged(model, tmp_path):
    factorize_(model, 1, "mlp", 0.9).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["transformer.h.1.mlp.c_fc.0.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        ValueError, match="is damaged or incomplete: it lacks transformer.h.1.mlp.c_fc.0.weight"
    ):
        load_factored(tmp_path)


def test_the_report_counts_and_times_both_models(model, monkeypatch):
    after = factorize_(copy.deepcopy(model), 1, "mlp", 0.9)
    now = iter(range(10**6))  # a clock that does not depend on the machine: one second a forward
    monkeypatch.setattr("svdicl_lite.clipping.factored.time.perf_counter", lambda: float(next(now)))
    table = report(model, after, TOKENS, repeats=3)
    assert isinstance(table, pd.DataFrame) and list(table.index) == ["before", "after"]
    assert list(table.columns) == ["parameters", "bytes", "seconds", "speed_up"]
    saved = 2 * (32 * 128 - rank_at(32, 0.9) * 160)
    assert table.parameters["before"] - table.parameters["after"] == saved
    assert (
        (table.bytes == 4 * table.parameters).all()
        and (table.seconds == 1).all()
        and (table.speed_up == 1).all()
    )
    assert (
        table.parameters["before"]
        == sum(p.numel() for p in model.parameters())
        == GPT2LMHeadModel(model.config).num_parameters()
    )


def test_the_speed_up_is_the_ratio_of_the_medians(model, monkeypatch):
    ticks = iter(
        [0, 100, 0, 100, 0, 6, 0, 2, 0, 8, 0, 1, 0, 40, 0, 9]
    )  # a turn to warm up; before: 6, 8, 40; after: 2, 1, 9
    monkeypatch.setattr("svdicl_lite.clipping.factored.time.perf_counter", lambda: next(ticks))
    table = report(model, model, TOKENS, repeats=3)
    assert list(table.seconds) == [8, 2] and list(table.speed_up) == [1, 4]


def test_a_factored_model_without_its_tokenizer_or_factors_is_called_incomplete_once(tmp_path):
    model, tokenizer = load_model("icl-gpt2")
    factorize_(model, 1, "mlp", 0.9).save_pretrained(tmp_path)
    with pytest.raises(
        ValueError, match=r"^the checkpoint in \S+ is damaged or incomplete \([^()]*tokenizer"
    ):
        load_model(str(tmp_path))
    tokenizer.save_pretrained(tmp_path)
    assert load_model(str(tmp_path))[0].num_parameters() == model.num_parameters()
    weights = load_file(tmp_path / "model.safetensors")
    save_file(
        {name: tensor for name, tensor in weights.items() if not name.endswith(".0.weight")},
        tmp_path / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(ValueError) as caught:
        load_model(str(tmp_path))
    assert str(caught.value).count("the checkpoint in") == 1
