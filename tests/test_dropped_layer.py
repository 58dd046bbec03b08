"""A layer that is dropped: a model without it, and the same model afterwards."""

import copy

import numpy as np
import pytest
import torch

from svdicl_lite.clipping.controls import (
    drop,
    dropped,
)
from svdicl_lite.clipping.matrices import matrices
from svdicl_lite.clipping.svd import SVD
from svdicl_lite.scoring.batches import Plan
from svdicl_lite.scoring.fast import fast_scores
from svdicl_lite.scoring.plain import plain_scores
from svdicl_lite.scoring.prompts import draw_demonstrations, encode

# Dropped layers.


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_dropped_layer_is_a_model_without_it(model, layer):
    tokens = torch.randint(0, 100, (2, 9), generator=torch.Generator().manual_seed(0))
    without = copy.deepcopy(model)
    del without.transformer.h[layer]
    with torch.no_grad():
        before = model(tokens, use_cache=False).logits
        with dropped(model, layer):
            dropped_logits = model(tokens, use_cache=False).logits
        assert torch.equal(dropped_logits, without(tokens, use_cache=False).logits)
        assert torch.equal(model(tokens, use_cache=False).logits, before) and not torch.allclose(
            dropped_logits, before
        )


@pytest.mark.parametrize("family", ["llama", "bloom", "falcon", "gpt_neox", "gemma2", "mixtral"])
def test_a_dropped_layer_is_gone_from_blocks_of_any_shape(family, monkeypatch):
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM

    sizes = dict(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=2,
    )
    if family == "gemma2":
        sizes["head_dim"] = 8
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(
        CONFIG_MAPPING[family](**sizes, pad_token_id=0, bos_token_id=1, eos_token_id=2)
    ).eval()
    monkeypatch.setattr("svdicl_lite.clipping.controls.n_layers", lambda model: 3)
    blocks = next(
        module
        for module in model.modules()
        if isinstance(module, torch.nn.ModuleList) and len(module) == 3
    )
    seen = []
    for block in blocks:
        block.register_forward_pre_hook(
            lambda _, args, kwargs: seen.append(args[0] if args else kwargs["hidden_states"]),
            with_kwargs=True,
        )
    with torch.no_grad():
        model(torch.arange(7)[None])
        assert len(seen) == 3 and not torch.allclose(seen[1], seen[2])
        seen.clear()
        with dropped(model, 1):
            model(torch.arange(7)[None])
    assert torch.equal(seen[1], seen[2])


@pytest.mark.parametrize("layer", [0, 2])
def test_a_dropped_layer_scores_the_same_from_cached_prefixes(model, tokenizer, sentiment, layer):
    words = sentiment.words()
    prompts = encode(
        tokenizer,
        sentiment,
        words,
        draw_demonstrations(sentiment, 3, 0),
        list(sentiment.splits["test"].select(range(6))),
    )
    before = plain_scores(model, prompts)
    with dropped(model, layer):
        fast, plain = fast_scores(model, [Plan(prompts, 4)])[0], plain_scores(model, prompts)
    np.testing.assert_allclose(fast, plain, rtol=0, atol=1e-4)  # float32, as in test_evaluate.py
    assert np.abs(plain - before).max() > 0.01


def test_dropping_every_matrix_of_a_block_leaves_its_biases(model):
    tokens = torch.randint(0, 100, (1, 9), generator=torch.Generator().manual_seed(0))
    block, outputs = model.transformer.h[1], []
    block.register_forward_hook(lambda _, args, output: outputs.append(output - args[0]))
    with torch.no_grad():
        for weight in (matrix.weight for matrix in matrices(model, 1, "all")):
            weight.copy_(drop(SVD.of(weight), 4))
        model(tokens)
        left = block.attn.c_proj.bias + block.mlp.c_proj.bias
    assert left.abs().min() > 0
    torch.testing.assert_close(
        outputs[0], left.expand_as(outputs[0]), rtol=0, atol=1e-5
    )  # float32 sums of size 1 to 10


def test_a_dropped_layer_comes_back_after_an_error_and_layers_that_are_not_there_are_refused(
    model, fingerprint
):
    before = fingerprint(model)
    with pytest.raises(RuntimeError), dropped(model, 1):
        raise RuntimeError
    assert fingerprint(model) == before and not model.transformer.h[1]._forward_hooks
    for layer in (-1, 3):
        with (
            pytest.raises(IndexError, match=f"layer is {layer}, but this model has layers 0 to 2"),
            dropped(model, layer),
        ):
            pass
